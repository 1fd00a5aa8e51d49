// The small parts of the operator: differences as patches, selectors as text, and what we have written ourselves.
import assert from 'node:assert/strict';
import { KRUISE_IN_PLACE } from '../../src/api/keys.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { MutationCache } from '../../src/operator/mutation-cache.ts';
import { transformWorkload, transformPod, transformReplicaSet } from '../../src/operator/transform.ts';
import { mergeDiff } from '../../src/operator/status-patch.ts';

describe('the difference between two statuses', () => {
  const cases: [string, unknown, unknown, unknown][] = [
    ['nothing', { a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }, undefined],
    ['a changed field alone', { a: 1, b: { c: 2, d: 3 } }, { a: 1, b: { c: 9, d: 3 } }, { b: { c: 9 } }],
    ['what is gone as null', { a: 1, b: 2 }, { a: 1 }, { b: null }],
    ['a list whole', { l: [{ x: 1 }, { x: 2 }] }, { l: [{ x: 1 }, { x: 3 }] }, { l: [{ x: 1 }, { x: 3 }] }],
    ['everything of a first status', undefined, { a: { b: 1 } }, { a: { b: 1 } }],
    ['nothing for undefined beside absent', { a: 1 }, { a: 1, b: undefined }, undefined],
  ];
  for (const [name, before, after, patch] of cases)
    it(`is ${name}`, () => assert.deepEqual(mergeDiff(before, after), patch));
});

describe('what we have just written', () => {
  const at = (resourceVersion: string, uid = 'u'): KubeObject => ({ metadata: { name: 'x', uid, resourceVersion } });
  it('is newer than the cache as long as the cache shows what was before it', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    writes.remember('k', at('5'), at('7'));
    const seen = (resourceVersion: string): string | undefined =>
      writes.seen('k', at(resourceVersion)).metadata.resourceVersion;
    assert.deepEqual(['1', '5', '8'].map(seen), ['7', '7', '8']);
    assert.equal(seen('1'), '1', 'once there is a newer one, the cache leads again');
  });
  it('is forgotten when the cache has it', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    assert.equal(writes.seen('k', at('5')).metadata.resourceVersion, '5');
    assert.equal(writes.newest('k', at('1')).metadata.resourceVersion, '1');
  });
  it('is nothing new when the watch tells of it, nor of what was before it', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    writes.remember('k', at('5'), at('7'), false);
    const isKnown = (resourceVersion: string, uid = 'u'): boolean => writes.confirms('k', at(resourceVersion, uid));
    assert.deepEqual([isKnown('5'), isKnown('6'), isKnown('7', 'other'), isKnown('8')], [true, false, false, false]);
    assert.equal(writes.newest('k', at('1')).metadata.resourceVersion, '7', 'the cache may still be late');
    assert.deepEqual([isKnown('7'), isKnown('7'), isKnown('5')], [true, false, false], 'and then it is forgotten');
    assert.equal(writes.size, 0);
  });
  it('is not what others wrote and was only read: no decision on it follows anyway', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    writes.read('k', at('5'), at('7'), true);
    const isKnown = (resourceVersion: string): boolean => writes.confirms('k', at(resourceVersion));
    assert.deepEqual([isKnown('5'), isKnown('7')], [true, false]);
    assert.equal(writes.newest('k', at('1')).metadata.resourceVersion, '7', 'the cache may still be late');
    writes.remember('k', at('7'), at('8'));
    assert.deepEqual([isKnown('7'), isKnown('8')], [true, true], 'a write followed');
  });
  it('is kept after a release if a watch will tell of it, and only then', () => {
    const writes = new MutationCache();
    const seen = (uid: string): string | undefined => writes.seen('k', at('1', uid)).metadata.resourceVersion;
    for (const uid of ['rollout', 'pod']) writes.remember('k', at('1', uid), at('5', uid));
    writes.keepOnly('k', [at('1', 'rollout')]);
    assert.deepEqual(['rollout', 'pod'].map(seen), ['5', '1']);
    writes.keepOnly('k', []);
    assert.equal(seen('rollout'), '1', 'it is gone');
  });
  it('stays newer than the cache when a decision on it is carried out', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    assert.equal(writes.newest('k', at('5')).metadata.resourceVersion, '5');
    writes.remember('k', at('5'), at('7'));
    assert.equal(writes.newest('k', at('1')).metadata.resourceVersion, '7', 'the watch is late');
  });
  it('without a resourceVersion, is newer than what came before it from somebody else', () => {
    const writes = new MutationCache();
    writes.remember('k', at('97'), at('101'), false);
    assert.equal(writes.newest('k', at('99')).metadata.resourceVersion, '101');
    writes.remember('k', at('101'), at('105'));
    assert.equal(writes.newest('k', at('99')).metadata.resourceVersion, '105', 'also if the next write had one');
    assert.equal(writes.newest('k', at('106')).metadata.resourceVersion, '106');
    writes.remember('k', at('97', 'd'), at('101', 'd'));
    assert.equal(writes.newest('k', at('99', 'd')).metadata.resourceVersion, '99', 'with one, nothing is assumed');
  });
  it('is forgotten when a list that is newer does not show it: the cluster was restored from a backup', () => {
    const rollout = (resourceVersion: string, uid = 'u'): KubeObject => ({
      ...at(resourceVersion, uid),
      kind: 'Rollout',
    });
    const listing = (version: string, back = false, namespace?: string) => ({
      version,
      back,
      ...(namespace !== undefined && { namespace }),
    });
    const writes = new MutationCache();
    const shown = (key: string): string | undefined => writes.newest(key, rollout('5')).metadata.resourceVersion;
    const write = (): void => ['n/k', 'm/k'].forEach((key) => writes.remember(key, rollout('5'), rollout('70')));
    write();
    assert.deepEqual(writes.listed('Rollout', listing('69')), [], 'a list from before the write');
    assert.equal(shown('n/k'), '70');
    assert.deepEqual(writes.listed('Deployment', listing('400')), [], 'of another kind');
    assert.deepEqual(writes.listed('Rollout', listing('400', false, 'm')), ['m/k'], 'of another namespace');
    assert.deepEqual([shown('n/k'), shown('m/k')], ['70', '5']);
    assert.deepEqual(writes.listed('Rollout', listing('400')), ['n/k'], 'restored with versions that do not go back');
    assert.equal(shown('n/k'), '5');
    write();
    assert.deepEqual(writes.listed('Rollout', listing('6', true)), ['n/k', 'm/k'], 'versions went back');
    assert.equal(shown('n/k'), '5');
    write();
    assert.deepEqual(writes.listed('Rollout', listing('6', true), 'm/k'), ['m/k'], 'what belongs to one key');
    assert.deepEqual([shown('n/k'), shown('m/k')], ['70', '5']);
  });
  it('gives way to what came after it', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    assert.equal(writes.newest('k', at('9')).metadata.resourceVersion, '9');
  });
  it('is about this object, not another of the same name', () => {
    const writes = new MutationCache();
    writes.remember('k', at('1'), at('5'));
    assert.equal(writes.newest('k', at('1', 'other')).metadata.resourceVersion, '1');
  });
});

