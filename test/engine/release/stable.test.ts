// Which version a release may go back to, and the copy that is kept of its template.
import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import { DEPLOYMENTS } from '../../../src/api/resources.ts';
import type { ControllerRevision, Rollout } from '../../../src/api/types.ts';
import {
  copyName,
  isTrusted,
  knownStable,
  stableCopy,
  stableDigest,
  templateOf,
} from '../../../src/engine/release/stable.ts';
import type { Version } from '../../../src/engine/workload/kind.ts';
import { atStep, deployment, digest, healthy, held, replicaSet, rollout, rows, template } from '../build.ts';

const of = (status: Rollout['status']): Rollout => rollout(status && { status });
const finishing = atStep(3, 'Completed', { reason: 'Finalising' });

describe('the stable version, as the Rollout’s status knows it,', () => {
  const table: readonly (readonly [
    what: string,
    status: Rollout['status'],
    stable: string | undefined,
    trusted: readonly string[],
  ])[] = [
    ['is nothing where it has not looked', undefined, undefined, []],
    [
      'is what runs, whatever a condition of before says',
      healthy('v1', { reason: 'Finalising', canary: { stableDigest: 'v0' } }),
      'v1',
      ['v1'],
    ],
    ['is what runs, with nothing released', healthy('v1', { canary: { stableDigest: 'v0' } }), 'v1', ['v1']],
    ['is what ran before the release', atStep(1, 'StepUpgrade'), 'v1', ['v1']],
    ['is what was released when the steps are done; what ran before is trusted as well', finishing, 'v2', ['v2', 'v1']],
    [
      'is nothing in a status of OpenKruise’s',
      atStep(1, 'StepUpgrade', { canary: { stableDigest: undefined! } }),
      undefined,
      [],
    ],
    ['is nothing where it is empty', healthy('v1', { canary: { templateDigest: '' } }), undefined, []],
  ];
  rows(table, (status, stable, trusted) => {
    assert.equal(knownStable(of(status)), stable);
    const agreed = ['v0', 'v1', 'v2', ''].filter((one) => isTrusted(held({ stable: one }), of(status)));
    assert.deepEqual(agreed, trusted.toSorted());
  });

  it('is trusted by nobody where there is no Rollout', () => {
    assert.equal(isTrusted(held(), undefined), false);
  });
});

describe('the version to go back to', () => {
  const version = (name: string, available: number): Version => ({
    revision: name,
    template: template(name),
    replicas: 5,
    available,
    created: '',
    maker: '',
    keeper: { metadata: { name: '' } },
    number: undefined,
    conditions: undefined,
  });
  type Row = readonly [
    what: string,
    record: string,
    status: Rollout['status'],
    runs: Readonly<Record<string, number>>,
    stable: string,
    released?: string,
  ];
  const during = atStep(1, 'StepUpgrade');
  const table: readonly Row[] = [
    ['is the one of the record, where the status agrees', 'v1', during, {}, 'v1'],
    ['is the one of the record, where what was released is stable by now', 'v2', finishing, { v1: 5 }, 'v2'],
    ['is the one of the record, where the status knows it as what ran before', 'v1', finishing, { v2: 5 }, 'v1'],
    ['is the status’, where they differ and it runs', 'v3', during, { v1: 1, v3: 5 }, 'v1'],
    ['is the status’, where they differ and neither runs', 'v3', during, { v1: 0, v3: 0 }, 'v1'],
    ['is the record’s, where they differ and only that runs', 'v3', during, { v1: 0, v3: 1 }, 'v3'],
    ['is the record’s, where the status knows none and it runs', 'v3', undefined, { v1: 9, v3: 1 }, 'v3'],
    ['is what one available Pod runs, where the record’s does not', 'v3', undefined, { v1: 1, v3: 0 }, 'v1'],
    ['is what most available Pods run, where the record’s does not', 'v3', undefined, { v1: 4, v2: 5, v3: 0 }, 'v2'],
    ['is never what is released, however many of its Pods are available', '', undefined, { v1: 4, v2: 5 }, 'v1', 'v2'],
    ['is what ran before it, where its steps are done and the record knows none', '', finishing, { v2: 5 }, 'v1', 'v2'],
    [
      'is nothing, where also the status does not know what ran before it',
      '',
      atStep(3, 'Completed', { reason: 'Finalising', canary: { stableDigest: undefined! } }),
      { v2: 5 },
      '',
      'v2',
    ],
    ['is the status’, also where that is put back', 'v3', during, { v1: 1, v3: 5 }, 'v1', 'v1'],
    ['is nothing, where only what is released runs', '', undefined, { v1: 0, v2: 5 }, '', 'v2'],
    ['is the record’s, where nothing runs', 'v3', undefined, { v1: 0 }, 'v3'],
    ['is the record’s, where there is nothing', 'v3', undefined, {}, 'v3'],
  ];
  rows(table, (record, status, runs, stable, released = 'v9') => {
    const versions = Object.entries(runs).map(([name, available]) => version(name, available));
    assert.equal(stableDigest(held({ stable: record }), of(status), template(released), versions, digest), stable);
  });
});

