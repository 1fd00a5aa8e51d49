// A workload at rest: nothing is released, and the status follows its scale and its release id.
import { HELD, PLAN_HASH, ROLLOUT_ID } from '../../api/keys.ts';
import type { CanaryStatus, Workload } from '../../api/types.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, isTrue, rollbackId, setCondition, type Draft } from '../status.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { lastReleaseId } from './release-id.ts';
import * as messages from '../messages.ts';

/** Nothing has changed since the last release: no ReplicaSet need be looked at. */
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
  const id = workload.metadata.labels?.[ROLLOUT_ID];
  const rolloutHash = rollout.metadata.annotations?.[PLAN_HASH] ?? '';
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  if (draft.canary)
    draft.canary = {
      ...draft.canary,
      ...followId(draft.canary, id),
      ...followScale(draft.canary, workload, kind.replicas(workload)),
      rolloutHash,
      // There may be fewer than there were when it ended.
      currentStepIndex: Math.min(draft.canary.currentStepIndex, steps),
    };
  return draft;
}

/** An id that is set at rest is the status' id; that no release had it is kept beside it. */
function followId(canary: CanaryStatus, id: string | undefined): Partial<CanaryStatus> {
  const observed = canary.observedRolloutID ?? '';
  const last = lastReleaseId(canary);
  if (!id || id === observed || observed === rollbackId(id)) return {};
  return { observedRolloutID: id, ...(id === last ? {} : { releasedRolloutID: last }) };
}

/**
 * A scale at rest: one write when the native controller has seen it, and one when all its Pods are Ready. Pods that are not Ready for a
 * while are for the Deployment to tell.
 */
function followScale(canary: CanaryStatus, { metadata, status }: Workload, replicas: number): Partial<CanaryStatus> {
  const generation = metadata.generation ?? 0;
  if ((status?.observedGeneration ?? 0) < generation) return {};
  const ready = status?.readyReplicas ?? 0;
  if (canary.observedWorkloadGeneration !== generation)
    return {
      observedWorkloadGeneration: generation,
      canaryReplicas: replicas,
      canaryReadyReplicas: Math.min(replicas, ready),
    };
  return ready >= replicas && canary.canaryReplicas === replicas ? { canaryReadyReplicas: replicas } : {};
}
