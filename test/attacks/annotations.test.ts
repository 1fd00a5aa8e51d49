// Annotations near Kubernetes' limit: a release whose record would not fit is refused in words before it starts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { HELD, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { isTooLarge, tooLargeForUs } from '../../src/engine/workload/annotation-size.ts';
import { intercept, type Interception } from '../../src/engine/admit/intercept.ts';
import { aDeployment, aRollout, OPERATOR } from '../admission/support.ts';
import { World } from '../operator/world.ts';
import { applyOps } from '../support/json-patch.ts';

const LIMIT = 262_144;
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const sizeOf = (deployment: Deployment): number =>
  Object.entries(deployment.metadata.annotations ?? {}).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
/** A Deployment whose annotations have so many bytes together. */
const sized = (bytes: number, tag = 'v1', key = 'note', fill = 'x', more = {}): Deployment => {
  const count = Math.floor((bytes - key.length) / Buffer.byteLength(fill));
  const rest = 'y'.repeat((bytes - key.length) % Buffer.byteLength(fill));
  return aDeployment(tag, { annotations: { [key]: fill.repeat(count) + rest, ...more } });
};
const edit = (old: Deployment, next: Deployment): Interception =>
  intercept({ operation: 'UPDATE', old, next, user: 'alice', fieldManager: 'kubectl' }, aRollout(1, '100%'), {
    operatorUser: OPERATOR,
    sha256,
  });

describe('annotations near the limit', () => {
  it('refuse a release that would have no room for its record, and name the cause, the sizes and the remedy', () => {
    for (const bytes of [LIMIT, LIMIT - 1, LIMIT - 300, LIMIT - 1_000]) {
      const { verdict, patch, refusal } = edit(sized(bytes), sized(bytes, 'v2'));
      assert.equal(verdict, 'Refused', `${bytes}`);
      assert.deepEqual(patch, []);
      assert.equal(refusal?.field, 'metadata.annotations');
      assert.equal(refusal.value, `${bytes} bytes`);
      assert.match(refusal.reason, /for the record of the release \(tranche\.dev\/held\).*262144 bytes/);
      assert.match(refusal.remedy, /^remove at least \d+ bytes; the largest annotation is note \(\d+ bytes\)$/);
      const less = Number(/at least (\d+) bytes/.exec(refusal.remedy)![1]);
      assert.equal(edit(sized(bytes - less), sized(bytes - less, 'v2')).verdict, 'Held', 'the remedy helps');
      assert.equal(edit(sized(bytes - less + 1), sized(bytes - less + 1, 'v2')).verdict, 'Refused', 'and is exact');
    }
  });

  it('name the annotation of kubectl apply with the way to do without it', () => {
    const { refusal } = edit(sized(LIMIT, 'v1', LAST_APPLIED), sized(LIMIT, 'v2', LAST_APPLIED));
    assert.match(
      refusal?.remedy ?? '',
      /last-applied-configuration \(262144 bytes\), which kubectl apply --server-side/,
    );
  });

  it('count bytes, as Kubernetes does, whatever the characters', () => {
    for (const fill of ['x', 'ä', '€', '😀']) {
      assert.equal(edit(sized(LIMIT - 900, 'v1', 'n', fill), sized(LIMIT - 900, 'v2', 'n', fill)).verdict, 'Refused');
      const fits = edit(sized(LIMIT - 3_000, 'v1', 'n', fill), sized(LIMIT - 3_000, 'v2', 'n', fill));
      assert.equal(fits.verdict, 'Held', fill);
      assert.ok(sizeOf(applyOps(sized(LIMIT - 3_000, 'v2', 'n', fill), fits.patch)) < LIMIT);
    }
  });

  it('are the API server’s to refuse where they are too large without us', () => {
    assert.equal(edit(sized(LIMIT), sized(LIMIT + 1, 'v2')).verdict, 'Held');
  });

  it('refuse no edit at rest, no rollback, and nothing in a release that makes them no larger', () => {
    const full = sized(LIMIT);
    assert.notEqual(edit(full, { ...full, metadata: { ...full.metadata, labels: { app: 'web' } } }).verdict, 'Refused');
    const next = sized(LIMIT - 3_000, 'v2');
    const held = applyOps(next, edit(sized(LIMIT - 3_000), next).patch);
    const grown: Deployment = {
      ...held,
      metadata: { ...held.metadata, annotations: { ...held.metadata.annotations, more: 'x'.repeat(1_400) } },
    };
    assert.ok(sizeOf(grown) <= LIMIT);
    const newer = { ...grown, spec: { ...grown.spec, template: aDeployment('v3').spec.template } };
    assert.equal(edit(held, newer).verdict, 'Refused', 'that grows');
    assert.equal(edit(grown, newer).verdict, 'Superseded', 'that is as it was');
    const back = { ...grown, spec: { ...grown.spec, template: aDeployment('v1').spec.template } };
    assert.equal(edit(grown, back).verdict, 'RolledBack');
  });
});

describe('the operator, where annotations are near the limit', () => {
  it('says in the status that its record has no room, and what helps', async () => {
    const world = await new World().start();
    try {
      world.webhook = false;
      const annotations = { note: 'x'.repeat(LIMIT - 300) };
      await world.createDeployment({ metadata: { annotations, labels: { [WORKLOAD_TYPE]: 'deployment' } } });
      await world.createRollout([{ replicas: 1 }, { replicas: '100%' }]);
      await world.until('it is idle', () => world.rollout.status?.phase === 'Healthy');
      await world.release('v2');
      await world.until('it says so', () => /are too large for the record/.test(world.rollout.status?.message ?? ''));
      assert.match(
        world.rollout.status?.message ?? '',
        /the annotations of Deployment "demo" are too large for the record of the release \(tranche\.dev\/held\): remove some of them, or apply with --server-side/,
      );
      assert.ok(
        world.events.some(
          ({ reason, message }) => reason === 'WriteRefused' && /are too large for the record/.test(message),
        ),
      );
      assert.equal(world.deployment.metadata.annotations?.[HELD], undefined);
    } finally {
      await world.stop();
    }
  });

  it('knows the words of old and of new API servers', () => {
    for (const said of ['Too long: may not be more than 262144 bytes', 'Too long: must have at most 262144 bytes'])
      assert.ok(isTooLarge(`Deployment.apps "web" is invalid: metadata.annotations: ${said}`));
    assert.equal(isTooLarge('metadata.annotations: Invalid value: "a b"'), false);
    assert.match(tooLargeForUs(aDeployment()), /Deployment "web"/);
  });
});
