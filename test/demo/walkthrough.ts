// The basic-usage guide, step by step, each promise checked. The acceptance test and `make demo` both play it.
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import {
  checkSame,
  hasDeployment,
  isStepReady,
  PromiseBroken,
  settingsOf,
  waitsAtStep,
  type Glance,
  type Observation,
} from '../e2e/observe.ts';
import type { Sight } from './others.ts';

export interface Step {
  readonly title: string;
  /** The section of the documentation that describes what it shows. */
  readonly guide: string;
  /** `stable`: the version that runs when no release is in progress. */
  readonly moves: (stable: string) => readonly Move[];
  /** What else is promised at its end. */
  readonly check?: (seen: Observation, memory: Memory) => void;
}

/** A command, and what follows from it. */
export interface Move {
  readonly command: readonly string[];
  readonly input?: string;
  /** What it changes. */
  readonly expects: Partial<Sight>;
  /** Is it time for the command? It runs once for each answer. */
  readonly due: (sight: Sight, seen: Glance) => string | undefined;
  /** What is waited for, as the end of a sentence: "1 Pod of version-2, and step 1 waiting for approval". */
  readonly expected: string;
  readonly reached: (seen: Observation) => boolean;
  /** Must hold at every look, before and after; returns what is wrong. */
  readonly always?: (seen: Observation) => string | undefined;
  /** Looks that must still agree after it was reached: it stops there. */
  readonly steadyLooks?: number;
  readonly withinSeconds?: number;
  /** Where somebody played along: is this far enough? */
  readonly passed: (sight: Sight, seen: Glance) => boolean;
  /** Where somebody played along: why there is nothing to do any more. */
  readonly moot?: (sight: Sight) => string | undefined;
}

/** Data that one step leaves for later steps. */
export interface Memory {
  settings?: unknown;
  releaseId?: string;
}

export const REPLICAS = 10;
export const IMAGE = 'busybox:latest';
/** maxUnavailable of a Deployment that says nothing: 25 %, rounded down. */
const MOST_UNAVAILABLE = 2;

export const deploymentManifest = (namespace: string): string => `\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: workload-demo
  namespace: ${namespace}
spec:
  replicas: ${REPLICAS}
  selector:
    matchLabels:
      app: demo
  template:
    metadata:
      labels:
        app: demo
    spec:
      containers:
      - name: busybox
        image: ${IMAGE}
        command: ["/bin/sh", "-c", "sleep 100d"]
        env:
        - name: VERSION
          value: "version-1"
`;

export const rolloutManifest = (namespace: string): string => `\
apiVersion: rollouts.kruise.io/v1alpha1
kind: Rollout
metadata:
  name: rollouts-demo
  namespace: ${namespace}
  annotations:
    rollouts.kruise.io/rolling-style: partition
spec:
  objectRef:
    workloadRef:
      apiVersion: apps/v1
      kind: Deployment
      name: workload-demo
  strategy:
    canary:
      steps:
      - replicas: 1
      - replicas: 50%
      - replicas: 100%
`;

/** `kubectl patch` of an environment variable, as in the guide. */
export const changeVersion = (namespace: string, version: string): string[] => {
  const container = { name: 'busybox', env: [{ name: 'VERSION', value: version }] };
  const patch = { spec: { template: { spec: { containers: [container] } } } };
  return ['patch', 'deployment', 'workload-demo', '-n', namespace, '-p', JSON.stringify(patch)];
};

/** What kubectl-kruise sends for `rollout approve`. */
export const approve = (namespace: string, resource = 'rollout'): string[] => {
  const patch = { status: { canaryStatus: { currentStepState: 'StepReady' } } };
  const target = ['patch', resource, 'rollouts-demo', '-n', namespace];
  return [...target, '--subresource=status', '--type=merge', '-p', JSON.stringify(patch)];
};

/** Never more than `most` Pods of a version, and never too few Pods that serve. */
export const never =
  ({ moreThan, of }: { moreThan: number; of: string }) =>
  ({ pods, readyPods }: Observation): string | undefined => {
    const count = pods[of] ?? 0;
    if (count > moreThan) return `there are ${count} Pods of ${of}, ${moreThan} at most were asked for`;
    if (readyPods < REPLICAS - MOST_UNAVAILABLE)
      return `only ${readyPods} Pods are Ready, fewer than maxUnavailable allows`;
    return undefined;
  };

