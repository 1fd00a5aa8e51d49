// A DaemonSet by evictions of its Pods: which Pod, when, and what it says otherwise, as tables.
import assert from 'node:assert/strict';
import { GIVE_BACK, HELD } from '../../../../src/api/keys.ts';
import type { DaemonSet } from '../../../../src/api/types.ts';
import type { Evictions } from '../../../../src/engine/workload/eviction.ts';
import { daemonSetKind as kind } from '../../../../src/engine/workload/daemonset/kind.ts';
import { effectsOf, type Goal, type Move } from '../../../../src/engine/workload/kind.ts';
import { kindOf, KINDS } from '../../../../src/engine/workload/registry.ts';
import { NOW, rollout as makeRollout } from '../../build.ts';
import { goal, held, makeSet, podsOf, progressOf } from './build.ts';

const advance = (
  set: DaemonSet,
  pods: string,
  to: Goal,
  more: { readonly evicts?: boolean; readonly evictions?: Evictions } = {},
): Move => {
  const progress = progressOf(set, podsOf(pods), more);
  return kind.advance(progress, progress.held!, to);
};
/** The Pod that is evicted, `Done`, or what it waits for. */
const outcome = (move: Move): string => {
  const [effect] = effectsOf(move);
  if (effect?.kind === 'Evict') return effect.pod.metadata.name;
  return move.kind === 'Wait' ? move.waitsFor : move.kind;
};

