import assert from 'node:assert/strict';
import { HELD } from '../../src/api/keys.ts';
import { DEPLOYMENTS } from '../../src/api/resources.ts';
import type { Json } from '../../src/api/json.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Decision } from '../../src/engine/decision.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { silent } from '../../src/kube/log.ts';
import { Applier } from '../../src/operator/apply.ts';
import { MutationCache } from '../../src/operator/mutation-cache.ts';
import { specGuarded } from '../../src/operator/spec-guard.ts';
import { applyOps } from '../support/json-patch.ts';

const before: KubeObject & { spec: Json } = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'shop',
    uid: 'u1',
    generation: 4,
    resourceVersion: '40',
    labels: { app: 'web' },
    annotations: { [HELD]: '{"v":1}', note: 'x' },
  },
  spec: {
    replicas: 10,
    paused: true,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
  },
};
const patch = {
  metadata: {
    resourceVersion: '40',
    labels: { 'a/b': 'c' },
    annotations: { [HELD]: '{"v":1,"moved":"now"}', note: null, gone: null },
  },
  spec: {
    paused: false,
    minReadySeconds: 9,
    progressDeadlineSeconds: null,
    strategy: { rollingUpdate: { maxSurge: '30%' } },
  },
};
const TESTS = [
  { op: 'test', path: '/metadata/uid', value: 'u1' },
  { op: 'test', path: '/metadata/generation', value: 4 },
  { op: 'test', path: '/metadata/annotations/tranche.dev~1held', value: '{"v":1}' },
];

describe('a patch that is guarded by the spec', () => {
  it('tests the object, its generation and the record, and changes what the merge patch changes', () => {
    const ops = specGuarded(before, patch) ?? [];
    assert.deepEqual(ops.slice(0, 3), TESTS);
    const after = applyOps(structuredClone(before) as never, ops.slice(3) as never) as unknown as typeof before;
    assert.deepEqual(after, {
      ...before,
      metadata: {
        ...before.metadata,
        labels: { app: 'web', 'a/b': 'c' },
        annotations: { [HELD]: '{"v":1,"moved":"now"}' },
      },
      spec: {
        replicas: 10,
        paused: false,
        minReadySeconds: 9,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '30%', maxUnavailable: 1 } },
      },
    });
  });

  it('brings maps that are not there', () => {
    const bare = { ...before, metadata: { ...before.metadata, labels: undefined! }, spec: { replicas: 10 } };
    const ops = specGuarded(bare, patch)?.slice(3) ?? [];
    assert.ok(ops.some((op) => op.path === '/metadata/labels' && op.op === 'add'));
    assert.ok(ops.some((op) => op.path === '/spec/strategy' && op.op === 'add'));
  });

  it('is none without a record, a generation or a uid', () => {
    for (const missing of [{ annotations: { note: 'x' } }, { generation: undefined! }, { uid: undefined! }])
      assert.equal(specGuarded({ ...before, metadata: { ...before.metadata, ...missing } }, patch), undefined);
  });
});

describe('carrying out such a patch', () => {
  /** The calls, and what became of it, where the API server answers so. */
  async function carriedOut(
    answers: readonly number[],
    guard?: 'Spec',
  ): Promise<{ types: unknown[]; result: unknown }> {
    const calls: ApiCall[] = [];
    const request = async (call: ApiCall): Promise<unknown> => {
      const code = answers[calls.push(call) - 1] ?? 200;
      if (code !== 200) throw new ApiError(code, { code, reason: '', message: 'no' });
      return { ...before, metadata: { ...before.metadata, resourceVersion: '45' } };
    };
    const applier = new Applier({
      api: { request, watch: () => Promise.resolve() },
      clock: { now: () => 0, random: () => 0, after: () => () => {} },
      events: { record: () => {} },
      writes: new MutationCache(),
      logger: silent,
    });
    const effect = { kind: 'Patch', why: 'move', resource: DEPLOYMENTS, before, patch, ...(guard && { guard }) };
    const decision = { effects: [effect], events: [], needsChildren: true } as unknown as Decision;
    const result = await applier
      .carryOut('shop/web', decision, undefined, before as never)
      .catch((error: unknown) => (error as ApiError).code);
    return { types: calls.map(({ contentType }) => contentType?.replace('application/', '')), result };
  }
  const [ops, merge] = ['json-patch+json', 'merge-patch+json'];

  it('is one call', async () => {
    assert.deepEqual(await carriedOut([], 'Spec'), { types: [ops], result: true });
    assert.deepEqual(await carriedOut([]), { types: [merge], result: true }, 'without the guard');
  });

  it('if it is rejected, the patch with the resourceVersion says whether it is stale or refused', async () => {
    assert.deepEqual(await carriedOut([422, 409], 'Spec'), { types: [ops, merge], result: 409 });
    assert.deepEqual(await carriedOut([422, 422], 'Spec'), { types: [ops, merge], result: 422 });
    assert.deepEqual(await carriedOut([422], 'Spec'), { types: [ops, merge], result: true });
    assert.deepEqual(await carriedOut([500], 'Spec'), { types: [ops], result: 500 });
  });
});