const pods = ({ pods }: Observation, version: string): number => pods[version] ?? 0;

/** A batch that has stopped: so many Pods of the version, the rest of the old one, and step N waits for approval. */
export const batchDone = (step: number, count: number, version: string) => ({
  expected: `${count} Pod${count === 1 ? '' : 's'} of ${version}, and step ${step} waiting for approval`,
  reached: (seen: Observation) =>
    waitsAtStep(step)(seen) && pods(seen, version) === count && seen.readyPods === REPLICAS,
  always: never({ moreThan: count, of: version }),
});

/** Released to the end, and nothing of ours left in the Deployment's settings. */
export const released = (version: string) => ({
  expected: `${REPLICAS} Pods of ${version}, and the Rollout Healthy and Completed`,
  reached: (seen: Observation) =>
    pods(seen, version) === REPLICAS &&
    seen.readyPods === REPLICAS &&
    seen.rollout?.status?.phase === 'Healthy' &&
    seen.rollout.status.canaryStatus?.currentStepState === 'Completed' &&
    seen.deployment.metadata.annotations?.[HELD] === undefined,
  always: never({ moreThan: REPLICAS, of: version }),
});

/** The release's id on the Deployment is the one the Rollout's status is about. */
export function checkRolloutId({ deployment, rollout }: Observation): string {
  const id = deployment.metadata.labels?.[ROLLOUT_ID];
  if (!id) throw new PromiseBroken(`expected the Deployment to have a label ${ROLLOUT_ID}, but it has none`);
  checkSame('status.canaryStatus.observedRolloutID', rollout?.status?.canaryStatus?.observedRolloutID, id);
  return id;
}

const isDone = (seen: Glance): boolean =>
  seen.rollout?.status?.phase === 'Healthy' && seen.deployment?.metadata.annotations?.[HELD] === undefined;
const waitsAtOrAfter = (step: number, seen: Glance): boolean =>
  [1, 2, 3].some((each) => each >= step && waitsAtStep(each)(seen));

export const applyDeployment = (namespace: string): Move => ({
  command: ['apply', '-f', '-'],
  input: deploymentManifest(namespace),
  expects: { version: 'version-1', replicas: REPLICAS, step: 0 },
  due: ({ version }) => (version === undefined ? 'there is none' : undefined),
  expected: `${REPLICAS} Ready Pods of version-1`,
  reached: (seen) => pods(seen, 'version-1') === REPLICAS && seen.readyPods === REPLICAS,
  withinSeconds: 180,
  passed: ({ replicas }, seen) => hasDeployment(seen) && seen.readyPods >= replicas,
});

export const applyRollout = (namespace: string): Move => ({
  command: ['apply', '-f', '-'],
  input: rolloutManifest(namespace),
  expects: { hasRollout: true, isPaused: false, isDisabled: false },
  due: ({ hasRollout }) => (hasRollout ? undefined : 'there is none'),
  expected: 'the Rollout to be Healthy and nothing to change',
  reached: ({ rollout }) => rollout?.status?.phase === 'Healthy',
  always: never({ moreThan: REPLICAS, of: 'version-1' }),
  passed: (_, seen) => seen.rollout?.status !== undefined,
});

/** A new version: one Pod of it, and then it waits. */
const release = (namespace: string, version: string): Move => ({
  command: changeVersion(namespace, version),
  expects: { version, inFlight: true, step: 1 },
  due: (sight) => (sight.version === version ? undefined : 'another version'),
  ...batchDone(1, 1, version),
  steadyLooks: 10,
  // Another version: somebody has aborted it, or released something else.
  passed: (sight, seen) => sight.version !== version || waitsAtOrAfter(1, seen) || isDone(seen),
});

/** An approval of one step, and the next step. */
const approveUpTo = (namespace: string, step: number, version: string): Move => ({
  command: approve(namespace),
  expects: { step },
  // A step that somebody went back to is approved again.
  due: (sight, seen) =>
    sight.step > 0 && sight.step < step && waitsAtStep(sight.step)(seen) ? `step ${sight.step}` : undefined,
  ...(step < 3 ? { ...batchDone(step, 5, version), steadyLooks: 10 } : released(version)),
  passed: (sight, seen) => sight.version === version && (waitsAtOrAfter(step, seen) || isDone(seen)),
  moot: movedOn(version),
});

