// Validates a ReleasePolicy against its published schema.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { violationsOf } from './rollout.ts';
import { policy as isPolicy } from './validators.ts';

/** With these errors, the object is not a ReleasePolicy that further checks can read. */
const HARD = new Set(['type', 'anyOf', 'required']);

export function checkPolicy(object: unknown): {
  readonly violations: readonly Violation[];
  readonly policy: ReleasePolicy | undefined;
} {
  if (isPolicy(object)) return { violations: [], policy: object as ReleasePolicy };
  const errors = isPolicy.errors ?? [];
  const readable = !errors.some(({ keyword }) => HARD.has(keyword));
  return { violations: violationsOf(object, errors), policy: readable ? (object as ReleasePolicy) : undefined };
}
