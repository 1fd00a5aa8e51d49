// Messages of status.message and events: what happens next, and what the release waits for.
import type { Deployment, Rollout } from '../api/types.ts';
import type { Trouble } from './steps/pod-health.ts';
import { inNamespace, pods } from './lib/text.ts';

const NAMED = 3;
const LONGEST_QUOTE = 300;

/** A message of another program on one line, without control characters, cut to `longest` characters. */
export function cleaned(text: string, longest = LONGEST_QUOTE): string {
  // A long text is cut before it is cleaned.
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
  `${step}: ${updated} of ${pods(target)} updated, waiting for ${waitsFor}`;

export interface Approach {
  /** The step starts when it is approved. */
  readonly starts: boolean;
  /** The number of steps changed during the release. */
  readonly changed: boolean;
  /** The next step, if somebody has chosen another one than the usual one. */
  readonly next: number | undefined;
}

export function waitsForApproval(step: string, given: number, required: number, approach?: Approach): string {
  const waits =
    approach?.starts === true
      ? `${step} not started: waiting for approval (${given} of ${required})`
      : `${step} done: waiting for approval (${given} of ${required})`;
  const why = approach?.changed === true ? ', because the number of steps changed' : '';
  return `${waits}${why}${approach?.next === undefined ? '' : `; continues with step ${approach.next}`}`;
}

/**
 * Appends how to roll back, because `kubectl rollout undo` refuses a paused Deployment. `kept`: a ReplicaSet still has the stable version.
 */
export const withWayBack = (message: string, { metadata }: Rollout, kept: boolean): string =>
  `${message}${TO_GO_BACK}${kept ? undoCommand(metadata) : 'apply the manifest of the stable version (no ReplicaSet has it)'}`;

/** The message without how to roll back. */
export const withoutWayBack = (message: string): string => message.split(TO_GO_BACK, 1)[0]!;

const TO_GO_BACK = '; to roll back: ';
const undoCommand = ({ name, namespace }: Rollout['metadata']): string =>
  `kubectl tranche undo ${name}${inNamespace(namespace)}`;

export const waitsForJump = (step: string, given: number, required: number, jump: number): string =>
  `${step} done: waiting for approval (${given} of ${required}) to jump to step ${jump}`;

/** Under a policy that requires approvals, a step that updates all Pods waits for approval before it starts. */
export const waitsBeforeAll = (step: string, given: number, required: number): string =>
  `${step} updates all Pods: waiting for approval (${given} of ${required}) before it starts`;

export const notApproved = (step: string, policies: string, given: number, required: number): string =>
  `${step}: StepReady was reset to StepPaused: policy ${policies} requires more approvals (${given} of ${required})`;

export const blocked = (step: string, why: string): string => `${step} waits: ${why}`;

export const waitsUntil = (step: string, time: string, seconds: number): string =>
  `${step} done: continuing at ${time} (pause of ${seconds} s)`;

export const waitsForTimeAndApproval = (step: string, given: number, required: number, time: string): string =>
  `${step} done: waiting for approval (${given} of ${required}), and until ${time}`;

export const stalled = (step: string, pods: readonly Trouble[]): string =>
  `${step} stalled: ${namePods(pods)}; no further Pod is replaced until they are available`;

export const notMade = (pods: number): string => (pods === 1 ? '1 Pod is not created' : `${pods} Pods are not created`);

export const again = (said: string, before: number): string =>
  before === 1 ? `${said}; 1 earlier Pod failed too` : `${said}; ${before} earlier Pods failed too`;

export const noReplicaSet = ({ metadata: { name, namespace } }: Deployment): string =>
  'the ReplicaSet of the new version is not created; for the reason, run: kubectl describe deployment ' +
  `${name}${inNamespace(namespace)}`;

/** Another program changed the template in the request of a rollback. The record of the hold keeps this text and compares it: do not change it. */
export const changedBack =
  'the release failed, and something else changed the template in the request that put the stable version back';

export const idle = 'waiting for a change of the Pod template';

export const noReplicas =
  'the Deployment has 0 replicas: nothing to release; the release completes when the Deployment is scaled up and its Pods are available';

export const natively = (what: string, updated: number, replicas: number): string =>
  `${what} natively: ${updated} of ${pods(replicas)} updated`;

export const stableChanged = (name: string): string =>
  `Deployment "${name}" stays held: another webhook or policy changes the stable template during the rollback; ` +
  'exempt the Deployment from it, or apply the manifest of the stable version';

export const stableUnknown = (name: string): string =>
  `Deployment "${name}" stays held: its stable template is not found; apply the manifest of the stable version`;

/** With `--finish`, if its Rollout does not release it in steps. */
export const leftByOpenKruise = ({ metadata, spec }: Rollout): string => {
  const { namespace } = metadata;
  const ends = metadata.deletionTimestamp !== undefined || spec.disabled === true ? ' --finish' : '';
  return (
    `Deployment "${spec.workloadRef.name}" has an unfinished release of OpenKruise Rollouts; take it over with: ` +
    `kubectl tranche takeover ${spec.workloadRef.name}${inNamespace(namespace)}${ends}`
  );
};
