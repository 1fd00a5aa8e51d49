// The order in which Pods are drawn: as they are created and replaced.
import assert from 'node:assert/strict';
import type { Pod } from '../../../src/api/types.ts';
import { podsOfRelease } from '../../../src/view/dashboard/pods.ts';
import { ago, deployment, facts, NOW, pod, progressing, replicaSet, rollout } from '../support.ts';

const born = (seconds: number, version: string, name: string, more: Parameters<typeof pod>[2] = {}): Pod => {
  const made = pod(version, name, more);
  return { ...made, metadata: { ...made.metadata, creationTimestamp: ago(seconds) } };
};

describe('Pods of a release', () => {
  it('are drawn from the oldest to the newest if they are new, and as they are replaced if they are old', () => {
    const pods = [
      born(500, 'v1', 'stable-old'),
      born(400, 'v1', 'stable-new'),
      born(450, 'v1', 'stable-bad', { waits: 'CrashLoopBackOff' }),
      born(60, 'v3', 'new-second'),
      born(90, 'v3', 'new-first'),
      born(300, 'v2', 'abandoned'),
      born(30, 'v1', 'leaving', { deleted: true }),
    ];
    const sets = [replicaSet('v3', 3, 3), replicaSet('v1', 3, 1), replicaSet('v2', 1, 2)];
    const of = rollout(progressing({ currentStepState: 'StepUpgrade', stableRevision: 'v1' }));
    const { fresh, old, gone, missing, available } = podsOfRelease(facts(of, deployment('v3'), sets, pods), NOW);
    const names = (dots: typeof fresh): (string | undefined)[] => dots.map(({ name }) => name);
    assert.deepEqual(names(fresh), ['new-first', 'new-second']);
    assert.deepEqual(names(old), ['abandoned', 'stable-bad', 'stable-new', 'stable-old']);
    assert.deepEqual(names(gone), ['leaving']);
    assert.equal(missing, 1, 'wanted, and not created');
    assert.deepEqual(
      [...available].map(([version, count]) => [version.revision, count]),
      [
        ['v3', 2],
        ['v1', 2],
        ['v2', 1],
      ],
    );
  });

  const STATES: readonly (readonly [string, Pod, string, string?])[] = [
    ['is available', pod('v1', 'a'), 'available'],
    ['waits for its containers', pod('v1', 'a', { waits: 'ContainerCreating' }), 'starting', 'ContainerCreating'],
    ['crashes', pod('v1', 'a', { waits: 'CrashLoopBackOff' }), 'failing', 'CrashLoopBackOff'],
    ['is being deleted', pod('v1', 'a', { deleted: true }), 'leaving'],
    ['was evicted', { ...pod('v1', 'a'), status: { phase: 'Failed', reason: 'Evicted' } }, 'failing', 'Evicted'],
    [
      'cannot be scheduled',
      {
        ...pod('v1', 'a'),
        status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] },
      },
      'failing',
      'Unschedulable',
    ],
  ];
  for (const [what, one, state, why] of STATES)
    it(`have the state and Kubernetes' word for a Pod that ${what}`, () => {
      const found = facts(
        rollout({ phase: 'Healthy' }),
        deployment('v1', { labels: {} }),
        [replicaSet('v1', 1)],
        [one],
      );
      const { fresh, gone } = podsOfRelease(found, NOW);
      const [dot] = [...fresh, ...gone];
      assert.deepEqual([dot!.state, dot!.why], [state, why]);
    });
});
