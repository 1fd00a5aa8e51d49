// Who may write what into a Rollout's status: the operator everything, everybody else an approval and nothing beside it.
import { isObject, type Json } from '../../api/json.ts';
import type { Rollout } from '../../api/types.ts';
import type { Violation } from './violation.ts';

/** The fields an approval writes, in canaryStatus and in their mirror beside it. */
const APPROVAL_FIELDS = new Set(['currentStepState', 'nextStepIndex']);

/**
 * The status with what the client dropped put back: one that knows only OpenKruise's fields, and replaces the whole status to approve,
 * leaves out ours. A field that it changed stays changed, for validation to judge.
 */
export const restoreDropped = (old: unknown, next: unknown): unknown =>
  old === undefined ? next : fill(old, next ?? {});

const fill = (old: unknown, next: unknown): unknown => {
  if (next === undefined || next === null) return old;
  if (!isObject(old) || !isObject(next)) return next;
  return { ...next, ...Object.fromEntries(Object.entries(old).map(([key, value]) => [key, fill(value, next[key])])) };
};

/** What somebody who is not the operator may not change. */
export function validateStatusWrite(old: Rollout, next: Rollout): Violation[] {
  const violations: Violation[] = [];
  const differ = (before: Json, after: Json, path: string): void => {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const field = `${path}.${key}`;
      if (same(before[key], after[key])) continue;
      if (key === 'canaryStatus' && isObject(before[key]) && isObject(after[key]))
        differ(before[key], after[key], field);
      else if (!APPROVAL_FIELDS.has(key)) violations.push(notYours(field, after[key]));
    }
  };
  differ({ ...old.status }, { ...next.status }, 'status');
  return [...violations, ...approval(old, next)];
}

const notYours = (field: string, value: unknown): Violation => ({
  field,
  value,
  reason: 'is written by the operator only',
  remedy: 'leave it as it is; to approve a step, set only status.canaryStatus.currentStepState to StepReady',
});

/** Does this write let a step go on? */
export const isApproval = (old: Rollout, next: Rollout): boolean =>
  [...APPROVAL_FIELDS].some((field) => {
    const [before, after] = [old, next].map((rollout) => (rollout.status?.canaryStatus as Json | undefined)?.[field]);
    return before !== after;
  });

function* approval(old: Rollout, next: Rollout): Generator<Violation> {
  const [before, after] = [old.status?.canaryStatus, next.status?.canaryStatus];
  const steps = old.spec.strategy.canary?.steps?.length ?? 0;
  const state = after?.currentStepState;
  if (state !== before?.currentStepState && (state !== 'StepReady' || before?.currentStepState !== 'StepPaused')) {
    yield {
      field: 'status.canaryStatus.currentStepState',
      value: state,
      reason:
        state !== 'StepReady'
          ? 'is written by the operator only'
          : before === undefined || before.currentStepState === ''
            ? 'approves a step, but no release is running'
            : `approves a step, but step ${before.currentStepIndex} of ${steps} is in ${before.currentStepState}`,
      remedy: 'set StepReady when it says StepPaused',
    };
  }
  const jump = after?.nextStepIndex;
  if (jump !== before?.nextStepIndex && (jump === undefined || !Number.isInteger(jump) || jump < 1 || jump > steps)) {
    const field = 'status.canaryStatus.nextStepIndex';
    yield { field, value: jump, reason: 'is not a step', remedy: `use 1 to ${steps}` };
  }
  // The mirror beside canaryStatus follows it; alone it would say what is not so.
  const mirror = next.status?.currentStepState;
  if (mirror !== old.status?.currentStepState && !same(mirror, state)) {
    yield notYours('status.currentStepState', mirror);
  }
}

/** Typed clients write a field's zero where it was absent, and leave it out where it was zero. */
const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.values(value).every(isNothing));

const same = (a: unknown, b: unknown): boolean => {
  if (isNothing(a) && isNothing(b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => same(a[key], b[key]));
};
