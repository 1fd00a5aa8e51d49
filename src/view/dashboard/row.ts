// The row of a release in the overview, from the Rollout and its workload alone.
import type { Rollout, Workload } from '../../api/types.ts';
import { stepTargets } from '../../engine/lib/replicas.ts';
import type { WorkloadKind } from '../../engine/workload/kind.ts';
import { kindFor } from '../facts.ts';
import { checkViews } from '../checks.ts';
import { progressOf } from '../release.ts';
import { imagesOf } from '../rows.ts';
import { isHeldByCheck, messageOf, sinceOf, stateOf, stepsOf, waitsForApproval, type State } from '../state.ts';
import { at, first, LONGEST, name, optional, text } from './text.ts';
import type { PodCount, Progress, RankName, ReleaseRow, StripStep, Tone } from './types.ts';

const IMAGES = 3;
/** Steps in the strip of a row, at most. The API accepts more. */
const STRIP = 50;

/** What a release is about to do, as far as a row shows it. */
export interface Standing {
  readonly state: State;
  /** A person must approve. */
  readonly waitsForApproval: boolean;
  /** A check that is Worse holds the release. */
  readonly heldByCheck: boolean;
}

export function standingOf(rollout: Rollout, workload: Workload | undefined): Standing {
  const state = stateOf(rollout, workload);
  const heldByCheck = state === 'Stalled' && isHeldByCheck(rollout);
  return { state, heldByCheck, waitsForApproval: heldByCheck || (state === 'Waiting' && waitsForApproval(rollout)) };
}

/** `workload`: undefined if it does not exist, or may not be read. */
export function rowOf(rollout: Rollout, workload: Workload | undefined): ReleaseRow {
  const { metadata, spec, status } = rollout;
  const standing = standingOf(rollout, workload);
  const releasing = status?.phase === 'Progressing';
  const images = imagesOf(workload);
  const worst = releasing ? worstVerdict(rollout) : undefined;
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    namespace: name(metadata.namespace ?? ''),
    name: name(metadata.name),
    kind: kindFor(rollout).resource.kind,
    workload: name(spec.workloadRef.name),
    rank: rankOf(standing, releasing),
    tone: toneOf(standing, rollout),
    state: standing.state,
    word: wordOf(standing, rollout),
    says: saysOf(standing.state, rollout),
    ...at('since', sinceOf(rollout)),
    ...(STATES_WITH_END.has(standing.state) && at('until', timeIn(status?.message))),
    ...(releasing && { step: { current: status.canaryStatus?.currentStepIndex ?? 0, of: stepsOf(rollout) } }),
    pods: podCount(rollout, workload),
    strip: releasing && workload ? stripOf(rollout, workload) : [],
    ...optional('release', status?.canaryStatus?.observedRolloutID, LONGEST.word),
    ...optional('author', status?.history?.[0]?.author, LONGEST.name),
    images: first(images, IMAGES).map((image) => text(image, LONGEST.name)),
    ...(images.length > IMAGES && { moreImages: images.length - IMAGES }),
    ...(worst !== undefined && { checks: worst }),
  };
}

function rankOf({ state, waitsForApproval }: Standing, releasing: boolean): RankName {
  if (waitsForApproval || state === 'Paused') return 'person';
  if (state === 'Stalled') return 'failing';
  return releasing || state === 'Starting' ? 'motion' : 'rest';
}

function toneOf(standing: Standing, rollout: Rollout): Tone {
  const { state, waitsForApproval } = standing;
  if (state === 'Stalled') return 'bad';
  const rank = rankOf(standing, rollout.status?.phase === 'Progressing');
  if (waitsForApproval || rank === 'person') return 'waits';
  if (rank === 'motion') return 'moving';
  return state === 'Idle' && rollout.status?.history?.[0]?.outcome === 'Completed' ? 'done' : 'idle';
}

