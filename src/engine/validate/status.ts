// Validates writes of a Rollout's status: the operator may write everything, other users only an approval.
import { isObject, type Json } from '../../api/json.ts';
import type { Rollout } from '../../api/types.ts';
import { isApprovable } from '../lib/pause.ts';
import { isEarlier } from '../release/completed.ts';
import type { Violation } from './violation.ts';

/** The fields that an approval writes, in canaryStatus and in its copy in status. */
const APPROVAL_FIELDS = new Set(['currentStepState', 'nextStepIndex', 'undoTo']);

/**
 * The new status with the fields that the client dropped. A client that knows only OpenKruise's fields and replaces the whole status drops the
 * others, or writes zero values. Changed fields stay changed, and are validated.
 */
export const restoreDropped = (old: unknown, next: unknown): unknown =>
  old === undefined ? next : fill(old, next ?? {});

const fill = (old: unknown, next: unknown): unknown => {
  if (next === undefined || next === null || same(old, next)) return old;
  if (!isObject(old) || !isObject(next)) return next;
  const filled = Object.keys({ ...next, ...old }).map((key): [string, unknown] => [key, fill(old[key], next[key])]);
  return Object.fromEntries(filled.filter(([, value]) => value !== undefined));
};

/** Errors in a write by a user who is not the operator. */
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
  type: 'Forbidden',
  reason: 'only the operator writes this field',
  remedy: 'keep it; to approve a step, set only status.canaryStatus.currentStepState to StepReady',
});

/** True if this write approves a step. */
export const isApproval = (old: Rollout, next: Rollout): boolean =>
  [...APPROVAL_FIELDS].some((field) => {
    const [before, after] = [old, next].map((rollout) => (rollout.status?.canaryStatus as Json | undefined)?.[field]);
    return before !== after;
  });

function* approval(old: Rollout, next: Rollout): Generator<Violation> {
  const [before, after] = [old.status?.canaryStatus, next.status?.canaryStatus];
  const steps = old.spec.strategy.canary?.steps?.length ?? 0;
  const state = after?.currentStepState;
  if (state !== before?.currentStepState && (state !== 'StepReady' || !isApprovable(before))) {
    yield {
      field: 'status.canaryStatus.currentStepState',
      value: state,
      reason:
        state !== 'StepReady'
          ? 'only the operator writes this state'
          : before === undefined || before.currentStepState === ''
            ? 'no release is in progress'
            : `step ${before.currentStepIndex} of ${steps} is in state ${before.currentStepState}`,
      remedy: 'write StepReady when the state is StepPaused or StepMetricsAnalysis',
    };
  }
  const undoTo = after?.undoTo;
  if (undoTo !== undefined && undoTo !== before?.undoTo && !isEarlier(old, undoTo)) {
    const field = 'status.canaryStatus.undoTo';
    const reason = 'must be the templateDigest of an earlier version in status.completedVersions';
    yield { field, value: undoTo, reason, remedy: 'write one of them; another version goes through the steps' };
  }
  const jump = after?.nextStepIndex;
  if (jump !== before?.nextStepIndex && (jump === undefined || !Number.isInteger(jump) || jump < 1 || jump > steps)) {
    const field = 'status.canaryStatus.nextStepIndex';
    yield { field, value: jump, reason: 'must be the number of a step', remedy: `write 1 to ${steps}` };
  }
  // status.currentStepState copies the field of canaryStatus and must not change alone.
  const mirror = next.status?.currentStepState;
  if (mirror !== old.status?.currentStepState && !same(mirror, state)) {
    yield notYours('status.currentStepState', mirror);
  }
}

/** Typed clients write the zero value of absent fields, or omit fields with a zero value. */
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
