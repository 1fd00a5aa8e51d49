// Writes of a Deployment and of its ReplicaSets.
import assert from 'node:assert/strict';
import {
  GIVE_BACK,
  GLASS_BROKEN,
  BUDGET,
  HELD,
  IN_PROGRESSING,
  PAUSED_UNSEEN,
  STABLE_REVISION,
} from '../../../../src/api/keys.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../../../../src/api/resources.ts';
import {
  freeDeployment,
  patchDeployment,
  patchHeld,
  patchReplicaSet,
  revertDeployment,
} from '../../../../src/engine/workload/deployment/effects.ts';
import { heldSettings, writeHeld } from '../../../../src/engine/workload/deployment/hold.ts';
import { deployment, held, mergePatchOf, replicaSet, template, USER } from '../../build.ts';

const free = deployment();
const holding = deployment({
  version: 'v2',
  held: held(),
  labels: { [STABLE_REVISION]: 'v1' },
  annotations: { [GLASS_BROKEN]: '{}' },
});

describe('a write of a Deployment', () => {
  it('is none when nothing differs', () => {
    assert.deepEqual(patchDeployment('hold', free, { settings: USER }), []);
    assert.deepEqual(patchHeld('hold', holding, held(), heldSettings(held())), []);
  });

  it('that holds it is the record, the way out, and the fields', () => {
    const paused = deployment({ annotations: { [PAUSED_UNSEEN]: 'false' } });
    const { metadata, spec } = mergePatchOf(
      patchHeld('hold', paused, held(), heldSettings(held()), { [STABLE_REVISION]: 'v1' }),
    );
    assert.deepEqual(Object.keys(metadata['annotations'] as object).toSorted(), [
      IN_PROGRESSING,
      GIVE_BACK,
      HELD,
      PAUSED_UNSEEN,
    ]);
    assert.equal((metadata['annotations'] as Record<string, unknown>)[PAUSED_UNSEEN], null);
    assert.deepEqual(metadata['labels'], { [STABLE_REVISION]: 'v1', [BUDGET]: 'surge-0.unavailable-1' });
    assert.deepEqual(spec, { paused: true, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } });
  });

  it('that gives it back takes everything of ours off, and more with it', () => {
    const { metadata, spec } = mergePatchOf(
      freeDeployment(holding, held(), { labels: { app: null }, annotations: { 'x/y': 'z' } }),
    );
    const annotations = { [HELD]: null, [GIVE_BACK]: null, [IN_PROGRESSING]: null, [GLASS_BROKEN]: null, 'x/y': 'z' };
    const labels = { [STABLE_REVISION]: null, [BUDGET]: null, app: null };
    assert.deepEqual(metadata, { resourceVersion: '100', labels, annotations });
    assert.deepEqual(spec, { paused: null, strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } } });
  });

  it('that puts a template back replaces it whole, and pauses', () => {
    const patch = [
      { op: 'replace', path: '/metadata/resourceVersion', value: '100' },
      { op: 'replace', path: '/spec/template', value: template('v1') },
      { op: 'add', path: '/spec/paused', value: true },
    ];
    const effect = { kind: 'Patch', why: 'revert', resource: DEPLOYMENTS, before: holding };
    assert.deepEqual(revertDeployment(holding, template('v1')), { ...effect, patch });
    const record = { op: 'add', path: '/metadata/annotations/tranche.dev~1held', value: writeHeld(held()) };
    assert.deepEqual(revertDeployment(holding, template('v1'), held()), { ...effect, patch: [...patch, record] });
    // Its budget was in the record, as an earlier version of Tranche wrote it.
    const before = deployment({ held: held(), labels: { [BUDGET]: undefined } });
    const label = { op: 'add', path: '/metadata/labels/tranche.dev~1budget', value: 'surge-0.unavailable-1' };
    assert.deepEqual(revertDeployment(before, template('v1'), held()), {
      ...{ ...effect, before },
      patch: [...patch, record, label],
    });
  });
});

describe('a write of a ReplicaSet', () => {
  it('carries its version', () => {
    const before = replicaSet('v1');
    const effect = { kind: 'Patch', why: 'mark', resource: REPLICA_SETS, before };
    assert.deepEqual(patchReplicaSet('mark', before, { replicas: 1 }), {
      ...effect,
      patch: { metadata: { resourceVersion: '200' }, spec: { replicas: 1 } },
    });
    const { metadata } = mergePatchOf([patchReplicaSet('mark', before, {}, { a: 'b' })]);
    assert.deepEqual(metadata, { resourceVersion: '200', annotations: { a: 'b' } });
  });
});
