// The state of one decision about a step, which all parts of the step machine read and write.
import type { CanaryStatus, CanaryStep, HoldRecord } from '../../api/types.ts';
import type { Effect, EventNote } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Draft } from '../status.ts';
import type { Goal, Progress } from '../workload/kind.ts';
import { readySince } from '../workload/pods.ts';
import { rolloutIdOf } from '../release/release-id.ts';

/** The state of one decision. The step machine changes `draft` and `events`. */
export interface Run {
  readonly snapshot: Snapshot;
  readonly progress: Progress;
  readonly held: HoldRecord;
  readonly steps: readonly CanaryStep[];
  readonly index: number;
  readonly step: CanaryStep;
  readonly name: string;
  readonly goal: Goal;
  /** The release ends with this step. */
  readonly ends: boolean;
  readonly draft: Draft;
  readonly events: EventNote[];
}

export interface Answer {
  readonly effects?: readonly Effect[];
  readonly againAtMs?: number | undefined;
  readonly needsCopy?: string | undefined;
}

/** The status with current numbers of Pods. */
export const withNumbers = (
  status: CanaryStatus,
  { workload, newVersion, updated, pods, now }: Progress,
): CanaryStatus => ({
  ...status,
  observedWorkloadGeneration: workload.metadata.generation ?? 0,
  observedRolloutID: rolloutIdOf(workload) ?? status.observedRolloutID ?? '',
  canaryRevision: newVersion?.revision || (status.canaryRevision ?? ''),
  podTemplateHash: newVersion?.revision || status.podTemplateHash,
  canaryReplicas: updated,
  canaryReadyReplicas: Math.min(updated, pods.filter((pod) => readySince(pod, now) !== undefined).length),
});

/** The status fields at the start of a step. */
export const atStep = (
  index: number,
  steps: number,
  keepsReplicas: boolean,
  stepReplicas: number,
): Partial<CanaryStatus> => ({
  currentStepIndex: index,
  nextStepIndex: index < steps ? index + 1 : -1,
  keepsReplicas,
  stepReplicas,
});
