// Messages of status.message and events: what happens next, and what the release waits for.
import type { CheckStatus } from '../api/analysis.ts';
import { DEPLOYMENTS, type Resource } from '../api/resources.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { countsOf } from './analysis/watch.ts';
import type { Trouble } from './steps/pod-health.ts';
import { inNamespace, pods, workloadArgument } from './lib/text.ts';
import type { TrafficStatus } from '../api/traffic.ts';
import { legName } from './traffic/split.ts';
import type { WorkloadKind } from './workload/kind.ts';

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
 * Appends how to roll back, because `kubectl rollout undo` refuses a held Deployment. `kept`: a ReplicaSet (`keeper`) still has the stable version.
 */
export const withWayBack = (message: string, { metadata }: Rollout, kept: boolean, keeper = 'ReplicaSet'): string =>
  `${message}${TO_GO_BACK}${kept ? undoCommand(metadata) : `apply the manifest of the stable version (no ${keeper} has it)`}`;

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

export const waitsForTraffic = (step: string, waits: string): string => `${step}: waiting for traffic: ${waits}`;

export const trafficFirst = (waits: string): string => `waiting until no requests depend on a version: ${waits}`;

/** `matched`: the step routes by matches, not by weight. */
export const shifted = (step: string, { route, weight, service }: TrafficStatus, matched: boolean): string =>
  matched
    ? `${step}: ${route.kind} ${route.name} gives Service ${legName(service, 'canary')} the requests that match`
    : `${step}: ${route.kind} ${route.name} gives Service ${legName(service, 'canary')} ${weight / 10} % of the requests`;

export const blocked = (step: string, why: string): string => `${step} waits: ${why}`;

export const waitsUntil = (step: string, time: string, seconds: number): string =>
  `${step} done: continuing at ${time} (pause of ${seconds} s)`;

export const waitsForTimeAndApproval = (step: string, given: number, required: number, time: string): string =>
  `${step} done: waiting for approval (${given} of ${required}), and until ${time}`;

export const stalled = (step: string, pods: readonly Trouble[]): string =>
  `${step} stalled: ${namePods(pods)}; no further Pod is replaced until they are available`;

/** What a check has seen, or why it has seen nothing. */
export function seenBy({ message, total, bad = 0, stableTotal, stableBad = 0 }: CheckStatus): string {
  if (message !== undefined) return message;
  if (total === undefined) return 'nothing yet';
  const stable =
    stableTotal === undefined ? '' : `; stable version: ${countsOf({ total: stableTotal, bad: stableBad })}`;
  return `new version: ${countsOf({ total, bad })}${stable}`;
}

/** `stopped` and not `stalled`: it does not recover by itself. `onePod`: the Pod with nearly all bad requests. */
export const checkFailed = (step: string, check: CheckStatus): string =>
  `${step} stopped: check ${check.name} shows that the new version is worse (${seenBy(check)})` +
  (check.onePod === undefined
    ? ''
    : `; Pod ${check.onePod} has nearly all bad requests: the cause may be this Pod or its node`) +
  '; no further Pod is replaced until the step is approved';

export const checkAccepted = (step: string, names: string, users: readonly string[]): string =>
  `${step}: the release continues although Worse is the verdict of ${names}; approved by ${users.join(', ') || 'an unknown user'}`;

export const notAccepted = (step: string): string =>
  `${step}: StepReady was reset to StepPaused: a check is Worse, and a policy does not let the approvers continue`;

export const blindCheck = (check: CheckStatus): string =>
  `check ${check.name} (${seenBy(check)}, since ${check.since})`;

export const unreadCheck = (name: string): string => `check ${name} (no result yet)`;

export const unreadLook = (name: string): string => `check ${name} (its last look is being read)`;

export const notDone = (check: CheckStatus): string => `check ${check.name} (${seenBy(check)})`;

export const waitsForCheck = (step: string, why: string): string =>
  `${step}: waiting for ${why}; the next step does not start before that`;

/** `until`: undefined until there were enough requests. */
export const watched = (step: string, until: string | undefined, seen: string): string =>
  `${step}: the checks watch the new Pods until ${until ?? 'there were enough requests'}${seen === '' ? '' : `; ${seen}`}`;

export const fewRequests = ({ name, total = 0, bad = 0 }: CheckStatus, minTotal: number): string =>
  `too few requests: check ${name} counted ${total} of the ${minTotal} required, ${bad === 0 ? 'none' : bad} bad`;

/** `reason`: of the condition Stalled. */
export const recovered = (step: string, reason: string | undefined): string =>
  reason === 'TrafficBlocked'
    ? `${step}: the route and its Services can be used; the release continues`
    : reason === 'AnalysisUnknown'
      ? `${step}: the checks have data again; the release continues`
      : reason === 'AnalysisFailed'
        ? `${step}: the step was approved although a check is Worse; the release continues`
        : `${step}: the Pods are available, the release continues`;

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

export const noReplicas = ({ resource: { kind }, words }: Pick<WorkloadKind, 'resource' | 'words'>): string =>
  words.none ??
  `the ${kind} has 0 replicas: nothing to release; the release completes when the ${kind} is scaled up and its Pods are available`;

/** Why a release is not held, although the workload has replicas now. */
export const startedEmpty = 'the release started with no Pods to update, and was not held';

export const natively = (what: string, updated: number, replicas: number): string =>
  `${what} natively: ${updated} of ${pods(replicas)} updated`;

export const controllerOf = ({ kind }: Pick<Resource, 'kind'>): string => `the ${kind} controller`;

/** The message with what Tranche cannot do itself. */
export const withRemark = (message: string, remark: string | undefined): string =>
  remark === undefined ? message : `${message}; ${remark}`;

export const stableChanged = (kind: string, name: string): string =>
  `${kind} "${name}" stays held: another webhook or policy changes the stable template during the rollback; ` +
  `exempt the ${kind} from it, or apply the manifest of the stable version`;

export const stableUnknown = (kind: string, name: string): string =>
  `${kind} "${name}" stays held: its stable template is not found; apply the manifest of the stable version`;

/** With `--finish`, if its Rollout does not release it in steps. */
export const leftByOpenKruise = ({ metadata, spec }: Rollout, resource = DEPLOYMENTS): string => {
  const { namespace } = metadata;
  const ends = metadata.deletionTimestamp !== undefined || spec.disabled === true ? ' --finish' : '';
  return (
    `${resource.kind} "${spec.workloadRef.name}" has an unfinished release of OpenKruise Rollouts; take it over with: ` +
    `kubectl tranche takeover ${workloadArgument(resource, spec.workloadRef.name)}${inNamespace(namespace)}${ends}`
  );
};
