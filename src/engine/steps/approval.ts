// Policies that require approvals: how many Pods a step may update, and whether it may end. Uses the recorded approvals, not the step's state.
import { ON_RESTART } from '../../api/keys.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { CanaryStatus, CanaryStep, IntOrString } from '../../api/types.ts';
import { isWhole, stepTarget } from '../lib/replicas.ts';
import { standingOf, type Standing } from '../policy/approval.ts';
import { withApprovalByEdit } from '../policy/gate.ts';
import { isRestartOnly } from '../lib/template.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Run } from './run.ts';
import type { Progress } from '../workload/kind.ts';

/** True for a restart that goes through the steps without approval, because the Rollout has the annotation for it. */
export const isUnattended = ({ rollout }: Snapshot, { stableVersion, workload }: Progress): boolean =>
  rollout.metadata.annotations?.[ON_RESTART] === 'Batches' &&
  stableVersion !== undefined &&
  isRestartOnly(stableVersion.template, workload.spec.template);

/** Policies that require an approval for each step of this release. Undefined if there are none. */
export function approvalAskedBy(snapshot: Snapshot, progress: Progress): readonly ReleasePolicy[] | undefined {
  const policies = snapshot.gate?.approval;
  if (policies === undefined || !isUnattended(snapshot, progress)) return policies;
  const strict = policies.filter(({ spec }) => spec.approval?.exemptRestarts !== true);
  return strict.length > 0 ? strict : undefined;
}

/**
 * The approved `replicas` of the step: its value when the release entered the step. A later edit of the plan needs another approval.
 * Undefined if no policy requires approvals.
 */
export function approvedReplicas(
  snapshot: Snapshot,
  progress: Progress,
  { currentStepIndex, grantedReplicas }: CanaryStatus,
  step: CanaryStep,
): IntOrString | undefined {
  if (approvalAskedBy(snapshot, progress) === undefined) return undefined;
  if (grantedReplicas !== undefined) return grantedReplicas;
  // There is no approval yet.
  const steps = snapshot.rollout.spec.strategy.canary?.steps?.length ?? 0;
  const wholeAtOnce = currentStepIndex <= 1 && progress.updated === 0 && isWhole(step, progress.replicas, steps <= 1);
  return wholeAtOnce ? 0 : step.replicas;
}

/** The target of the step, limited to the approved number of Pods. */
export function approvedTarget(
  step: CanaryStep,
  approved: IntOrString | undefined,
  replicas: number,
  last: boolean,
): number {
  const target = stepTarget(step.replicas, replicas, last);
  return approved === undefined ? target : Math.min(target, stepTarget(approved, replicas, last));
}

/** Undefined if no policy requires approvals. Then only the state of the step counts, as in OpenKruise. */
export function standingOfStep({
  snapshot,
  progress,
  draft,
}: Run): (Standing & { readonly policies: string }) | undefined {
  const policies = approvalAskedBy(snapshot, progress);
  if (policies === undefined) return undefined;
  const { rollout, sha256 } = snapshot;
  const approvals = withApprovalByEdit(draft.canary!, rollout);
  const status = { ...draft.canary!, ...(approvals && { approvals }) };
  const standing = standingOf(policies, { rollout, status, deployment: progress.workload, sha256 });
  return { ...standing, policies: policies.map(({ metadata }) => metadata.name).join(', ') };
}