describe('what is kept of the conditions', () => {
  const condition = (type: string, reason: string, message = 'm') => ({ type, status: 'True', reason, message });
  const all = [
    condition('Available', 'MinimumReplicasAvailable'),
    condition('Progressing', 'ReplicaSetUpdated'),
    condition('Progressing', 'ReplicaSetCreateError', 'x'.repeat(9_000)),
    condition('ReplicaFailure', 'FailedCreate', 'y'.repeat(9_000)),
  ];
  const kept = ({ status }: { status?: { conditions?: readonly { reason?: string; message?: string }[] } }) =>
    status?.conditions?.map(({ reason, message }) => [reason, message?.length]);
  const object = { metadata: { name: 'demo' }, spec: { selector: {}, template: {} }, status: { replicas: 3 } };

  it('of a Deployment and a ReplicaSet is why something cannot be made, and not more than is shown', () => {
    const failing = { ...object, status: { ...object.status, conditions: all } };
    const wanted = [
      ['ReplicaSetCreateError', 1_000],
      ['FailedCreate', 1_000],
    ];
    assert.deepEqual(kept(transformWorkload(failing)), wanted);
    assert.deepEqual(kept(transformReplicaSet(failing)), wanted);
  });

  it('is nothing where all is well', () => {
    const well = { ...object, status: { ...object.status, conditions: all.slice(0, 2) } };
    assert.deepEqual(
      [transformWorkload(well).status, transformReplicaSet(well).status],
      [{ replicas: 3 }, { replicas: 3 }],
    );
    const { status: _, ...young } = object;
    assert.doesNotThrow(() => [transformWorkload(young), transformReplicaSet(young)]);
  });

  it('of a Pod the message only where it failed', () => {
    const status = { reason: 'OutOfcpu', message: 'z'.repeat(9_000) };
    const of = (phase: string) =>
      transformPod({ metadata: { name: 'p' }, status: { phase, ...status } }).status?.message;
    assert.deepEqual([of('Failed')?.length, of('Running')], [1_000, undefined]);
  });

  it('of the annotations of a Pod, when it was updated in place', () => {
    const of = (value: string) =>
      transformPod({ metadata: { name: 'p', annotations: { other: 'x', [KRUISE_IN_PLACE]: value } } }).metadata
        .annotations;
    const time = '"updateTimestamp":"2026-01-01T00:00:00Z"';
    assert.deepEqual(of(`{"revision":"r",${time},"lastContainerStatuses":{}}`), { [KRUISE_IN_PLACE]: `{${time}}` });
    assert.equal(of('{"updateTimestamp":7}'), undefined);
  });

  it('of a Pod are those that the engine reads, and of its containers those with trouble', () => {
    const status = {
      conditions: [condition('Ready', 'r'), condition('Initialized', 'i'), condition('PodScheduled', 's')],
      containerStatuses: [
        { name: 'well', ready: true, restartCount: 0, image: 'a:v1', state: { running: { startedAt: 'then' } } },
        { name: 'waits', restartCount: 0, state: { waiting: { reason: 'ImagePullBackOff', message: 'm' } } },
        {
          name: 'again',
          restartCount: 3,
          state: {},
          lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
        },
      ],
    };
    const { conditions, containerStatuses } = transformPod({ metadata: { name: 'p' }, status }).status!;
    assert.deepEqual(conditions, [
      { type: 'Ready', status: 'True', reason: 'r' },
      { type: 'PodScheduled', status: 'True', reason: 's' },
    ]);
    assert.deepEqual(containerStatuses, [
      { name: 'waits', restartCount: 0, state: { waiting: { reason: 'ImagePullBackOff' } } },
      { name: 'again', restartCount: 3, state: {}, lastState: { terminated: { reason: 'OOMKilled' } } },
    ]);
  });
});