describe('a DaemonSet', () => {
  it('is known to the engine', () => {
    assert.ok(KINDS.includes(kind));
    assert.equal(kindOf({ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent' }), kind);
    assert.notEqual(kindOf({ apiVersion: 'apps.kruise.io/v1alpha1', kind: 'DaemonSet', name: 'agent' }), kind);
  });

  const table: readonly (readonly [what: string, pods: string, to: number, rollingUpdate: object, expected: string])[] =
    [
      ['the newest Pod first', 'v1 v1 v1', 1, {}, 'agent-2'],
      ['one that is not Ready before it', 'v1 v1! v1', 1, {}, 'agent-1'],
      ['one that is being evicted before all', 'v1 v1! v1*', 2, {}, 'agent-2'],
      ['one that has not been Ready for minReadySeconds before those that have', 'v1 v1~ v1', 1, {}, 'agent-1'],
      ['nothing without a step', 'v1 v1 v1', 0, {}, 'Done'],
      ['nothing beyond the step', 'v1 v1 v2', 1, {}, 'Done'],
      ['nothing while the one before terminates', 'v1 v1 v1x', 1, {}, 'Pods'],
      ['nothing while the one before is missing', 'v1 v1 -', 1, {}, 'Pods'],
      ['nothing while the new one is not available', 'v1 v1 v2!', 1, {}, 'Pods'],
      [
        'no second one while the first is not available',
        'v1 v1 v2!',
        2,
        {},
        'available Pods: 1 of 3 Pods is not available, and maxUnavailable is 1',
      ],
      ['a second one when the first is available', 'v1 v1 v2', 2, {}, 'agent-1'],
      ['two at a time with maxUnavailable 2', 'v1 v1 v1x', 2, { maxUnavailable: 2 }, 'agent-1'],
      ['a percentage, rounded up', 'v1 v1 v1x', 2, { maxUnavailable: '34%' }, 'agent-1'],
      ['at least one with maxSurge', 'v1 v1 v1', 1, { maxUnavailable: 0, maxSurge: 1 }, 'agent-2'],
      ['one that is not Ready beyond maxUnavailable, because it takes nothing away', 'v1 v1! v2!', 2, {}, 'agent-1'],
      ['no Ready one beyond it', 'v1! v1 v2!', 3, {}, 'agent-0'],
      [
        'no available one while a node has no Pod',
        'v1 v1 v2 -',
        3,
        {},
        'available Pods: 1 of 4 Pods is not available, and maxUnavailable is 1',
      ],
      ['all of the last step', 'v2 v2 v1', 3, {}, 'agent-2'],
      ['done with all Pods', 'v2 v2 v2', 3, {}, 'Done'],
      ['a Pod of an abandoned version like another', 'v1 v9! v1', 1, {}, 'agent-1'],
      ['nothing for Pods that came new by themselves', 'v1 v2 v2', 1, {}, 'Done'],
    ];
  for (const [what, pods, to, rollingUpdate, expected] of table)
    it(`evicts ${what}: ${pods}`, () => {
      const nodes = pods.split(' ').length;
      const set = held(nodes, rollingUpdate);
      const seconds = pods.includes('~') ? { ...set, spec: { ...set.spec, minReadySeconds: 30 } } : set;
      assert.equal(outcome(advance(seconds, pods, goal(to))), expected);
    });

  it('keeps Pods that it had at the start of the step, and needs none of the others', () => {
    assert.equal(outcome(advance(held(4), 'v1 v1 v2 v2', goal(1, { keeps: true }))), 'Done');
    assert.equal(outcome(advance(held(4), 'v1 v1 v2 v2!', goal(1, { keeps: true }))), 'Pods');
  });

  it('tolerates what the Rollout tolerates', () => {
    assert.equal(outcome(advance(held(3), 'v1 v2! v2', goal(2, { tolerated: 1 }))), 'Done');
  });

  it('evicts nobody for a status that has too many nodes', () => {
    assert.equal(outcome(advance(held(100), 'v1 v1 v1', goal(50))), 'Pods');
    assert.match(
      outcome(advance(held(100), 'v1 v1 v1', goal(98))),
      /^available Pods: 97 of 100 Pods are not available/,
    );
  });

  it('with a status that has too few nodes takes no more than the step', () => {
    assert.equal(outcome(advance(held(1), 'v1 v1 v2', goal(1))), 'Done');
    assert.equal(
      outcome(advance(held(2), 'v1 v1 v1x', goal(1))),
      'Pods',
      'one of the three comes back new, or not at all',
    );
    const set = held(1);
    const tainted = { ...set, status: { ...set.status, numberMisscheduled: 1 } };
    assert.equal(outcome(advance(tainted, 'v1 -', goal(1))), 'Pods', 'the Pod of the tainted node is no other');
  });

  it('waits until its controller has seen the last change, and has made the revision', () => {
    const set = held(3);
    const unseen = { ...set, metadata: { ...set.metadata, generation: 6 } };
    assert.equal(outcome(advance(unseen, 'v1 v1 v1', goal(1))), 'the DaemonSet controller to observe the last change');
    const unmade = { ...set, spec: { ...set.spec, template: { metadata: { labels: { app: 'v3' } } } } };
    assert.equal(
      outcome(advance(unmade, 'v1 v1 v1', goal(1))),
      'the DaemonSet controller to create the revision of the new version',
    );
  });

  it('without the right to evict says which value and which command, for as many Pods as may be missing', () => {
    const said = outcome(advance(held(4, { maxUnavailable: 2 }), 'v1 v1 v1 v1', goal(3), { evicts: false }));
    assert.match(
      said,
      /^somebody to delete Pods agent-3, agent-2 since \S+Z: the operator may not evict Pods of DaemonSets; set the value daemonSets\.evictPods of the chart, or run: kubectl delete pod agent-3 agent-2 -n shop$/,
    );
  });

  it('waits after a refusal, longer each time, and says who refuses it', () => {
    const said = 'The disruption budget agent needs 3 healthy pods and has 3 currently';
    const refused = (at: number, times: number, more: object = {}): Evictions => ({
      refused: { uid: podsOf('v1 v1 v1')[2]!.metadata.uid!, pod: 'agent-2', said, at, times, ...more },
    });
    const move = (evictions: Evictions): Move => advance(held(3), 'v1 v1 v1', goal(1), { evictions });
    const again = (one: Move): number | undefined => (one.kind === 'Wait' ? one.againAtMs : undefined);
    const first = move(refused(NOW - 1_000, 1));
    assert.match(outcome(first), new RegExp(`^the eviction of Pod agent-2, refused since \\S+Z: ${said}$`));
    assert.equal(again(first), NOW + 9_000);
    assert.equal(again(move(refused(NOW - 1_000, 2))), NOW + 19_000);
    assert.equal(again(move(refused(NOW - 1_000, 9))), NOW + 59_000);
    assert.equal(outcome(move(refused(NOW - 60_000, 9))), 'agent-2', 'tried again');
    const stale = { stale: podsOf('v1 v1 v1')[2]!.metadata.resourceVersion };
    assert.equal(outcome(move(refused(NOW - 500, 1, stale))), 'Pods', 'the watch shows the newer state soon');
    assert.equal(outcome(move(refused(NOW - 500, 1, { stale: 'older' }))), 'agent-2', 'it has shown it');
  });

  it('reports Pods beyond the step', () => {
    const progress = progressOf(held(4), podsOf('v1 v2 v2 v2'));
    assert.equal(kind.beyond?.(progress, 3), undefined);
    assert.match(kind.beyond?.(progress, 1) ?? '', /^2 Pods beyond the step have the new version/);
  });

  it('is in the way of a release with OnDelete of its user, and not with that of the hold', () => {
    const users = makeSet(3, 'v1', { type: 'OnDelete' });
    assert.equal(kind.obstacle(users)?.reason, 'OnDeleteStrategy');
    assert.match(
      kind.obstacle(users)?.message ?? '',
      /^DaemonSet "agent" has update strategy OnDelete, which updates a Pod only/,
    );
    assert.equal(kind.obstacle(held(3)), undefined);
    const lost = held(3);
    const { [HELD]: _, ...annotations } = lost.metadata.annotations!;
    assert.equal(
      kind.obstacle({ ...lost, metadata: { ...lost.metadata, annotations } }),
      undefined,
      'the record was lost',
    );
  });

  it('is loose with another type, and frozen with that of the hold', () => {
    const set = held(3);
    const loose = { ...set, spec: { ...set.spec, updateStrategy: { type: 'RollingUpdate' } } };
    const progress = progressOf(loose, podsOf('v1 v1 v2'));
    assert.equal(kind.isLoose(progress), true);
    const [effect] = effectsOf(kind.freeze(progress, progress.held!));
    assert.ok(effect?.kind === 'Patch' && 'spec' in effect.patch);
    assert.deepEqual(effect.patch.spec, { updateStrategy: { type: 'OnDelete' } });
  });

  it('can be given back with a patch in an annotation', () => {
    const patch = JSON.parse(held(3).metadata.annotations![GIVE_BACK]!) as { spec: unknown };
    assert.deepEqual(patch.spec, { updateStrategy: { type: 'RollingUpdate' } });
    assert.match(kind.words.resume(held(3)), /^kubectl patch daemonset agent -n shop --type=merge -p '\{"spec"/);
  });

  it('is settled when all Pods are new, also without nodes', () => {
    const settled = (nodes: number, pods: string): boolean =>
      kind.isSettled(progressOf(makeSet(nodes, 'v2'), pods === '' ? [] : podsOf(pods)), 0);
    assert.deepEqual(
      [settled(2, 'v2 v2'), settled(2, 'v2 v2 v2'), settled(2, 'v2 v1'), settled(2, 'v2 -'), settled(0, '')],
      [true, true, false, false, true],
    );
  });

  it('counts in the fields of its own status', () => {
    const set = makeSet(3, 'v1');
    const status = { ...set.status, currentNumberScheduled: 3, updatedNumberScheduled: 2, numberReady: 1 };
    assert.deepEqual(kind.counted?.({ ...set, status }), {
      replicas: 3,
      updatedReplicas: 2,
      readyReplicas: 1,
      availableReplicas: 0,
    });
  });

  it('warns that maxSurge has no effect', () => {
    const advice = (rollingUpdate: object): string =>
      kind.advise(makeRollout(), makeSet(3, 'v1', { type: 'RollingUpdate', rollingUpdate })).join('\n');
    assert.match(advice({ maxSurge: '10%' }), /maxSurge of DaemonSet agent has no effect during a release/);
    assert.doesNotMatch(advice({ maxSurge: 0 }) + advice({ maxSurge: '0%' }) + advice({}), /maxSurge/);
  });
});
