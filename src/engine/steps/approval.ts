// Under a policy that requires approvals: what a step may bring, and whether it may end. Judged from the record, whatever its state says.
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

/** The Rollout asks that mere restarts go through the steps without approval. */
export const isUnattended = ({ rollout }: Snapshot, { stableVersion, workload }: Progress): boolean =>
  rollout.metadata.annotations?.[ON_RESTART] === 'Batches' &&
  stableVersion !== undefined &&
  isRestartOnly(stableVersion.template, workload.spec.template);

/** Policies that let no step of this release end without approval; undefined when there are none. */
export function approvalAskedBy(snapshot: Snapshot, progress: Progress): readonly ReleasePolicy[] | undefined {
  const policies = snapshot.gate?.approval;
  if (policies === undefined || !isUnattended(snapshot, progress)) return policies;
  const strict = policies.filter(({ spec }) => spec.approval?.exemptRestarts !== true);
  return strict.length > 0 ? strict : undefined;
}

/**
 * What the step may bring, in its own words: what it was when it was entered. A plan that is edited later needs another approval first.
 * Undefined when no policy requires approvals.
 */
export function approvedReplicas(
  snapshot: Snapshot,
  progress: Progress,
  { currentStepIndex, grantedReplicas }: CanaryStatus,
  step: CanaryStep,
): IntOrString | undefined {
  if (approvalAskedBy(snapshot, progress) === undefined) return undefined;
  if (grantedReplicas !== undefined) return grantedReplicas;
  // Nobody has approved anything yet.
  const steps = snapshot.rollout.spec.strategy.canary?.steps?.length ?? 0;
  const wholeAtOnce = currentStepIndex <= 1 && progress.updated === 0 && isWhole(step, progress.replicas, steps <= 1);
  return wholeAtOnce ? 0 : step.replicas;
}

/** Pods of the step as far as they are approved. */
export function approvedTarget(
  step: CanaryStep,
  approved: IntOrString | undefined,
  replicas: number,
  last: boolean,
): number {
  const target = stepTarget(step.replicas, replicas, last);
  return approved === undefined ? target : Math.min(target, stepTarget(approved, replicas, last));
}

/** Undefined when no policy requires approvals: then the state of the step alone counts, as in OpenKruise. */
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
