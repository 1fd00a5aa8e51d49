// The sentences of status.message and events: what happens next, and what it waits for, by name.
import type { Rollout } from '../api/types.ts';
import type { Trouble } from './signals.ts';

const NAMED = 3;

/** `demo-abc-x1 (ImagePullBackOff), demo-abc-x2 (not ready) and 2 more` */
export function namePods(pods: readonly Trouble[]): string {
  const named = pods.slice(0, NAMED).map(({ pod, why }) => `${pod} (${why})`);
  const more = pods.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

export const stepOf = (index: number, steps: number): string => `step ${index}/${steps}`;

export const updating = (step: string, updated: number, target: number, waitsFor: string): string =>
  `${step}: ${updated} of ${target} Pods updated, waiting for ${waitsFor}`;

export const waitsForApproval = (step: string, given: number, required: number): string =>
  `${step} done: waiting for approval (${given} of ${required})`;

export const waitsForJump = (step: string, given: number, required: number, jump: number): string =>
  `${step} done: waiting for approval (${given} of ${required}) of the jump to step ${jump}`;

/** Under a policy that requires approvals, nothing goes out whole before the first. */
export const waitsBeforeAll = (step: string, given: number, required: number): string =>
  `${step} updates all Pods: waiting for approval (${given} of ${required}) before it begins`;

export const notApproved = (step: string, policies: string, given: number, required: number): string =>
  `${step}: StepReady was set without the approvals that policy ${policies} requires (${given} of ${required}): it is set back to StepPaused`;

export const blocked = (step: string, why: string): string => `${step} waits: ${why}`;

export const waitsUntil = (step: string, time: string, seconds: number): string =>
  `${step} done: going on at ${time} (pause of ${seconds} s)`;

export const waitsForTimeAndApproval = (step: string, given: number, required: number, time: string): string =>
  `${step} done: waiting for approval (${given} of ${required}), and until ${time}`;

export const stalled = (step: string, pods: readonly Trouble[]): string =>
  `${step} stalled: ${namePods(pods)}; no further Pod is replaced until they are available`;

export const idle = 'waiting for a change of the Deployment’s template';

export const noReplicas =
  'the Deployment has 0 replicas: nothing to release; the release is done when it is scaled up and its Pods are available';

export const natively = (what: string, updated: number, replicas: number): string =>
  `${what} natively: ${updated} of ${replicas} Pods updated`;

/** Without steps when its Rollout will not take it through them. */
export const leftByOpenKruise = ({ metadata, spec }: Rollout): string => {
  const { namespace } = metadata;
  const ends = metadata.deletionTimestamp !== undefined || spec.disabled === true ? ' --finish' : '';
  return (
    `OpenKruise Rollouts left Deployment "${spec.workloadRef.name}" in the middle of a release; nothing moves until it is taken over: ` +
    `kubectl tranche takeover ${spec.workloadRef.name}${namespace && namespace !== 'default' ? ` -n ${namespace}` : ''}${ends}`
  );
};
