// The Services of the legs: created, repointed while no rule names them, and removed when nothing does.
import type { EndpointSlice, Service } from '../../api/traffic.ts';
import type { Effect } from '../decision.ts';
import { pods } from '../lib/text.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { readyEndpoints } from './endpoints.ts';
import { providerOf } from './registry.ts';
import { disownRoute } from './route.ts';
import { blocked, inState, nameOf, referenceTo, settle, wait, without } from './scene.ts';
import type { Aim, Pin, Scene, TrafficStep } from './scene.ts';
import { deleteLeg, isLegOf, legOf, obstacleOf, selects, writeLeg } from './services.ts';
import { LEGS, type Leg, type Split } from './split.ts';

/** A written Service is looked at after this time, if nothing is heard of its EndpointSlices. */
const LOOK_AGAIN_MS = 5_000;

/** Writes the route. Undefined if it already is like this. */
type Reroute = (split: Split | undefined) => TrafficStep | undefined;

/**
 * Undefined if the Service of the leg exists, selects the version and, if the leg is to get `more` requests, has enough ready endpoints. Its selector
 * changes only while no rule names it, so proxies never send requests of one version to the other.
 */
export function prepared(scene: Scene, aim: Aim, leg: Leg, more: boolean, reroute: Reroute): TrafficStep | undefined {
  const { facts, rollout, workload, known } = scene;
  const { base, slices } = facts;
  const pin = aim.pins[leg];
  const live = facts.legs[leg];
  const name = nameOf(scene, leg);
  if (base === null || workload === undefined || pin === undefined)
    return wait(scene, 'Warm', `Service ${name} waits for the version that it selects`);
  const { named, carries } = referenceTo(scene, leg);
  const unnamed = (): TrafficStep | undefined => (named ? reroute(without(scene, leg, null)) : undefined);
  const obstacle = obstacleOf(base, workload.spec.template, rollout, live === null ? [] : [live]);
  if (obstacle)
    return unnamed() ?? blocked(scene, `Service ${base.metadata.name} ${obstacle.reason}: ${obstacle.remedy}`);
  // A rule that names a Service that is not there fails.
  if (live === null && named) return unnamed();
  if (live !== null && !selects(live, pin.label)) {
    const unready = unnamed() ?? settle(scene, known.state);
    if (unready) return unready;
  }
  const [write] = writeLeg(live ?? undefined, legOf(base, leg, pin.label, rollout));
  if (write) return change(scene, `Service ${name} is written`, write);
  if (!more || live === null) return undefined;
  // A leg that has requests keeps them while it waits for more.
  const warm = (waits: string, againAtMs?: number): TrafficStep => ({
    ...wait(scene, 'Warm', waits, againAtMs),
    ...(carries && { status: known }),
  });
  if (slices === undefined) return warm('the EndpointSlices are being read', scene.now + LOOK_AGAIN_MS);
  const waits = unready(slices, live, pin);
  if (waits !== undefined) return warm(waits);
  return named ? undefined : warmed(scene, name);
}

/** A rule may name the Service when all proxies know it. */
function warmed(scene: Scene, name: string): TrafficStep | undefined {
  const until = (parseTime(inState(scene, 'Warm').since) ?? scene.now) + scene.known.graceSeconds * 1000;
  const waits = `the proxies have until ${formatTime(until)} to know Service ${name} (gracePeriodSeconds)`;
  return scene.now < until ? wait(scene, 'Warm', waits, until) : undefined;
}

/** Endpoints of other Pods are left from before the selector changed. */
function unready(slices: readonly EndpointSlice[], service: Service, pin: Pin): string | undefined {
  const ready = [...readyEndpoints(slices, service)];
  const own = ready.filter((uid) => pin.pods.has(uid));
  const { name } = service.metadata;
  if (own.length < ready.length) return `the EndpointSlices of Service ${name} still have Pods of another version`;
  const needs = Math.max(1, pin.needs);
  return own.length >= needs
    ? undefined
    : `the EndpointSlices of Service ${name} have ${own.length} of ${pods(needs)} that must be ready`;
}

/** The state begins again: what was observed before does not count for it. */
const change = (scene: Scene, waits: string, effect: Effect): TrafficStep => ({
  reached: false,
  effects: [effect],
  waits,
  status: inState(scene, 'Warm', true),
  againAtMs: scene.now + LOOK_AGAIN_MS,
});

/** Deletes the Services of ours, after what a crash has left in the route. Undefined if there are none. */
export function removeLegs({ facts, rollout, known, now, ask }: Scene): TrafficStep | undefined {
  const names = LEGS.map((leg) => facts.legs[leg])
    .filter((service) => service !== null && isLegOf(service, rollout))
    .map((service) => service!.metadata.name);
  if (names.length === 0) return undefined;
  const provider = providerOf(ask.route.resource.kind);
  const traces = provider && facts.route ? disownRoute(provider, facts.route) : [];
  const effects = [...traces, ...names.map((name) => deleteLeg(name, rollout))];
  const waits = `Service ${names.join(' and Service ')} is deleted`;
  return { reached: false, effects, waits, status: known, againAtMs: now + LOOK_AGAIN_MS };
}
