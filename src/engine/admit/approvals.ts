// Approvals by the status of a Rollout: records them, checks the approver against the policies, and detects forged records.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Approval, CanaryStatus, Deployment, Rollout, TemplateDigest } from '../../api/types.ts';
import { sameJson, type Sha256 } from '../lib/template.ts';
import { parseTime } from '../lib/time.ts';
import { judgeOverride } from '../policy/analysis.ts';
import { approvalBy, count, judgeApprover, judgeJumpAlone, saysTheSame, type Approving } from '../policy/approval.ts';
import { breakableBy } from '../policy/break-glass.ts';
import { originOf } from '../policy/origin.ts';
import { earlierVersions, UNDO_STEP, undoStatus } from '../release/completed.ts';
import { stepsOf } from './approval-by-edit.ts';
import { standingMark } from './break-glass.ts';
import { personOf, type Requester } from './decision.ts';
import { outcomesOf, type Said } from './outcomes.ts';

/** The facts about an edit of a Rollout or its status that policies need. */
export interface PolicyContext {
  readonly deployment: Deployment | undefined;
  readonly by: Requester;
  /** The policies that match the workload. */
  readonly policies: readonly ReleasePolicy[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly sha256: Sha256;
}

export interface StatusEdit extends PolicyContext {
  readonly old: Rollout;
  readonly next: Rollout;
}

/** The facts about an approval. `stored`: the stored Rollout. `rollout`: the Rollout with the approved plan. `status`: with the next step. */
export function approvingOf(
  { deployment, by, policies, now, sha256 }: PolicyContext,
  { stored, rollout, status }: { readonly stored: Rollout; readonly rollout: Rollout; readonly status: CanaryStatus },
): Approving {
  const past = standingMark(stored, { stored, deployment, by, sha256 }) ? breakableBy(policies, by.groups) : [];
  const approver = { user: by.user, groups: by.groups };
  return { approver, rollout, status, deployment, policies, past, now, sha256 };
}

const approvingStatus = (edit: StatusEdit, status: CanaryStatus): Approving =>
  approvingOf(edit, { stored: edit.old, rollout: edit.old, status });

/** The approved status: the stored one, with the next step of this request. */
function approvedStatus({ old, next }: StatusEdit): CanaryStatus | undefined {
  const status = old.status?.canaryStatus;
  return status && { ...status, nextStepIndex: next.status?.canaryStatus?.nextStepIndex ?? status.nextStepIndex };
}

/** The recorded approvals with this one. The release continues only if they are enough. */
export function recordApproval(
  edit: StatusEdit,
):
  | { readonly approvals: readonly Approval[]; readonly enough: boolean; readonly warning: string | undefined }
  | undefined {
  const status = approvedStatus(edit);
  if (status === undefined) return undefined;
  const { approvals, given, required, again, enough } = count(approvingStatus(edit, status));
  const people = `${given} of ${required} approvals`;
  const warning = again
    ? `tranche: you already approved this step: ${people}`
    : `tranche: ${people}: the step waits for more`;
  return { approvals, enough, warning: enough ? undefined : warning };
}

/** The recorded approvals with this one, to restore a completed version. It replaces earlier ones by the same person, so the list stays short. */
export function recordUndo(
  edit: StatusEdit,
  template: TemplateDigest,
): { readonly approvals: readonly Approval[]; readonly warning: string | undefined } | undefined {
  const status = edit.old.status?.canaryStatus;
  if (status === undefined) return undefined;
  const own = approvalBy(approvingStatus(edit, undoStatus(status, template)));
  const others = (status.approvals ?? []).filter((one) => !isUndoBy(one, own));
  const { approvals, given, required, enough } = count(
    approvingStatus(edit, undoStatus({ ...status, approvals: others }, template)),
  );
  const warning = enough ? undefined : `tranche: ${given} of ${required} approvals to restore this version`;
  return { approvals, warning };
}

const isUndoBy = ({ step, user }: Approval, by: Approval): boolean => step === UNDO_STEP && user === by.user;

/** Accepted difference of clocks. A record with a later time is forged: it would count for later visits of the step. */
const CLOCKS_DIFFER_MS = 60_000;

/** The approval that the mutating webhook added for this person in this request. Undefined for any other change of the record. */
export function addedApproval(edit: StatusEdit): Approval | undefined {
  const [before, after] = [approvalsIn(edit.old), approvalsIn(edit.next)];
  const [added, status] = [after.at(-1), approvedStatus(edit)];
  if (added === undefined || status === undefined) return undefined;
  const kept = added.step === UNDO_STEP ? before.filter((one) => !isUndoBy(one, added)) : before;
  if (!sameJson(after.slice(0, -1), kept) || before.some((one) => sameJson(one, added))) return undefined;
  const approving = approvingStatus(edit, status);
  const asWritten = approvalBy(approving);
  // An approval of a jump that waits for other approvers: the next step has not changed yet.
  const jumps = stepsOf(edit.old).map((_, index) =>
    approvalBy({ ...approving, status: { ...status, nextStepIndex: index + 1 } }),
  );
  const undos = earlierVersions(edit.old).map(({ templateDigest }) =>
    approvalBy({ ...approving, status: undoStatus(status, templateDigest) }),
  );
  const [time, latest] = [parseTime(added.time), parseTime(asWritten.time)];
  const isNow = time !== undefined && latest !== undefined && time <= latest + CLOCKS_DIFFER_MS;
  return isNow && [asWritten, ...jumps, ...undos].some((one) => saysTheSame(added, one)) ? added : undefined;
}

/** True if the request approves that a completed version is restored. */
const restores = (edit: StatusEdit): boolean => addedApproval(edit)?.step === UNDO_STEP;

const approvalsIn = ({ status }: Rollout): readonly Approval[] => status?.canaryStatus?.approvals ?? [];

/** Checks the approver against the policies. `recorded`: the mutating webhook recorded the approval. */
export function judgeApproval(edit: StatusEdit, recorded: boolean): Said {
  const { old, next, deployment, by, policies, sha256 } = edit;
  const mark = standingMark(old, { stored: old, deployment, by, sha256 });
  const person = personOf(by, mark?.reason);
  const findings = judgeApprover(policies, person, originOf(old, deployment));
  const [before, after] = [old, next].map(({ status }) => status?.canaryStatus);
  const approves = recorded || after?.currentStepState !== before?.currentStepState;
  const jumps = after?.nextStepIndex !== before?.nextStepIndex;
  // The way back to a completed version is not stopped by a check.
  if (jumps || (approves && !restores(edit))) findings.push(...judgeOverride(policies, old, person));
  if (jumps && !approves) {
    findings.push(...judgeJumpAlone(policies, after?.nextStepIndex));
  }
  return outcomesOf(findings, person, old, by, ['warned', 'audited', 'broken']);
}
