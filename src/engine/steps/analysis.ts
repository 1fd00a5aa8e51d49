// The checks of a release in its steps: their verdicts in the status, what they stop, and how long they watch a step.
import type { AnalysisCheck, CheckStatus } from '../../api/analysis.ts';
import { CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH } from '../../api/keys.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { CanaryStatus, Pod } from '../../api/types.ts';
import type { PodFacts } from '../analysis/counters.ts';
import { intervalMs, warmUpMs, type Finding } from '../analysis/watch.ts';
import { MIN_TOTAL, outcomeOf, type NamedJudgement, type StepOutcome } from '../analysis/step.ts';
import type { EvidenceAsk } from '../decision.ts';
import { selectorText } from '../lib/selector.ts';
import { canonicalJson, sameJson } from '../lib/template.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { approvalsOf } from '../policy/approval.ts';
import { failedChecks, mayOverride } from '../policy/analysis.ts';
import { withApprovalByEdit } from '../policy/gate.ts';
import { isFailed } from '../analysis/verdict.ts';
import { isAlive } from '../workload/pods.ts';
import * as messages from '../messages.ts';
import type { Run } from './run.ts';

/** A source that does not answer for so long is reported as a stall. */
const UNKNOWN_DEADLINE_MS = 1_800_000;
const CHECK_DIGEST_LENGTH = 8;
/** Ten checks take at most 2 KiB of the status. */
const LONGEST_MESSAGE = 120;

/** What the checks of a release say in this decision. */
export interface Checks {
  readonly all: readonly CheckStatus[];
  /** A check that is Worse, if nobody has let the release go on. */
  readonly failed: CheckStatus | undefined;
  /** Why no step may go on by itself. Undefined if it may. */
  readonly blind: string | undefined;
  /** The same, for longer than a person can be expected to look for it. */
  readonly blindForLong: string | undefined;
}

const checksIn = ({ snapshot }: Run): readonly AnalysisCheck[] => snapshot.rollout.spec.strategy.canary?.analysis ?? [];

/**
 * What was found about this release and these checks. The shell still has what it saw of the release before, and of a check before its edit: a
 * version must not be stopped for what another one did.
 */
export function currentEvidence(run: Run): readonly Finding[] | undefined {
  const { release, checks } = evidenceAsk(run) ?? { checks: [] };
  return run.snapshot.evidence?.filter(
    (finding) => sameJson(finding.release, release) && checks.some((check) => sameJson(check, finding.check)),
  );
}

/** Writes what the checks say to the status of this decision. */
export function noteChecks(run: Run): Checks {
  const { snapshot, draft } = run;
  const specs = checksIn(run);
  const before = draft.canary!.analysis ?? [];
  const found = new Map((snapshot.evidence ?? []).map((finding) => [finding.name, finding]));
  const known = specs.map((check) =>
    statusOf(
      run,
      check,
      before.find(({ name }) => name === check.name),
      found.get(check.name),
    ),
  );
  // Removing a check does not undo what it has shown.
  const removed = before.filter((one) => isFailed(one) && !specs.some(({ name }) => name === one.name));
  const all = [...known, ...removed];
  const { analysis: _, ...rest } = draft.canary!;
  draft.canary = all.length > 0 ? { ...rest, analysis: all } : rest;
  const unread = specs.find(({ name }) => !found.has(name));
  const unknown = all.find(({ verdict }) => verdict === 'Unknown');
  const blind = unknown ? messages.blindCheck(unknown) : unread && messages.unreadCheck(unread.name);
  const since = parseTime(unknown?.since) ?? snapshot.now;
  const forLong = unknown !== undefined && snapshot.now - since >= UNKNOWN_DEADLINE_MS;
  return { all, failed: all.find(isFailed), blind, blindForLong: forLong ? blind : undefined };
}

/** Worse stays, also if the check is edited. Any other change of the check starts again. */
function statusOf(
  { snapshot }: Run,
  check: AnalysisCheck,
  before: CheckStatus | undefined,
  found: Finding | undefined,
): CheckStatus {
  const digest = snapshot.sha256(canonicalJson(check)).slice(0, CHECK_DIGEST_LENGTH);
  const same = before?.check === digest;
  if (before?.verdict === 'Worse' && (same || before.acceptedBy === undefined)) {
    const { onePod: _, ...rest } = before;
    return same && found?.verdict === 'Worse' ? { ...rest, ...onePodOf(found) } : before;
  }
  if (found === undefined && before !== undefined && same) return before;
  const { name } = check;
  if (found === undefined) return { name, verdict: 'Open', since: formatTime(snapshot.now), check: digest };
  const { fresh, stable, evidence, alarm } = found;
  return {
    name,
    verdict: found.verdict,
    since: formatTime(found.since),
    // The numbers of a ratio say it all.
    ...(fresh && found.verdict !== 'Unknown' ? {} : { message: messages.cleaned(found.message, LONGEST_MESSAGE) }),
    check: digest,
    ...(fresh && { total: whole(fresh.total), bad: whole(fresh.bad) }),
    ...(stable &&
      check.ratio?.timesStable !== undefined && { stableTotal: whole(stable.total), stableBad: whole(stable.bad) }),
    ...(evidence === undefined || alarm === undefined
      ? {}
      : { evidence: Math.floor(Math.min(evidence, 1e9)), alarm: Math.ceil(alarm) }),
    ...(found.verdict === 'Worse' && onePodOf(found)),
  };
}

