// Records of a step: approvals, broken glass, corrected sizes, and labels of its Pods.
import { ROLLOUT_BATCH_ID, ROLLOUT_ID } from '../../api/keys.ts';
import type { Pod } from '../../api/types.ts';
import { labelPod } from '../workload/effects.ts';
import type { Move } from '../workload/kind.ts';
import { isGenerated } from '../release/release-id.ts';
import { approvalsOf } from '../policy/approval.ts';
import { breakGlassFor, withApprovalByEdit } from '../policy/gate.ts';
import type { Effect } from '../decision.ts';
import { conditionOf, dropConditions, openHistory, setCondition } from '../status.ts';
import type { Run } from './run.ts';
import { formatTime, parseTime } from '../lib/time.ts';

/** Maximum number of Pods that one decision labels. */
const LABELS_AT_ONCE = 50;

export function noteTrim({ draft, events, name }: Run, move: Move): void {
  if (move.kind === 'Act' && move.trimmed) {
    const { from, to } = move.trimmed;
    events.push({
      reason: 'Trimmed',
      message: `${name}: reduced the updated Pods from ${from} to ${to} after scaling`,
    });
  } else if (move.kind === 'TrimRefused') {
    draft.canary = { ...draft.canary!, keepsReplicas: true };
    const message = `${name}: the size correction was reverted; the sizes stay as they are`;
    events.push({ reason: 'TrimRefused', message });
  }
}

/** Pods beyond the step that nobody granted: the condition Bypassed and an event report them. Returns the message. */
export function noteBeyond({ snapshot, progress, goal, held, draft, events }: Run): string | undefined {
  const beyond = goal.keeps ? undefined : progress.kind.beyond?.(progress, goal.target);
  if (beyond === undefined || held.bypassed !== undefined) return beyond;
  if (conditionOf(draft.conditions, 'Bypassed')?.status !== 'True')
    events.push({ reason: 'CreatedDuringRelease', message: beyond });
  setCondition(draft, snapshot.now, 'Bypassed', 'True', 'CreatedDuringRelease', beyond);
  return beyond;
}

/** Records a release that OpenKruise started: adds it to the history and removes the condition Stalled. */
export function noteTakeover({ snapshot, progress, draft, events, name }: Run): void {
  const began = parseTime(conditionOf(draft.conditions, 'Progressing')?.lastUpdateTime) ?? snapshot.now;
  openHistory(draft, {
    rolloutID: draft.canary!.observedRolloutID ?? '',
    revision: progress.newVersion?.revision ?? '',
    startTime: formatTime(began),
  });
  dropConditions(draft, 'Stalled');
  draft.message = `${name}: continuing the release that OpenKruise Rollouts started`;
  events.push({ reason: 'TakenOver', message: draft.message });
}

/** Records each mark of broken glass for this release once in its history. */
export function noteBrokenGlass({ snapshot, progress, draft, events }: Run): void {
  const [current, ...rest] = draft.history;
  if (current === undefined || current.endTime !== undefined) return;
  const noted = current.brokenGlass ?? [];
  const news = breakGlassFor(snapshot.rollout, progress.workload, snapshot.digest)
    .map(({ user, reason, time }) => ({ user, reason, time }))
    .filter((glass) => !noted.some((one) => one.user === glass.user && one.time === glass.time));
  if (news.length === 0) return;
  draft.history = [{ ...current, brokenGlass: [...noted, ...news] }, ...rest];
  for (const { user, reason } of news) {
    events.push({ reason: 'GlassBroken', message: `${user} bypassed the policy: ${reason}` });
  }
}

/** Records the approvals before the release leaves the step. */
export function noteApprovals({ snapshot, draft, events, name }: Run): void {
  const approvals = withApprovalByEdit(draft.canary!, snapshot.rollout);
  if (approvals === undefined) return;
  draft.canary = { ...draft.canary!, approvals };
  const users = [...new Set(approvalsOf(draft.canary).map(({ user }) => user))];
  if (users.length > 0) events.push({ reason: 'Approved', message: `${name} approved by ${users.join(', ')}` });
}

/**
 * Labels Pods with the release and the step that created them, for logs and metrics: one write for each Pod, so only if the user set the id of the
 * release, or the installation asks for it.
 */
export function labelPods({ snapshot, progress, draft, index }: Run): Effect[] {
  const id = draft.canary!.observedRolloutID;
  if (!id || snapshot.labelsAgainAt !== undefined) return [];
  if (isGenerated(id) && snapshot.labelsPods !== true) return [];
  const startedAt = draft.history[0]?.startTime ?? '';
  const batchOf = (pod: Pod): string => {
    const known = pod.metadata.labels?.[ROLLOUT_BATCH_ID];
    return known !== undefined && (pod.metadata.creationTimestamp ?? '') >= startedAt ? known : String(index);
  };
  return progress.pods
    .filter((pod) => pod.metadata.labels?.[ROLLOUT_ID] !== id)
    .slice(0, LABELS_AT_ONCE)
    .map((pod) => labelPod(pod, { [ROLLOUT_ID]: id, [ROLLOUT_BATCH_ID]: batchOf(pod) }));
}
