// One decision about a step while it is being made: what every part of the step machine reads and writes.
import { ROLLOUT_ID } from '../../api/keys.ts';
import type { CanaryStatus, CanaryStep, Held } from '../../api/types.ts';
import type { Goal, Move } from '../workload/deployment/budget.ts';
import type { Effect, EventNote, Snapshot } from '../snapshot.ts';
import type { Draft } from '../status.ts';
import { hashOf, readySince, type View } from '../workload/deployment/view.ts';

/** A release under way: what every part of the machine reads and writes. */
export interface Run {
  readonly snapshot: Snapshot;
  readonly view: View;
  readonly held: Held;
  readonly steps: readonly CanaryStep[];
  readonly index: number;
  readonly step: CanaryStep;
  readonly name: string;
  readonly goal: Goal;
  readonly draft: Draft;
  readonly events: EventNote[];
}

export interface Answer {
  readonly effects?: readonly Effect[];
  readonly againAtMs?: number | undefined;
  readonly needsCopy?: string | undefined;
}

export const effectsOf = (move: Move | undefined): readonly Effect[] => (move?.kind === 'Act' ? [move.effect] : []);

/** What the status tells about sizes. */
export const withNumbers = (status: CanaryStatus, view: View): CanaryStatus => ({
  ...status,
  observedWorkloadGeneration: view.deployment.metadata.generation ?? 0,
  observedRolloutID: view.deployment.metadata.labels?.[ROLLOUT_ID] ?? status.observedRolloutID ?? '',
  canaryRevision: hashOf(view.newSet) || (status.canaryRevision ?? ''),
  podTemplateHash: hashOf(view.newSet) || status.podTemplateHash,
  canaryReplicas: view.updated,
  canaryReadyReplicas: Math.min(
    view.updated,
    view.pods.filter((pod) => readySince(pod, view.now) !== undefined).length,
  ),
});

/** The fields of a status that has just come to a step. */
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