/** The stable version again, in the middle of a release. */
const putBack = (namespace: string, version: string, instead: string): Move => ({
  command: changeVersion(namespace, version),
  expects: { version, inFlight: false, step: 0 },
  due: (sight) => (sight.version === version ? undefined : 'the other version'),
  expected: `${REPLICAS} Pods of ${version} without an approval, and the Rollout Healthy`,
  reached: (seen) => released(version).reached(seen) && pods(seen, instead) === 0,
  always: never({ moreThan: 5, of: instead }),
  passed: (sight, seen) => sight.version === version && isDone(seen),
  moot: (sight) =>
    sight.version !== version && !sight.inFlight
      ? `no release is in progress, so there is none to roll back: ${sight.version} runs`
      : undefined,
});

const movedOn =
  (version: string) =>
  (sight: Sight): string | undefined =>
    sight.version === version ? undefined : `the release of ${version} is over: the Deployment has ${sight.version}`;

/** kubectl's own wait: it ends at once. */
const waitForSuccess = (namespace: string): Move => ({
  command: ['wait', 'rollout/rollouts-demo', '-n', namespace, '--for=condition=Succeeded', '--timeout=10s'],
  expects: {},
  due: () => 'once',
  expected: 'the condition Succeeded',
  reached: () => true,
  passed: () => true,
});

export const walkthrough = (namespace: string): Step[] => [
  {
    title: 'a Deployment of ten Pods runs version-1',
    guide: 'docs/concepts.md#objects',
    moves: () => [applyDeployment(namespace)],
    check: (seen, memory) => void (memory.settings = settingsOf(seen.deployment)),
  },
  {
    title: 'a Rollout in v1alpha1 is applied: 1 Pod, then 50 %, then 100 %',
    guide: 'docs/fields.md#v1alpha1',
    moves: () => [applyRollout(namespace)],
  },
  {
    title: 'a change of the Pod template releases exactly 1 Pod, and stops',
    guide: 'docs/concepts.md#releases-and-steps',
    moves: () => [release(namespace, 'version-2')],
    check(seen, memory) {
      checkSame('status.updatedReplicas of the Deployment', seen.deployment.status?.updatedReplicas, 1);
      checkSame('step 3 being ready already', isStepReady(3)(seen), false);
      memory.releaseId = checkRolloutId(seen);
    },
  },
  {
    title: 'an approval releases 5',
    guide: 'docs/concepts.md#waiting-after-a-step',
    moves: () => [approveUpTo(namespace, 2, 'version-2')],
    check(seen, memory) {
      checkSame('status.updatedReplicas of the Deployment', seen.deployment.status?.updatedReplicas, 5);
      checkSame('the id of the release', checkRolloutId(seen), memory.releaseId);
    },
  },
  {
    title: 'the next approval releases all 10, and the Deployment is as it was written',
    guide: 'docs/concepts.md#waiting-after-a-step',
    moves: () => [approveUpTo(namespace, 3, 'version-2'), waitForSuccess(namespace)],
    check(seen, memory) {
      checkSame("the Deployment's settings", settingsOf(seen.deployment), memory.settings);
      checkSame('step 3 being ready', isStepReady(3)(seen), true);
      checkSame('the id of the release', checkRolloutId(seen), memory.releaseId);
    },
  },
  {
    title: 'a second release, to version-3, stops at 1 and then at 5',
    guide: 'docs/concepts.md#releases-and-steps',
    moves: () => [release(namespace, 'version-3'), approveUpTo(namespace, 2, 'version-3')],
    check(seen, memory) {
      const id = checkRolloutId(seen);
      if (id === memory.releaseId)
        throw new PromiseBroken(`expected the second release to have an id of its own, but it has ${id} too`);
    },
  },
  {
    title: 'putting version-2 back in the middle rolls back immediately, without batches and without approval',
    guide: 'docs/concepts.md#failures-and-rollbacks',
    moves: (stable) => [putBack(namespace, stable.replace(/,.*/, ''), 'version-3')],
    check: (seen, memory) => checkSame("the Deployment's settings", settingsOf(seen.deployment), memory.settings),
  },
];
