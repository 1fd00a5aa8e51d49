// What the steps of a Rollout mean for its traffic: the mode of a release, and the split of a step.
import { GRACE_SECONDS, type HttpMatch, type TrafficMode, type TrafficRouting } from '../../api/traffic.ts';
import type { CanaryStep, Rollout } from '../../api/types.ts';
import { isWhole, percentOf, stepTargets } from '../lib/replicas.ts';
import { pods } from '../lib/text.ts';
import { legName, WHOLE, type ApartSplit, type Split } from './split.ts';

/** The routing of a Rollout. Undefined if its releases route no traffic. */
export const routingOf = ({ spec }: Rollout): TrafficRouting | undefined => spec.strategy.canary?.trafficRoutings?.[0];

/** How long proxies may need to follow a change of a route, in seconds. As in OpenKruise, 0 means the default. */
export const graceOf = ({ gracePeriodSeconds = 0 }: TrafficRouting): number =>
  gracePeriodSeconds > 0 ? gracePeriodSeconds : GRACE_SECONDS;

export const matchesOf = ({ matches = [] }: CanaryStep): readonly HttpMatch[] => matches;

/** The share of the requests that a step asks for, in percent. Undefined if it asks for none. */
export const shareIn = ({ traffic }: CanaryStep): number | undefined =>
  traffic === undefined ? undefined : percentOf(traffic);

/** True if the step needs routes. A step of all Pods does not: the user's Service then selects the new version only. */
export const isRouted = (step: CanaryStep, replicas: number, last: boolean): boolean =>
  !isWhole(step, replicas, last) && (matchesOf(step).length > 0 || shareIn(step) !== undefined);

/**
 * The mode of a whole release. Shared, if each routed step asks for at least the share of its Pods: then the user's Service can stay a leg, and its
 * other callers see the same versions. Undefined if no step is routed.
 */
export function trafficMode(steps: readonly CanaryStep[], replicas: number): TrafficMode | undefined {
  const targets = stepTargets(steps, replicas);
  const routed = steps.flatMap((step, index) =>
    isRouted(step, replicas, index === steps.length - 1) ? [{ step, target: targets[index] ?? 0 }] : [],
  );
  if (routed.length === 0) return undefined;
  const shares = routed.every(
    ({ step, target }) => matchesOf(step).length === 0 && (shareIn(step) ?? 0) * replicas >= 100 * target,
  );
  return shares ? 'Shared' : 'Apart';
}

/** Pods that are available: of the new version, and of both. */
export interface Counts {
  readonly updated: number;
  readonly all: number;
}

/** The split before any new Pod starts: the stable leg has all requests. */
export const pinned = ({ service }: TrafficRouting): ApartSplit => ({
  mode: 'Apart',
  base: service,
  stable: legName(service, 'stable'),
  weight: 0,
});

/**
 * The split that a step asks for. Undefined if the user's own route does what it asks for: the step is not routed, or is shared and the share of its
 * Pods is enough.
 */
export function stepSplit(
  routing: TrafficRouting,
  mode: TrafficMode,
  step: CanaryStep,
  { updated, all }: Counts,
): Split | undefined {
  const canary = legName(routing.service, 'canary');
  const percent = shareIn(step) ?? 0;
  if (mode === 'Shared') {
    const weight = all > updated ? Math.floor((WHOLE * (percent * all - 100 * updated)) / (100 * (all - updated))) : 0;
    return weight > 0 ? { mode, base: routing.service, canary, weight: Math.min(weight, WHOLE) } : undefined;
  }
  const matches = matchesOf(step);
  if (matches.length === 0) return { ...pinned(routing), canary, weight: Math.min(percent * 10, WHOLE) };
  const { requestHeaderModifier } = step;
  return {
    ...pinned(routing),
    canary,
    matches,
    ...(requestHeaderModifier !== undefined && { requestHeaderModifier }),
  };
}

/** The share of the requests that the new version gets, in thousandths. Requests that match are not counted. */
export function shareOfNew(split: Split | undefined, { updated, all }: Counts): number {
  const ofPods = all > 0 ? (WHOLE * updated) / all : 0;
  if (split === undefined) return ofPods;
  return split.mode === 'Apart' ? split.weight : split.weight + ((WHOLE - split.weight) * ofPods) / WHOLE;
}

/** `5% of the requests`, or which of them. */
export const requestsOfStep = (step: CanaryStep): string =>
  matchesOf(step).length > 0 ? 'the requests that match' : `${shareIn(step) ?? 0}% of the requests`;

/** `step 1 sends 5% of the requests of Service web to 1 Pod`. Undefined if the step is not routed. */
export function describeStep(
  { service }: TrafficRouting,
  steps: readonly CanaryStep[],
  index: number,
  replicas: number,
): string | undefined {
  const step = steps[index];
  if (step === undefined || !isRouted(step, replicas, index === steps.length - 1)) return undefined;
  const target = pods(stepTargets(steps, replicas)[index] ?? 0);
  return `step ${index + 1} sends ${requestsOfStep(step)} of Service ${service} to ${target}`;
}
