// The sentences of status.message and events: what happens next, and what it waits for, by name.
import type { Deployment, Rollout } from '../api/types.ts';
import type { Trouble } from './signals.ts';

const NAMED = 3;
const LONGEST_QUOTE = 300;

/** What others say, fit for one line and a terminal, and not too long. */
export function cleaned(text: string, longest = LONGEST_QUOTE): string {
  // No more of it than is needed is looked at.
  const line = [...text.slice(0, 4 * longest).replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')];
  return (line.length > longest ? `${line.slice(0, longest - 1).join('')}…` : line.join('')).trim();
}

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

export const blocked = (step: string, why: string): string => `${step} waits: ${why}`;

export const waitsUntil = (step: string, time: string, seconds: number): string =>
  `${step} done: going on at ${time} (pause of ${seconds} s)`;

export const stalled = (step: string, pods: readonly Trouble[]): string =>
  `${step} stalled: ${namePods(pods)}; no further Pod is replaced until they are available`;

export const notMade = (pods: number): string => (pods === 1 ? '1 Pod is not made' : `${pods} Pods are not made`);

export const again = (said: string, before: number): string =>
  before === 1 ? `${said}; so did 1 Pod before it` : `${said}; so did ${before} Pods before it`;

export const noReplicaSet = ({ metadata: { name, namespace } }: Deployment): string =>
  'the ReplicaSet of the new version is not made; why, is shown by: kubectl describe deployment ' +
  `${name}${namespace && namespace !== 'default' ? ` -n ${namespace}` : ''}`;

/** A rollback that was not stored as it was written. */
export const changedBack =
  'the release failed, and something else changed the template in the request that put the stable version back';

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
