// Validates a TrafficRouting against its published schema.
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { violationsOf } from './rollout.ts';
import { trafficRouting as isTrafficRouting } from './validators.ts';

/** With these errors, the object is not a TrafficRouting that further checks can read. */
const HARD = new Set(['type', 'required']);

export function checkTrafficRouting(object: unknown): {
  readonly violations: readonly Violation[];
  readonly routing: TrafficRoutingObject | undefined;
} {
  if (isTrafficRouting(object)) return { violations: [], routing: object as TrafficRoutingObject };
  const errors = isTrafficRouting.errors ?? [];
  const readable = !errors.some(({ keyword }) => HARD.has(keyword));
  return { violations: violationsOf(object, errors), routing: readable ? (object as TrafficRoutingObject) : undefined };
}
