// The decisions on an edit of a Rollout's status: fields that a client dropped are restored, and approvals are recorded and checked.
import type { Json } from '../../api/json.ts';
import type { CanaryStatus, Deployment, Rollout, TemplateDigest } from '../../api/types.ts';
import type { Sha256 } from '../lib/template.ts';
import { isApproval, validateStatusWrite } from '../validate/status.ts';
import { isApprovable } from '../lib/pause.ts';
import { addedApproval, judgeApproval, recordApproval, recordUndo, type StatusEdit } from './approvals.ts';
import type { Violation } from '../validate/violation.ts';
import {
  byOperator,
  ifAllowed,
  notReady,
  pass,
  policiesFor,
  refuse,
  type AdmissionDecision,
  type Facts,
} from './decision.ts';
import { deny, nothingSaid } from './outcomes.ts';

export interface StatusFacts extends Facts {
  readonly old: Rollout;
  readonly next: Rollout;
  readonly deployment: Deployment | undefined;
  readonly sha256: Sha256;
}

/** `next` has the dropped fields restored. */
export interface MendFacts extends StatusFacts {
  /** The status: before the request, as written, and with the dropped fields restored. */
  readonly statuses: {
    readonly before: Json | undefined;
    readonly written: Json | undefined;
    readonly mended: Json | undefined;
  };
}

/** False if the request passes without checks. */
export const concernsStatus = (facts: Pick<Facts, 'operation' | 'by' | 'operatorUser'>): boolean =>
  facts.operation === 'UPDATE' && !byOperator(facts);

/** Restores dropped fields and records an approval. If more approvals are needed, the step keeps waiting. */
export function mendStatus(facts: MendFacts): AdmissionDecision {
  if (!concernsStatus(facts)) return pass;
  const { old, next, statuses, policies } = facts;
  const approves =
    next.status?.canaryStatus?.currentStepState === 'StepReady' && isApprovable(old.status?.canaryStatus);
  const undoTo = next.status?.canaryStatus?.undoTo;
  if (undoTo !== undefined && policies !== undefined) return mendUndo(facts, undoTo, policies.now);
  if (!approves || policies === undefined) return written(statuses.mended, statuses.written, {});
  const violations = validateStatusWrite(old, next);
  if (violations.length > 0) return refuse(violations);
  if (facts.notReady !== undefined) return notReady(facts.notReady);
  const record = recordApproval(editOf(facts, policies.now));
  if (record === undefined) return written(statuses.mended, statuses.written, {});
  // The approvals of a step count from when it waits.
  if (!record.enough && old.status?.canaryStatus?.currentStepState === 'StepMetricsAnalysis')
    return refuse([watched(old.status.canaryStatus.currentStepIndex)]);
  const base = record.enough ? statuses.mended : statuses.before;
  const canaryStatus = { ...(base?.['canaryStatus'] as Json | undefined), approvals: record.approvals };
  const warns = facts.warns && record.warning !== undefined ? { warnings: [record.warning] } : {};
  return written({ ...base, canaryStatus }, statuses.written, warns);
}

const watched = (step: number): Violation => ({
  field: 'status.canaryStatus.currentStepState',
  value: 'StepReady',
  type: 'Forbidden',
  reason: `step ${step} is being watched by its checks, and a policy requires more than one approval`,
  remedy: 'approve it when the state is StepPaused',
});

/** Records the approval to restore this version. The request itself is not stored. */
function mendUndo(facts: MendFacts, undoTo: TemplateDigest, now: number): AdmissionDecision {
  const { old, next, statuses } = facts;
  const violations = validateStatusWrite(old, next);
  if (violations.length > 0) return refuse(violations);
  if (facts.notReady !== undefined) return notReady(facts.notReady);
  const record = recordUndo(editOf(facts, now), undoTo);
  if (record === undefined) return pass;
  const { undoTo: _, ...stored } = (statuses.before?.['canaryStatus'] as Json | undefined) ?? {};
  const warns = facts.warns && record.warning !== undefined ? { warnings: [record.warning] } : {};
  const canaryStatus = { ...stored, approvals: record.approvals };
  return written({ ...statuses.before, canaryStatus }, statuses.written, warns);
}

function written(
  status: Json | undefined,
  as: Json | undefined,
  warns: Pick<AdmissionDecision, 'warnings'>,
): AdmissionDecision {
  return JSON.stringify(status) === JSON.stringify(as)
    ? { ...pass, ...warns }
    : { verdict: 'Kept', patch: [{ op: 'add', path: '/status', value: status }], ...warns };
}

/** The operator may write everything, other users only an approval. */
export function admitStatus(facts: StatusFacts): AdmissionDecision {
  if (!concernsStatus(facts)) return pass;
  const { old, next, policies } = facts;
  const edit = policies && editOf(facts, policies.now);
  const recorded = edit !== undefined && addedApproval(edit) !== undefined;
  const violations = validateStatusWrite(old, recorded ? withApprovals(next, old) : next);
  if (violations.length > 0) return refuse(violations);
  if (!isApproval(old, next) && !recorded) return pass;
  const said = edit === undefined ? nothingSaid : judgeApproval(edit, recorded);
  if (said.violations.length > 0) return deny(said);
  const warns = facts.warns && said.warnings.length > 0 ? { warnings: said.warnings } : {};
  return ifAllowed(facts, { verb: 'approve', rollout: old }, { verdict: 'Approved', reports: said.reports, ...warns });
}

const editOf = (facts: StatusFacts, now: number): StatusEdit => {
  const { old, next, deployment, by, sha256 } = facts;
  return { old, next, deployment, by, sha256, now, policies: policiesFor(facts, deployment) };
};

/** `next` with the approvals of `old`. */
function withApprovals(next: Rollout, old: Rollout): Rollout {
  const { status } = next;
  if (status?.canaryStatus === undefined) return next;
  const { approvals: _, ...rest } = status.canaryStatus;
  const approvals = old.status?.canaryStatus?.approvals;
  const canaryStatus: CanaryStatus = { ...rest, ...(approvals && { approvals }) };
  return { ...next, status: { ...status, canaryStatus } };
}
