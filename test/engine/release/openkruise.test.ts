// What OpenKruise has left on a Deployment, and what we write for its tools.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { DEPLOYMENTS, ROLLOUTS } from '../../../src/api/resources.ts';
import type { Deployment } from '../../../src/api/types.ts';
import { isLeftBehind, leftoverOf, withExtraStatus } from '../../../src/engine/release/openkruise.ts';
import type { Effect } from '../../../src/engine/decision.ts';

const deployment = (annotations: Record<string, string>, labels = {}, paused = true): Deployment => ({
  metadata: { name: 'web', annotations, labels },
  spec: { paused, template: {}, selector: {}, strategy: { type: 'RollingUpdate' } } as unknown as Deployment['spec'],
});
const extra = { [keys.KRUISE_EXTRA_STATUS]: '{"updatedReadyReplicas":1,"expectedUpdatedReplicas":1}' };

describe('the annotation with the numbers of the new version', () => {
  it('alone is a trace, and no release in the middle, paused or not', () => {
    for (const paused of [true, false]) {
      assert.equal(leftoverOf(deployment(extra, {}, paused)), 'Traces');
      assert.equal(isLeftBehind(deployment(extra, {}, paused)), false);
    }
  });

  it('beside our record is ours', () => {
    assert.equal(leftoverOf(deployment({ ...extra, [keys.HELD]: '{}' })), undefined);
  });

  it("beside OpenKruise's own marks changes nothing", () => {
    assert.equal(leftoverOf(deployment({ ...extra, [keys.KRUISE_STRATEGY]: '{}' })), 'Partition');
    assert.equal(leftoverOf(deployment(extra, { [keys.KRUISE_ADVANCED]: 'true' })), 'Paused');
    assert.equal(leftoverOf(deployment({ ...extra, [keys.HELD]: '{}', [keys.KRUISE_STRATEGY]: '{}' })), 'Traces');
    assert.equal(leftoverOf(deployment({ ...extra, [keys.IN_PROGRESSING]: '{}' })), 'Paused');
  });

  it('goes with writes of the Deployment only, and not with its moves', () => {
    const patch = { metadata: { resourceVersion: '1', annotations: { a: 'b' } }, spec: { paused: true } };
    const effects: Effect[] = [
      { kind: 'Patch', why: 'hold', resource: DEPLOYMENTS, before: deployment({}), patch },
      { kind: 'Patch', why: 'finalizer', resource: ROLLOUTS, before: deployment({}), patch },
      { kind: 'Patch', why: 'move', resource: DEPLOYMENTS, before: deployment({}), patch },
    ];
    const [first, second, third] = withExtraStatus(effects, DEPLOYMENTS, { canaryReadyReplicas: 3 }, 5);
    const annotations = {
      a: 'b',
      [keys.KRUISE_EXTRA_STATUS]: '{"updatedReadyReplicas":3,"expectedUpdatedReplicas":5}',
    };
    assert.deepEqual(first, { ...effects[0], patch: { ...patch, metadata: { ...patch.metadata, annotations } } });
    assert.deepEqual([second, third], effects.slice(1));
    assert.deepEqual(withExtraStatus([], DEPLOYMENTS, { canaryReadyReplicas: 3 }, 5), []);
  });
});
