// Where the traffic of a release is to stand in each state of its steps, and at its end.
import { CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH, TRAFFIC } from '../../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import { GRACE_SECONDS, type TrafficStatus } from '../../api/traffic.ts';
import type { CanaryStatus, Rollout, Workload } from '../../api/types.ts';
import type { Snapshot } from '../snapshot.ts';
import { isAlive } from '../workload/pods.ts';
import type { Goal, Progress, Version } from '../workload/kind.ts';
import type { TrafficAsk } from './facts.ts';
import { knownTraffic } from './known.ts';
import { graceOf, isRouted, matchesOf, pinned, routingOf, stepSplit, trafficMode } from './plan.ts';
import { namesIn, providerOf, sameNames } from './registry.ts';
import { secondFrom, type Aim, type Pin } from './scene.ts';
import { idle, WHOLE, type ApartSplit, type Leg, type Split } from './split.ts';

/** In these states the Pods of the step are there, and the step's requests go to them. */
const STANDS: ReadonlySet<string> = new Set(['StepTrafficRouting', 'StepMetricsAnalysis', 'StepPaused', 'StepReady']);

export interface StepFacts {
  readonly rollout: Rollout;
  readonly progress: Progress;
  readonly children: Snapshot['children'];
  readonly goal: Goal;
  /** From 1. */
  readonly index: number;
  readonly state: CanaryStatus['currentStepState'];
}

/** The objects that a Rollout names. Undefined if it names no route that Tranche can change. */
function namedBy(rollout: Rollout): TrafficAsk | undefined {
  const names = namesIn(rollout);
  // Admission refuses other names. It may not have seen the Rollout.
  const isValid =
    names !== undefined && [names.service, names.route.name].every((name) => isName(SUBDOMAIN_NAME, name));
  return isValid ? names : undefined;
}

/** The objects in the status, which has them as long as something of Tranche may be left on them. */
function notedIn(rollout: Rollout): TrafficAsk | undefined {
  const known = knownTraffic(rollout.status?.canaryStatus);
  const provider = known && providerOf(known.route.kind);
  return provider && { service: known.service, route: { resource: provider.resource, name: known.route.name } };
}

/** The objects of a release. */
export const askOf = (rollout: Rollout): TrafficAsk | undefined => notedIn(rollout) ?? namedBy(rollout);

/** True if the Rollout now names other objects than the status. */
export function hasMoved(rollout: Rollout): boolean {
  const noted = notedIn(rollout);
  return noted !== undefined && !sameNames(noted, namedBy(rollout));
}

/** The status before the first write, so that whatever is written is found again. */
export function begun(rollout: Rollout, ask: TrafficAsk, aim: Aim, now: number): TrafficStatus {
  const routing = routingOf(rollout);
  return {
    mode: aim.split?.mode ?? 'Shared',
    state: 'Warm',
    weight: 0,
    step: 0,
    since: secondFrom(now),
    service: ask.service,
    route: { kind: ask.route.resource.kind, name: ask.route.name },
    graceSeconds: routing === undefined ? GRACE_SECONDS : graceOf(routing),
  };
}

/** The split of a step, from 1, with so many Pods of the new version. Undefined if the user's own route does what the step asks for. */
function splitOf(rollout: Rollout, index: number, updated: number, replicas: number): Split | undefined {
  const routing = routingOf(rollout);
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const step = steps[index - 1];
  const planned = trafficMode(steps, replicas);
  // Scaling changes the shares of Pods, but not the mode of a release. Shared cannot express matches, which may be new in the plan.
  const { mode: running = planned } = knownTraffic(rollout.status?.canaryStatus) ?? {};
  const mode = planned !== undefined && steps.every((one) => matchesOf(one).length === 0) ? running : planned;
  if (routing === undefined || step === undefined || mode === undefined) return undefined;
  if (!isRouted(step, replicas, index >= steps.length)) return undefined;
  const split = stepSplit(routing, mode, step, { updated, all: replicas });
  // No Pod of the new version can serve requests.
  return split === undefined || updated > 0 ? split : mode === 'Apart' ? pinned(routing) : undefined;
}

/** A leg of this workload carries requests, or did. */
export const isMarked = (workload: Workload | undefined): boolean =>
  workload?.metadata.annotations?.[TRAFFIC] !== undefined;