describe('the copy of the stable template', () => {
  const copy = stableCopy(DEPLOYMENTS, deployment(), replicaSet('v1').spec.template, asDigest('0123456789abcdef'));

  it('is a patch that puts the template back, whole, and pauses', () => {
    assert.deepEqual(copy.data, { spec: { paused: true, template: { ...template('v1'), $patch: 'replace' } } });
  });

  it('is its Deployment’s, and goes with it', () => {
    const ownerReferences = [
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-web', controller: true },
    ];
    const labels = { 'tranche.dev/stable-of': 'web' };
    assert.deepEqual(copy.metadata, { name: 'web-stable-0123456789', namespace: 'shop', labels, ownerReferences });
    const { metadata } = stableCopy(
      DEPLOYMENTS,
      deployment({ metadata: { namespace: undefined!, uid: undefined! } }),
      template('v1'),
      asDigest('d'),
    );
    assert.deepEqual(['namespace' in metadata, metadata.ownerReferences?.[0]?.uid], [false, '']);
  });

  it('has a name and a label that Kubernetes takes, however long the Deployment’s is', () => {
    const long = `${'a'.repeat(62)}.${'b'.repeat(190)}`;
    const { name, labels } = stableCopy(
      DEPLOYMENTS,
      deployment({ metadata: { name: long } }),
      template('v1'),
      asDigest('0123456789abcdef'),
    ).metadata;
    assert.equal(name, `${long.slice(0, 230)}-stable-0123456789`);
    assert.ok(name.length <= 253);
    assert.deepEqual(Object.values(labels ?? {}), ['a'.repeat(62)]);
    assert.equal(copyName(deployment(), asDigest('short')), 'web-stable-short');
    assert.equal(copyName({ ...deployment(), kind: 'StatefulSet' }, asDigest('short')), 'web-statefulset-stable-short');
    const ofLong = copyName({ kind: 'StatefulSet', metadata: { name: long } }, asDigest('0123456789abcdef'));
    assert.deepEqual([ofLong.length, ofLong.endsWith('-statefulset-stable-0123456789')], [name.length, true]);
  });

  it('is read only when it is the template of that digest', () => {
    const table: readonly (readonly [ControllerRevision | undefined, string, string | undefined])[] = [
      [copy, 'v1', 'v1'],
      [copy, 'v2', undefined],
      [undefined, 'v1', undefined],
      [{ ...copy, data: {} }, 'v1', undefined],
      [{ ...copy, data: { spec: { template: null! } } }, 'v1', undefined],
    ];
    for (const [of, wanted, found] of table) {
      const read = templateOf(of, asDigest(wanted), digest);
      assert.equal(read && digest(read), found);
      assert.equal(read !== undefined && '$patch' in read, false);
    }
  });
});