/** In the status, so that a new leader holds too, before it has read the evidence. */
const onePodOf = ({ onePod }: Finding): Pick<CheckStatus, 'onePod'> => (onePod === undefined ? {} : { onePod });

/** The API server accepts only whole numbers of 64 bits, and a counter can have any value. */
const whole = (count: number): number => Math.min(Math.round(count), Number.MAX_SAFE_INTEGER);

/** True if the failed check asks for a rollback. Values of single Pods, and errors of one Pod, do not show that the version is bad. */
export function rollsBack({ snapshot }: Run, { name, onePod }: CheckStatus): boolean {
  const canary = snapshot.rollout.spec.strategy.canary;
  const check = canary?.analysis?.find((one) => one.name === name);
  if (check === undefined || check.pods !== undefined || onePod !== undefined) return false;
  return (check.onFailure ?? canary?.onFailure) === 'Rollback';
}

/**
 * A step with a failed check waits for a person: as StepPaused, so that every client can approve it. A step in the middle of its Pods starts again
 * then.
 */
export function waitForPerson(run: Run): void {
  const { snapshot, draft, index } = run;
  const { currentStepState: state, analysis = [] } = draft.canary!;
  const shown = shownFailed(run);
  const isNews = analysis.some((check) => isFailed(check) && !shown.includes(check.name));
  // Approvals from before the check was Worse are not about it.
  const isStale = isNews && approvalsOf(draft.canary!).length > 0;
  if (state === 'StepPaused' && !isStale) return;
  const done = ['StepMetricsAnalysis', 'StepTrafficRouting', 'StepPaused', 'StepReady'].includes(state);
  const unfinished = done ? {} : { notBegun: true, nextStepIndex: index };
  draft.canary = {
    ...draft.canary!,
    ...unfinished,
    currentStepState: 'StepPaused',
    lastUpdateTime: formatTime(afterApprovals(draft.canary!, snapshot.now)),
  };
}

/** Later than any approval of an earlier visit of the step, which may have been in the same second. In milliseconds. */
export const afterApprovals = ({ approvals = [] }: CanaryStatus, now: number): number =>
  Math.max(now, ...approvals.map(({ time }) => (parseTime(time) ?? 0) + 1000));

/** Names of the checks that the status, as people saw it, showed as Worse. */
export const shownFailed = ({ snapshot }: Run): readonly string[] =>
  failedChecks(snapshot.rollout).map(({ name }) => name);

/** Policies say who may approve over a failed check. The operator asks again, because admission can be down. */
export function mayAccept({ snapshot, draft }: Run): boolean {
  const policies = snapshot.gate?.policies ?? [];
  if (failedChecks(snapshot.rollout).length === 0 || mayOverride(policies, { user: '' })) return true;
  const approvals = withApprovalByEdit(draft.canary!, snapshot.rollout);
  return approvalsOf({ ...draft.canary!, ...(approvals && { approvals }) }).some((one) => mayOverride(policies, one));
}

/** The release goes on although checks are Worse, because people approved it. */
export function acceptFailed(run: Run): void {
  const { draft, events, name } = run;
  const shown = shownFailed(run);
  if (shown.length === 0) return;
  const users = [...new Set(approvalsOf(draft.canary!).map(({ user }) => user))];
  draft.canary = {
    ...draft.canary!,
    analysis: draft.canary!.analysis!.map((one) =>
      isFailed(one) && shown.includes(one.name) ? { ...one, acceptedBy: users } : one,
    ),
  };
  events.push({ reason: 'AnalysisOverridden', message: messages.checkAccepted(name, shown.join(', '), users) });
}

/** Its time is over, and this is not read yet. */
interface Reading {
  readonly kind: 'Reading';
  readonly what: string;
}

