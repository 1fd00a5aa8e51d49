// The sentences of status.message and events: what happens next, and what it waits for, by name.
import type { Deployment, Rollout } from '../api/types.ts';
import type { Trouble } from './steps/pod-health.ts';
import { inNamespace } from './lib/text.ts';

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

export interface Approach {
  /** The step begins when it is approved. */
  readonly begins: boolean;
  /** The number of steps changed in the release. */
  readonly changed: boolean;
  /** The step that somebody has chosen, where it is not the one that follows. */
  readonly next: number | undefined;
}

export function waitsForApproval(step: string, given: number, required: number, approach?: Approach): string {
  const waits =
    approach?.begins === true
      ? `${step} not begun: waiting for approval (${given} of ${required})`
      : `${step} done: waiting for approval (${given} of ${required})`;
  const why = approach?.changed === true ? ', because the number of steps changed' : '';
  return `${waits}${why}${approach?.next === undefined ? '' : `; then step ${approach.next}`}`;
}

/** Behind a message, for those whom `kubectl rollout undo` has told to resume first; `kept`: its ReplicaSet is still there. */
export const withWayBack = (message: string, { metadata }: Rollout, kept: boolean): string =>
  `${message}${TO_GO_BACK}${kept ? undoCommand(metadata) : 'apply the manifest of the version before, which no ReplicaSet keeps any more'}`;

/** The same without it, where another way is offered. */
export const withoutWayBack = (message: string): string => message.split(TO_GO_BACK, 1)[0]!;

const TO_GO_BACK = '; to go back: ';
const undoCommand = ({ name, namespace }: Rollout['metadata']): string =>
  `kubectl tranche undo ${name}${inNamespace(namespace)}`;

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

export const notMade = (pods: number): string => (pods === 1 ? '1 Pod is not made' : `${pods} Pods are not made`);

export const again = (said: string, before: number): string =>
  before === 1 ? `${said}; so did 1 Pod before it` : `${said}; so did ${before} Pods before it`;

export const noReplicaSet = ({ metadata: { name, namespace } }: Deployment): string =>
  'the ReplicaSet of the new version is not made; why, is shown by: kubectl describe deployment ' +
  `${name}${inNamespace(namespace)}`;

/** A rollback that was not stored as it was written. */
export const changedBack =
  'the release failed, and something else changed the template in the request that put the stable version back';

export const idle = 'waiting for a change of the Deployment’s template';

export const noReplicas =
  'the Deployment has 0 replicas: nothing to release; the release is done when it is scaled up and its Pods are available';

export const natively = (what: string, updated: number, replicas: number): string =>
  `${what} natively: ${updated} of ${replicas} Pods updated`;

export const stableChanged = (name: string): string =>
  `Deployment "${name}" stays held: something else in the cluster changes its template before the release in the request that puts it back; ` +
  'exempt the Deployment from that, or apply the manifest of that version';

export const stableUnknown = (name: string): string =>
  `Deployment "${name}" stays held: its template before the release is not found, so it cannot be put back; apply the manifest of that version`;

/** Without steps when its Rollout will not take it through them. */
export const leftByOpenKruise = ({ metadata, spec }: Rollout): string => {
  const { namespace } = metadata;
  const ends = metadata.deletionTimestamp !== undefined || spec.disabled === true ? ' --finish' : '';
  return (
    `OpenKruise Rollouts left Deployment "${spec.workloadRef.name}" in the middle of a release; nothing moves until it is taken over: ` +
    `kubectl tranche takeover ${spec.workloadRef.name}${inNamespace(namespace)}${ends}`
  );
};