const WORDS: Readonly<Record<State, string>> = {
  Idle: 'No release',
  Starting: 'Starting',
  Moving: 'Replacing Pods',
  Watching: 'Watched by checks',
  Waiting: 'Timed pause',
  Paused: 'Paused',
  Blocked: 'Held by a policy',
  Stalled: 'Stalled',
  Finishing: 'Finishing',
  RollingBack: 'Rolling back',
  Disabled: 'Disabled',
  Deleting: 'Being deleted',
  Pending: 'Not started',
};

/** Of the last release, if none is in progress. */
const OUTCOMES: ReadonlyMap<string | undefined, string> = new Map([
  ['Completed', 'Completed'],
  ['RolledBack', 'Rolled back'],
  ['Failed', 'Failed, rolled back'],
  ['Restored', 'Restored'],
]);

function wordOf({ state, waitsForApproval, heldByCheck }: Standing, { status }: Rollout): string {
  if (heldByCheck) return 'Stopped by a check';
  if (waitsForApproval) return 'Waits for approval';
  return (state === 'Idle' ? OUTCOMES.get(status?.history?.[0]?.outcome) : undefined) ?? WORDS[state];
}

export const saysOf = (state: State, rollout: Rollout, longest: number = LONGEST.sentence): string =>
  text(state === 'Starting' ? HELD_ONLY : (messageOf(rollout) ?? 'no status yet'), longest);

const HELD_ONLY = 'the change is held; the operator has not reported it yet';

/** The messages of these states name the time when they end, if it is known. */
const STATES_WITH_END = new Set<State>(['Watching', 'Waiting', 'Blocked']);
const timeIn = (message: string | undefined): string | undefined =>
  /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/.exec(message ?? '')?.[0];

function podCount(rollout: Rollout, workload: Workload | undefined): PodCount {
  const { phase, canaryStatus } = rollout.status ?? {};
  return {
    ...(phase === 'Progressing' && { updated: canaryStatus?.canaryReplicas ?? 0 }),
    ...(workload && {
      available: availableOf(workload, kindFor(rollout)),
      wanted: kindFor(rollout).replicas(workload),
    }),
  };
}

/** During a step, a Deployment has a larger minReadySeconds than its user wrote, and counts new Pods as unavailable. Then the Ready ones count. */
function availableOf(workload: Workload, kind: WorkloadKind): number {
  const borrowed = (workload.spec.minReadySeconds ?? 0) > kind.minReadySeconds(workload);
  const { availableReplicas, readyReplicas } = kind.counted?.(workload) ?? workload.status ?? {};
  return (borrowed ? readyReplicas : availableReplicas) ?? 0;
}

const PROGRESS = { Done: 'done', Current: 'current', Ahead: 'ahead' } as const;
export const progressIn = (step: number | undefined, rollout: Rollout): Progress => PROGRESS[progressOf(step, rollout)];

function stripOf(rollout: Rollout, workload: Workload): StripStep[] {
  // A version that is restored has no steps.
  if (rollout.status?.canaryStatus?.restores !== undefined) return [];
  const replicas = kindFor(rollout).replicas(workload);
  let updated = 0;
  return stepTargets(first(rollout.spec.strategy.canary?.steps ?? [], STRIP), replicas).map((target, i) => {
    updated = Math.max(updated, target);
    return {
      progress: progressIn(i + 1, rollout),
      percent: replicas === 0 ? 100 : Math.round((100 * updated) / replicas),
    };
  });
}

const SERIOUS = ['Worse', 'Unknown', 'Open', 'Fine'];

/** A check that people have let pass does not count. */
function worstVerdict(rollout: Rollout): string | undefined {
  const verdicts = checkViews(rollout)
    .filter(({ acceptedBy }) => acceptedBy === undefined)
    .map(({ verdict }) => verdict as string | undefined);
  return SERIOUS.find((verdict) => verdicts.includes(verdict));
}
