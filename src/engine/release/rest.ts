// A workload without a release: the status follows its scale and its release id.
import { HELD, PLAN_HASH } from '../../api/keys.ts';
import type { CanaryStatus, RolloutId, Workload } from '../../api/types.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, isTrue, setCondition, type Draft } from '../status.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { completedBy, remember } from './completed.ts';
import { lastReleaseId, rollbackId, rolloutIdOf } from './release-id.ts';
import * as messages from '../messages.ts';

/** True if the template has not changed since the last release. No ReplicaSet is needed then. */
export function isIdle({ rollout, digest }: Snapshot, workload: Workload): boolean {
  return (
    rollout.status?.phase === 'Healthy' &&
    workload.metadata.annotations?.[HELD] === undefined &&
    rollout.status.canaryStatus?.templateDigest === digest(workload.spec.template)
  );
}

export function rest({ rollout, now }: Snapshot, kind: WorkloadKind, workload: Workload): Draft {
  const draft = draftOf(rollout);
  if (isTrue(rollout, 'Stalled')) {
    setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
    draft.message = messages.idle;
  }
  const id = rolloutIdOf(workload);
  const rolloutHash = rollout.metadata.annotations?.[PLAN_HASH] ?? '';
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  if (draft.canary)
    draft.canary = {
      ...draft.canary,
      ...followId(draft.canary, id),
      ...followScale(draft.canary, kind, workload),
      rolloutHash,
      // The plan may have fewer steps than at the end of the release.
      currentStepIndex: Math.min(draft.canary.currentStepIndex, steps),
    };
  if (isFirst(draft, kind, workload)) {
    const { templateDigest, stableRevision = '' } = draft.canary!;
    draft.completed = remember(
      [],
      { workload: completedBy(rollout), templateDigest: templateDigest!, revision: stableRevision },
      true,
      now,
    );
  }
  return draft;
}

/**
 * True if all Pods of the version that ran when the Rollout was created are available. It counts as completed. A version that bypassed the webhook
 * does not.
 */
function isFirst({ canary, completed, history }: Draft, kind: WorkloadKind, workload: Workload): boolean {
  const { metadata, status } = workload;
  const replicas = kind.replicas(workload);
  const counted = kind.counted?.(workload) ?? status;
  return (
    completed.length === 0 &&
    history.length === 0 &&
    canary?.templateDigest !== undefined &&
    replicas > 0 &&
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    [counted?.replicas, counted?.updatedReplicas, counted?.availableReplicas].every((pods) => pods === replicas)
  );
}

/** Copies an id that was set outside a release to the status. The id of the last release is kept beside it. */
function followId(canary: CanaryStatus, id: RolloutId | undefined): Partial<CanaryStatus> {
  const observed = canary.observedRolloutID ?? '';
  const last = lastReleaseId(canary);
  if (!id || id === observed || observed === rollbackId(id)) return {};
  return { observedRolloutID: id, ...(id === last ? {} : { releasedRolloutID: last }) };
}

/**
 * Follows scaling outside a release: one write when the workload's controller has observed it, and one when all Pods are Ready. Pods that become
 * unready later are not reported here.
 */
function followScale(canary: CanaryStatus, kind: WorkloadKind, workload: Workload): Partial<CanaryStatus> {
  const { metadata, status } = workload;
  const generation = metadata.generation ?? 0;
  if ((status?.observedGeneration ?? 0) < generation) return {};
  const replicas = kind.replicas(workload);
  const ready = (kind.counted?.(workload) ?? status)?.readyReplicas ?? 0;
  // Nodes come and go without a change of the workload's spec.
  if (canary.observedWorkloadGeneration !== generation || (kind.counted && canary.canaryReplicas !== replicas))
    return {
      observedWorkloadGeneration: generation,
      canaryReplicas: replicas,
      canaryReadyReplicas: Math.min(replicas, ready),
    };
  return ready >= replicas && canary.canaryReplicas === replicas ? { canaryReadyReplicas: replicas } : {};
}
