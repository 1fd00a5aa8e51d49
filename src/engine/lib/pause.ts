// How long a step pauses, and when it can be approved.
import type { CanaryStatus, CanaryStep } from '../../api/types.ts';

/** In seconds. Infinity: the step waits for approval. A step with analysis and without pause continues when the checks have watched it: 0. */
export const pauseSeconds = (step: CanaryStep | undefined): number =>
  step?.pause === undefined && step?.analysis !== undefined ? 0 : (step?.pause?.duration ?? Infinity);

/** A step can be approved when it waits, or while checks watch it: the release then continues without waiting for them. */
export const isApprovable = (status: CanaryStatus | undefined): boolean =>
  status?.currentStepState === 'StepPaused' || status?.currentStepState === 'StepMetricsAnalysis';
