// Releases of a Deployment in the middle of something: the parts of which the states below are made.
import { HELD } from '../../../src/api/keys.ts';
import type { HistoryEntry, Pod, Rollout } from '../../../src/api/types.ts';
import { digest } from '../../../src/kube/digest.ts';
import type { Surroundings } from '../../../src/view/dashboard/detail.ts';
import type { Facts } from '../../../src/view/facts.ts';
import { ago, deployment, facts, pod, progressing, replicaSet, rollout } from '../support.ts';

/** What is read of a release, and around it. */
export type State = readonly [Facts, Partial<Surroundings>?];

export const entry = (more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  rolloutID: 'r1',
  revision: '',
  author: 'carla',
  startTime: ago(300),
  ...more,
});
export const ENDED: readonly HistoryEntry[] = [
  entry({ rolloutID: 'r0', revision: 'v1', startTime: ago(90_000), endTime: ago(89_400), outcome: 'Completed' }),
  entry({ rolloutID: 'q9', revision: 'v0', startTime: ago(190_000), endTime: ago(189_900), outcome: 'RolledBack' }),
];
export const HISTORY = [entry(), ...ENDED];

/** The record of the hold, whose stable version is v1. */
export const held = (paused = false): object => ({
  annotations: {
    [HELD]: JSON.stringify({
      v: 1,
      rollout: 'web',
      stable: digest(deployment('v1').spec.template),
      user: { paused, maxSurge: 2, maxUnavailable: 1, minReadySeconds: 10, progressDeadlineSeconds: null },
    }),
    'tranche.dev/changed-by': 'carla',
  },
  resourceVersion: '7',
  generation: 2,
});

/** Ready for so many seconds. */
export const readyFor = (seconds: number, version: string, name: string): Pod => {
  const base = pod(version, name);
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: ago(seconds) }];
  return { ...base, status: { ...base.status, conditions } };
};

export const OLD = ['a', 'b', 'c'].map((name) => pod('v1', `web-v1-${name}`));
export const SETS = (fresh: number, old: number) => [replicaSet('v2', fresh, 2), replicaSet('v1', old, 1)];

export const inRelease = (of: Rollout, pods: readonly Pod[], [fresh, old]: readonly [number, number] = [1, 3]): Facts =>
  facts(of, deployment('v2', held()), SETS(fresh, old), pods);
export const step = (canary: object, message: string, more: object = {}, spec: object = {}): Rollout =>
  rollout(
    progressing(
      {
        nextStepIndex: 2,
        stableRevision: 'v1',
        canaryRevision: 'v2',
        stableDigest: digest(deployment('v1').spec.template),
        ...canary,
      },
      { message, history: HISTORY, ...more },
    ),
    spec,
    { uid: 'u', resourceVersion: '5' },
  );
export const condition = (type: string, reason: string, message = ''): object => ({
  conditions: [{ type, status: 'True', reason, message, lastTransitionTime: ago(50) }],
});

export const idle = (
  history: readonly HistoryEntry[],
  more: object = {},
  spec: object = {},
  metadata: object = {},
): Rollout =>
  rollout({ phase: 'Healthy', message: 'waiting for a change of the Pod template', history, ...more }, spec, {
    uid: 'u',
    resourceVersion: '5',
    ...metadata,
  });
export const FOUR = [...OLD, pod('v1', 'web-v1-d')];
export const atRest = (of: Rollout, metadata: object = { labels: {} }): Facts =>
  facts(of, deployment('v1', metadata), [replicaSet('v1', 4, 1), replicaSet('v0', 0, 0)], FOUR);

export const WAITS = 'step 1/3 done: waiting for approval (0 of 1); to roll back: kubectl tranche undo web -n shop';
