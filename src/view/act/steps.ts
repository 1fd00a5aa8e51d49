// A step in words, with the numbers of the plan.
import { pods } from '../../engine/lib/text.ts';
import { planRelease } from '../../engine/steps/plan.ts';
import { kindFor } from '../facts.ts';
import { stepsOf } from '../state.ts';
import { describeWait, describeWatch } from '../words.ts';
import type { Target } from './target.ts';

/** `step 2 of 3: 5 of 10 Pods, then it waits for approval` */
export function describeStep({ rollout, deployment }: Target, index: number): string {
  const all = stepsOf(rollout);
  if (!deployment) return `step ${index} of ${all}`;
  const { steps, replicas } = planRelease(rollout, deployment, { kind: kindFor(rollout) });
  const planned = steps.find(({ step }) => step === index);
  if (index > all) return 'the rest of the Pods, then the release is done';
  if (!planned) return `step ${index} of ${all}, then the release is done`;
  const watched = planned.watched ? `then it ${describeWatch(planned.watched)}, ` : '';
  const then =
    planned.old === 0 && planned.wait === 'None' ? 'then the release is done' : `then it ${describeWait(planned.wait)}`;
  return `step ${index} of ${all}: ${planned.updated} of ${pods(replicas)}, ${watched}${then}`;
}