/** The aim of a release in its steps. */
export function aimOfStep(facts: StepFacts): Aim {
  const { rollout, state, index, goal, progress } = facts;
  const { replicas, updated, available } = progress;
  const stands = STANDS.has(state);
  const pins = pinsOf({ ...facts, needs: stands ? Math.min(goal.target, replicas) - goal.tolerated : available });
  if (hasMoved(rollout)) return { split: undefined, step: 0, pins, clean: true };
  if (stands) return { split: splitOf(rollout, index, updated, replicas), step: index, pins };
  const known = knownTraffic(rollout.status?.canaryStatus);
  const next = splitOf(rollout, index, goal.target, replicas);
  if (next === undefined) return { split: undefined, step: 0, pins };
  const { step = 0, weight = 0, state: doing } = known ?? {};
  // A leg that has lost its requests gets them back when the Pods of the step are there.
  const goesOn = step > 0 && (doing === 'Shift' || doing === 'Watch');
  const before = goesOn ? splitOf(rollout, step, updated, replicas) : undefined;
  const split = whilePodsStart(next, before, goesOn ? weight : 0, progress);
  return { split, step: goesOn ? step : 0, pins };
}

/**
 * While Pods start, the new version gets no more requests than the step before or this one asks for. Shared, its Pods get their even part of the
 * user's Service in addition, so the weight of the leg falls first. Apart, the weight follows the Pods that can carry it, from the first one on: the Pods
 * that stay with the stable version get no more than they can carry.
 */
function whilePodsStart(next: Split, before: Split | undefined, weight: number, progress: Progress): Split | undefined {
  if (next.mode === 'Shared') {
    const least = Math.min(weight, next.weight);
    return least > 0 ? { ...next, weight: least } : undefined;
  }
  const isMatched = (split: ApartSplit): boolean => (split.matches ?? []).length > 0;
  const was = before?.mode === 'Apart' ? before : undefined;
  if (isMatched(next)) return was && isMatched(was) ? was : idle(next);
  const carried = Math.floor((WHOLE * progress.available) / Math.max(1, progress.replicas));
  const least = Math.max(weight, was?.weight ?? 0);
  return { ...next, weight: Math.min(next.weight, Math.max(least, carried)) };
}

/**
 * The aim before the workload is given back, or a newer version starts: no requests for the new version. In a release that goes on to its end, the
 * user's route. Otherwise (`stays`), and apart, all requests stay with the stable version, until no Pod of another version is left.
 */
export function aimAway(facts: Pick<StepFacts, 'rollout' | 'progress' | 'children'>, stays: boolean): Aim {
  const known = knownTraffic(facts.rollout.status?.canaryStatus);
  const { newVersion, stableVersion } = facts.progress;
  const urgent = newVersion === stableVersion;
  const pins = pinsOf({ ...facts, needs: 1 });
  const pinsStable = (stays || urgent) && known?.mode === 'Apart' && pins.stable !== undefined;
  if (!pinsStable) return { split: undefined, step: 0, pins, urgent };
  return { split: pinned({ service: known.service }), step: 0, pins, urgent };
}

/** The aim at the end: nothing of Tranche is left. */
export const NOTHING_LEFT: Aim = { split: undefined, step: 0, pins: {}, clean: true };

function pinsOf({
  progress,
  children,
  needs,
}: Pick<StepFacts, 'progress' | 'children'> & { readonly needs: number }): Partial<Record<Leg, Pin>> {
  const { kind, workload, newVersion, stableVersion } = progress;
  const key = kind.children.includes('replicaSets') ? POD_TEMPLATE_HASH : CONTROLLER_REVISION_HASH;
  const pin = (version: Version, ready: number): Pin => ({
    label: { key, value: version.revision },
    pods: new Set(
      kind
        .podsOf(workload, version, children?.pods ?? [])
        .filter(isAlive)
        .map(({ metadata }) => metadata.uid ?? ''),
    ),
    needs: ready,
  });
  return {
    ...(newVersion && newVersion !== stableVersion && { canary: pin(newVersion, needs) }),
    ...(stableVersion && { stable: pin(stableVersion, stableVersion.available) }),
  };
}
