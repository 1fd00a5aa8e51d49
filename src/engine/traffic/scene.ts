// What one decision about traffic starts from, and its answers.
import type { Service, TrafficState, TrafficStatus } from '../../api/traffic.ts';
import type { Rollout, Workload } from '../../api/types.ts';
import type { Effect, EventNote } from '../decision.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import type { TrafficAsk, TrafficFacts } from './facts.ts';
import { pendingOn } from './observed.ts';
import type { Rival } from './rivals.ts';
import type { VersionLabel } from './services.ts';
import { legName, type Leg, type Split } from './split.ts';
import { sentTo } from './weights.ts';

/** The version that a leg selects. */
export interface Pin {
  readonly label: VersionLabel;
  /** The uids of its Pods. */
  readonly pods: ReadonlySet<string>;
  /** Ready endpoints that the leg needs before it gets requests, or more of them. */
  readonly needs: number;
}

/** Where the traffic of a release is to stand. */
export interface Aim {
  /** Undefined: as the user's own route says. */
  readonly split: Split | undefined;
  /** The step that the split is of, from 1. 0 if it is of none. */
  readonly step: number;
  readonly pins: Readonly<Partial<Record<Leg, Pin>>>;
  /** Nothing of Tranche is left on the route, and no Service of a leg. */
  readonly clean?: boolean;
  /** A rollback waits: after a while it does not depend on what the controller of the route says. */
  readonly urgent?: boolean;
}

export interface Scene {
  readonly now: number;
  readonly rollout: Rollout;
  readonly workload: Workload | undefined;
  readonly ask: TrafficAsk;
  readonly facts: TrafficFacts;
  /** `status.canaryStatus.traffic`, which only the operator writes. */
  readonly known: TrafficStatus;
  /** `known` is not written yet. */
  readonly begins: boolean;
  /** An older Rollout has the route or the Service. */
  readonly rival?: Rival | undefined;
}

/** One answer: at most one write, and the status after it. */
export interface TrafficStep {
  /** Traffic stands where it is to stand, and all proxies know it. */
  readonly reached: boolean;
  readonly effects: readonly Effect[];
  /** What it waits for, as a sentence. Empty if it is reached. */
  readonly waits: string;
  /** A person must change something. */
  readonly blocked?: true;
  readonly againAtMs?: number;
  /** The next status. Undefined if nothing of Tranche is left. */
  readonly status: TrafficStatus | undefined;
  readonly events?: readonly EventNote[];
}

export const nameOf = ({ ask }: Scene, leg: Leg): string => legName(ask.service, leg);

/** `HTTPRoute web`. */
export const routeName = ({ ask: { route } }: Scene): string => `${route.resource.kind} ${route.name}`;

/** What the live rules of the route say about a leg, whatever the record on the route says. */
export function referenceTo(scene: Scene, leg: Leg): { readonly named: boolean; readonly carries: boolean } {
  const { route } = scene.facts;
  const { named, weight } = sentTo(route?.spec.rules ?? [], nameOf(scene, leg), route?.metadata.namespace);
  return { named, carries: weight > 0 };
}

/** The split with no requests for the leg, and without its name if the Service is gone. Undefined: the user's own route. */
export function without(scene: Scene, leg: Leg, service: Service | null): Split | undefined {
  const [base, stable, canary] = [scene.ask.service, nameOf(scene, 'stable'), nameOf(scene, 'canary')];
  if (leg === 'canary' && referenceTo(scene, 'stable').carries)
    return { mode: 'Apart', base, stable, weight: 0, ...(service && { canary }) };
  return leg === 'canary' && service ? { mode: 'Shared', base, canary, weight: 0 } : undefined;
}

/** Times are whole seconds: the next one, so that no grace period is shorter than it says. */
export const secondFrom = (ms: number): string => formatTime(Math.ceil(ms / 1000) * 1000);

/** A time in the future is not believed. */
function sinceMs({ known, now }: Scene): number | undefined {
  const since = parseTime(known.since);
  return since === undefined || since > now + 1000 ? undefined : since;
}

/** The status in a state. `begins`: it begins now, whatever it was before. */
export function inState(scene: Scene, state: TrafficState, begins = false): TrafficStatus {
  const { routeGeneration: _, ...known } = scene.known;
  const same = !begins && known.state === state && sinceMs(scene) !== undefined;
  return { ...known, state, since: same ? known.since : secondFrom(scene.now) };
}

export const wait = (scene: Scene, state: TrafficState, waits: string, againAtMs?: number): TrafficStep => ({
  reached: false,
  effects: [],
  waits,
  status: inState(scene, state),
  ...(againAtMs === undefined ? {} : { againAtMs }),
});

/** No event tells that the Service of another owner is deleted, or that a permission is granted. So both are checked again after this time. */
const BLOCKED_AGAIN_MS = 30_000;

export const blocked = (scene: Scene, why: string): TrafficStep => ({
  reached: false,
  effects: [],
  waits: why,
  againAtMs: scene.now + BLOCKED_AGAIN_MS,
  status: scene.known,
  blocked: true,
});

/** A rollback waits so long for the controller of the route. */
const URGENT_MS = 60_000;

/**
 * Waits until the route, as it is, was observed by its controller, and for the grace period after that, in which all proxies follow. Undefined if
 * that is over.
 */
export function settle(
  scene: Scene,
  state: TrafficState,
  { urgent = false, periods = 1 }: { readonly urgent?: boolean; readonly periods?: number } = {},
): TrafficStep | undefined {
  const { facts, known, now } = scene;
  const routeGeneration = facts.route?.metadata.generation ?? 0;
  const graceMs = known.graceSeconds * 1000 * periods;
  const since = sinceMs(scene);
  const current = known.state === state || (state === 'Shift' && known.state === 'Watch');
  if (current && known.routeGeneration === routeGeneration && since !== undefined) {
    const until = since + graceMs;
    return now < until ? { ...wait(scene, state, follow(scene, until), until), status: known } : undefined;
  }
  const next = inState(scene, state);
  const unseen = facts.route === null ? undefined : pendingOn(facts.route);
  const late = (parseTime(next.since) ?? now) + URGENT_MS;
  if (unseen !== undefined && !(urgent && late <= now)) return wait(scene, state, unseen, urgent ? late : undefined);
  const status = { ...next, since: secondFrom(now), routeGeneration };
  const until = (parseTime(status.since) ?? now) + graceMs;
  return { ...wait(scene, state, follow(scene, until), until), status };
}

export const follow = (scene: Scene, untilMs: number): string =>
  `the proxies of ${routeName(scene)} have until ${formatTime(untilMs)} to follow (gracePeriodSeconds)`;
