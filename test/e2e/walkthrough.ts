// The basic-usage guide, step by step, each promise checked. The acceptance test and `make demo` both play it.
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import {
  checkSame,
  expectSoon,
  isStepReady,
  PromiseBroken,
  settingsOf,
  waitsAtStep,
  type Observation,
} from './observe.ts';

/** Where it is played: a test is silent, the demo shows everything. */
export interface Stage {
  readonly namespace: string;
  /** Runs kubectl as the user would type it. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  look(): Promise<Observation>;
}

export interface Step {
  readonly title: string;
  /** The promises it shows, by their number. */
  readonly promises: readonly string[];
  play(stage: Stage): Promise<void>;
}

export const REPLICAS = 10;
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
        image: busybox:latest
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

/** The walkthrough; what the Deployment was before the first release is remembered from step to step. */
export function walkthrough(): Step[] {
  let before: unknown;
  let firstId = '';

  return [
    {
      title: 'a Deployment of ten Pods runs version-1',
      promises: [],
      async play(stage) {
        await stage.kubectl(['apply', '-f', '-'], deploymentManifest(stage.namespace));
        const seen = await expectSoon(stage.look, {
          expected: `${REPLICAS} Ready Pods of version-1`,
          reached: (seen) => pods(seen, 'version-1') === REPLICAS && seen.readyPods === REPLICAS,
          withinSeconds: 180,
        });
        before = settingsOf(seen.deployment);
      },
    },
    {
      title: 'a Rollout of the guide, in v1alpha1, is applied: 1 Pod, then 50 %, then 100 %',
      promises: [],
      async play(stage) {
        await stage.kubectl(['apply', '-f', '-'], rolloutManifest(stage.namespace));
        await expectSoon(stage.look, {
          expected: 'the Rollout to be Healthy and nothing to change',
          reached: ({ rollout }) => rollout?.status?.phase === 'Healthy',
          always: never({ moreThan: REPLICAS, of: 'version-1' }),
        });
      },
    },
    {
      title: 'a change of the template releases exactly 1 Pod, and stops',
      promises: ['S1', 'S6'],
      async play(stage) {
        await stage.kubectl(changeVersion(stage.namespace, 'version-2'));
        const seen = await expectSoon(stage.look, { ...batchDone(1, 1, 'version-2'), steadyLooks: 4 });
        checkSame('status.updatedReplicas of the Deployment', seen.deployment.status?.updatedReplicas, 1);
        checkSame('step 3 being ready already', isStepReady(3)(seen), false);
        firstId = checkRolloutId(seen);
      },
    },
    {
      title: 'an approval releases 5',
      promises: ['S2'],
      async play(stage) {
        await stage.kubectl(approve(stage.namespace));
        const seen = await expectSoon(stage.look, { ...batchDone(2, 5, 'version-2'), steadyLooks: 4 });
        checkSame('status.updatedReplicas of the Deployment', seen.deployment.status?.updatedReplicas, 5);
        checkSame('the id of the release', checkRolloutId(seen), firstId);
      },
    },
    {
      title: 'the next approval releases all 10, and the Deployment is as it was written',
      promises: ['S2', 'S5'],
      async play(stage) {
        await stage.kubectl(approve(stage.namespace));
        const seen = await expectSoon(stage.look, released('version-2'));
        checkSame("the Deployment's settings", settingsOf(seen.deployment), before);
        checkSame('step 3 being ready', isStepReady(3)(seen), true);
        checkSame('the id of the release', checkRolloutId(seen), firstId);
        const wait = ['wait', 'rollout/rollouts-demo', '-n', stage.namespace];
        await stage.kubectl([...wait, '--for=condition=Succeeded', '--timeout=10s']);
      },
    },
    {
      title: 'a second release, to version-3, stops at 1 and then at 5',
      promises: ['S1', 'S6'],
      async play(stage) {
        await stage.kubectl(changeVersion(stage.namespace, 'version-3'));
        const seen = await expectSoon(stage.look, batchDone(1, 1, 'version-3'));
        if (checkRolloutId(seen) === firstId)
          throw new PromiseBroken(`expected the second release to have an id of its own, but it has ${firstId} too`);
        await stage.kubectl(approve(stage.namespace));
        await expectSoon(stage.look, batchDone(2, 5, 'version-3'));
      },
    },
    {
      title: 'putting version-2 back in the middle rolls back at once, without batches and without approval',
      promises: ['S7'],
      async play(stage) {
        await stage.kubectl(changeVersion(stage.namespace, 'version-2'));
        const seen = await expectSoon(stage.look, {
          expected: `${REPLICAS} Pods of version-2 without an approval, and the Rollout Healthy`,
          reached: (seen) =>
            pods(seen, 'version-2') === REPLICAS &&
            pods(seen, 'version-3') === 0 &&
            seen.readyPods === REPLICAS &&
            seen.rollout?.status?.phase === 'Healthy' &&
            seen.deployment.metadata.annotations?.[HELD] === undefined,
          always: never({ moreThan: 5, of: 'version-3' }),
        });
        checkSame("the Deployment's settings", settingsOf(seen.deployment), before);
      },
    },
  ];
}