/** What the checks mean for the step, which they watch since the last change of its state. An accepted check decides nothing more. */
export function outcomeOfStep(run: Run, { all, blind }: Checks): StepOutcome | Reading {
  const { snapshot, draft, step } = run;
  const { now } = snapshot;
  const judged = all
    .filter(({ verdict }) => verdict !== 'Worse')
    .map(({ name, verdict, since, total, bad }): NamedJudgement => ({
      name,
      verdict,
      since: parseTime(since) ?? now,
      ...(total === undefined ? {} : { total }),
      ...(bad === undefined ? {} : { bad }),
    }));
  const began = parseTime(draft.canary!.lastUpdateTime) ?? now;
  const checks = checksIn(run);
  // Time without data does not count, nor does the time in which the Pods warm up.
  const [warmUp, unseen, looks] = [warmUpMs, unseenSince(run, began), leastMs].map((of) =>
    Math.max(0, ...checks.map(of)),
  ) as [number, number, number];
  const seconds = Math.max(step.analysis!.seconds, looks / 1000);
  const startedAt = began + warmUp + unseen;
  // Fine lasts, but each step is looked at: what an earlier step has shown says little about the load of this one.
  const asked = Math.max(0, ...(snapshot.gate?.policies ?? []).map(minMs));
  const earliest = startedAt + Math.max(looks, Math.min(asked, seconds * 1000));
  const outcome = outcomeOf({ ...step.analysis!, seconds }, judged, { startedAt, earliest }, now);
  if (outcome.kind !== 'Done') return outcome;
  const open = all.find(
    ({ name, verdict }) => verdict === 'Open' && checks.some((one) => one.name === name && one.condition),
  );
  if (open !== undefined) return { kind: 'Reading', what: messages.notDone(open) };
  if (blind !== undefined) return { kind: 'Reading', what: blind };
  const unread = unreadIn(run, outcome.until);
  return unread === undefined ? outcome : { kind: 'Reading', what: messages.unreadLook(unread) };
}

const minMs = ({ spec }: ReleasePolicy): number => (spec.analysis?.minSeconds ?? 0) * 1000;

/** No check can show anything with fewer looks: three must agree. */
const LEAST_LOOKS = 4;
const leastMs = (check: AnalysisCheck): number => LEAST_LOOKS * intervalMs(check);

const findingFor = ({ snapshot }: Run, { name }: AnalysisCheck): Finding | undefined =>
  snapshot.evidence?.find((finding) => finding.name === name);

/** How long a check was without data since this time, in milliseconds. */
const unseenSince =
  (run: Run, began: number) =>
  (check: AnalysisCheck): number =>
    (findingFor(run, check)?.unseen ?? [])
      .filter(({ to }) => to > began)
      .reduce((ms, { from, to }) => ms + Math.min(to - from + intervalMs(check), to - began), 0);

/** A check whose last look before this time is not read yet. */
const unreadIn = (run: Run, until: number): string | undefined =>
  checksIn(run).find((check) => (findingFor(run, check)?.lastAt ?? 0) + intervalMs(check) <= until)?.name;

/** True if the step had too few requests for its analysis, and must be approved then. */
export function hadFewRequests({ step }: Run, { all }: Checks): string | undefined {
  const { minTotal = MIN_TOTAL, lowTraffic = 'Approval' } = step.analysis ?? {};
  if (step.analysis === undefined || lowTraffic !== 'Approval') return undefined;
  const least = all
    .filter(({ total, verdict }) => total !== undefined && verdict !== 'Worse')
    .toSorted((a, b) => a.total! - b.total!)[0];
  return least !== undefined && least.total! < minTotal ? messages.fewRequests(least, minTotal) : undefined;
}

/** What the shell must watch for the checks. Undefined if there are none, or no Pod of the new version can exist yet. */
export function evidenceAsk(run: Run): EvidenceAsk | undefined {
  const { snapshot, progress, draft } = run;
  const checks = checksIn(run);
  const { newVersion, workload } = progress;
  const startedAt = parseTime(draft.history[0]?.startTime);
  if (checks.length === 0 || newVersion === undefined || startedAt === undefined) return undefined;
  const { stableRevision = '', observedRolloutID = '' } = draft.canary!;
  const { revision } = newVersion;
  return {
    release: {
      namespace: workload.metadata.namespace ?? '',
      workload: workload.metadata.name,
      pods: selectorText(workload.spec.selector),
      rolloutID: observedRolloutID,
      revision,
      stableRevision,
      startedAt,
      ratioChecks: checks.filter(({ ratio }) => ratio !== undefined).length,
    },
    checks,
    pods: (snapshot.children?.pods ?? []).flatMap((pod) => podFacts(pod, revision, stableRevision)),
  };
}

function podFacts(pod: Pod, revision: string, stableRevision: string): PodFacts[] {
  const { name, labels, creationTimestamp } = pod.metadata;
  const hash = labels?.[POD_TEMPLATE_HASH] ?? labels?.[CONTROLLER_REVISION_HASH];
  const arm = hash === revision ? 'fresh' : hash === stableRevision ? 'stable' : undefined;
  const createdAt = parseTime(creationTimestamp);
  return arm === undefined || createdAt === undefined || !isAlive(pod) ? [] : [{ name, arm, createdAt }];
}
