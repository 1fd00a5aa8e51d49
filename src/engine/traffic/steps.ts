// The next step of the traffic of a release towards where it is to stand: one safe write, or what is waited for (docs/adr/0031).
import type { TrafficState } from '../../api/traffic.ts';
import { parseTime } from '../lib/time.ts';
import { carried } from './carried.ts';
import { readyEndpoints } from './endpoints.ts';
import { giveWay, leaving } from './give-way.ts';
import { prepared, removeLegs } from './legs.ts';
import { providerOf } from './registry.ts';
import { engageRoute, leaveRoute } from './route.ts';
import { isRefusal } from './rules.ts';
import { blocked, follow, inState, nameOf, referenceTo, routeName, settle, wait, without } from './scene.ts';
import type { Aim, Scene, TrafficStep } from './scene.ts';
import { isLegOf } from './services.ts';
import { idle, isEngaged, isIdle, LEGS, routingThatChanges, type ApartSplit, type Split } from './split.ts';

/** An API server whose definition of Rollouts lacks the field drops it. */
const WRITTEN =
  'status.canaryStatus.traffic is written; if this lasts, apply the CustomResourceDefinitions of this version of Tranche';

/**
 * Level-triggered: it looks at the live objects and goes one step towards the aim, whatever happened before. Each write is safe to stop at for ever.
 * Order towards a split: Service of the leg, its ready endpoints (Warm), the leg with weight 0 (Refer), its weight (Shift). Apart does the same for
 * the stable leg first (Pin). Fewer requests for a leg are written at once; more only when all proxies know the leg. Towards no split: the user's
 * route (Unroute), and the Services go a grace period later.
 */
export function towards(scene: Scene, aim: Aim): TrafficStep {
  const { facts, known, begins } = scene;
  if (scene.rival !== undefined) return giveWay(scene, aim);
  // Before the first write, so that whatever is written is found again after a crash or an edit of the Rollout.
  if (begins) return { reached: false, effects: [], waits: WRITTEN, status: known };
  if (facts.unreadable !== undefined) return blocked(scene, facts.unreadable);
  if (aim.split === undefined) return unroute(scene, aim);
  const lost = retreat(scene);
  if (lost) return lost;
  const missing = missingOf(scene);
  if (missing !== undefined) return blocked(scene, `${missing} does not exist: create it, or remove trafficRoutings`);
  const { split } = aim;
  if (split.mode === 'Shared') return shift(scene, aim, split);
  const waiting = pin(scene, aim, split);
  if (waiting) return waiting;
  // The status may not say so yet, if Tranche died after the write of the route.
  const apart: Scene = { ...scene, known: { ...scene.known, mode: 'Apart' } };
  return isIdle(split) ? rest(apart, aim, split) : shift(apart, aim, split);
}

function missingOf(scene: Scene): string | undefined {
  const { facts, ask } = scene;
  if (facts.route === null) return routeName(scene);
  return facts.base === null ? `Service ${ask.service}` : undefined;
}

/**
 * The end of a rollback, apart: the Pods of the other version have just ended, and proxies may still know them as endpoints of the user's Service. So
 * the requests stay with the stable leg for a grace period more.
 */
function outlived(scene: Scene): TrafficStep | undefined {
  if (!referenceTo(scene, 'stable').carries) return undefined;
  const { since } = inState(scene, 'Unroute');
  const until = (parseTime(since) ?? 0) + scene.known.graceSeconds * 1000;
  return until > scene.now ? wait(scene, 'Unroute', follow(scene, until), until) : undefined;
}

/** The user's own route, and then nothing of ours. */
function unroute(before: Scene, { clean = false, urgent = false }: Aim): TrafficStep {
  const left = clean ? outlived(before) : undefined;
  const written = left ?? routed(before, undefined, 'Unroute', 0, 0);
  if (written) return written;
  // The status was not written if Tranche died after the write of the route.
  const scene = { ...before, known: { ...before.known, weight: 0, step: 0 } };
  const waiting = settle(scene, 'Unroute', { urgent }) ?? carried(scene, null);
  if (waiting) return waiting;
  const status = scene.known;
  if (!clean) return { reached: true, effects: [], waits: '', status };
  // Requests that are still on their way may use the Services.
  const later = settle(scene, 'Unroute', { urgent, periods: 2 }) ?? removeLegs(scene);
  return later ?? { reached: true, effects: [], waits: '', status: undefined };
}

/** Requests to a leg without a ready endpoint fail, so none go there, at once; and none where an older Rollout has the route. Undefined if no leg is like that. */
export function retreat(scene: Scene): TrafficStep | undefined {
  const { facts } = scene;
  if (scene.rival !== undefined) return leaving(scene);
  const { slices } = facts;
  if (slices === undefined || facts.unreadable !== undefined) return undefined;
  for (const leg of LEGS) {
    const service = facts.legs[leg];
    // A Service or a ref of the user may have the name of a leg.
    const ours = service === null ? facts.route && isEngaged(facts.route) : isLegOf(service, scene.rollout);
    if (!ours || !referenceTo(scene, leg).carries) continue;
    if (service !== null && readyEndpoints(slices, service).size > 0) continue;
    const name = nameOf(scene, leg);
    const why = service === null ? `Service ${name} does not exist` : `Service ${name} has no ready endpoint`;
    const message = `${why}: ${routeName(scene)} sends it no requests until it has one`;
    const step = routed(scene, without(scene, leg, service), 'Retreated', 0);
    if (step) return { ...step, waits: message, events: [{ reason: 'TrafficRetreated', message }] };
  }
  return undefined;
}

/** Undefined when all requests that the canary leg does not get go to the stable leg. */
function pin(scene: Scene, aim: Aim, split: ApartSplit): TrafficStep | undefined {
  const { carries, named } = referenceTo(scene, 'stable');
  const waiting = prepared(scene, aim, 'stable', !carries, (to) => routed(scene, to, 'Pin', 0));
  if (waiting) return waiting;
  const { base, stable } = split;
  if (carries) return undefined;
  // As a second leg with weight 0, so that proxies know its endpoints before all requests go there.
  if (!named) return routed(scene, { mode: 'Shared', base, canary: stable, weight: 0 }, 'Pin', 0);
  const apart = { ...scene, known: { ...scene.known, mode: 'Apart' as const } };
  return (
    settle(scene, 'Pin') ??
    carried(scene, 'Apart') ??
    routed(apart, { mode: 'Apart', base, stable, weight: 0 }, 'Pin', 0)
  );
}

/** Pinned, and the canary leg gets no requests. */
function rest(scene: Scene, { step }: Aim, { base, stable }: ApartSplit): TrafficStep {
  const canary = scene.facts.legs.canary && referenceTo(scene, 'canary').named ? nameOf(scene, 'canary') : undefined;
  const split: Split = { mode: 'Apart', base, stable, weight: 0, ...(canary !== undefined && { canary }) };
  return routed(scene, split, 'Pin', 0, step) ?? settle(scene, 'Pin') ?? done(scene, 'Pin', 0, step);
}

/** The canary leg gets its requests. */
function shift(scene: Scene, aim: Aim, split: Split): TrafficStep {
  const { carries, named } = referenceTo(scene, 'canary');
  const more = !carries || split.weight > scene.known.weight || aim.step !== scene.known.step;
  const waiting = prepared(scene, aim, 'canary', more, (to) => routed(scene, to, 'Warm', 0));
  if (waiting) return waiting;
  if (!named) return routed(scene, idle(split), 'Refer', 0) ?? done(scene, 'Refer');
  const unready = carries ? undefined : settle(scene, 'Refer');
  return (
    unready ??
    carried(scene, split.mode) ??
    routed(scene, split, 'Shift', split.weight, aim.step) ??
    settle(scene, 'Shift') ??
    done(scene, 'Watch', split.weight, aim.step)
  );
}

const done = (scene: Scene, state: TrafficState, weight = 0, step = scene.known.step): TrafficStep => ({
  reached: true,
  effects: [],
  waits: '',
  status: { ...scene.known, state, weight, step },
});

/** One write of the route, with which the state begins. Undefined if the route already is like this. */
function routed(
  scene: Scene,
  split: Split | undefined,
  state: TrafficState,
  weight: number,
  step = scene.known.step,
): TrafficStep | undefined {
  const { facts, rollout, ask } = scene;
  const provider = providerOf(ask.route.resource.kind);
  if (facts.route === null || provider === undefined) return undefined;
  const routing = routingThatChanges(facts.route);
  if (routing !== undefined) {
    if (split === undefined) return undefined;
    const remedy = 'name another route in it, or remove trafficRoutings';
    return blocked(scene, `${routeName(scene)} is changed by TrafficRouting ${routing}: ${remedy}`);
  }
  const made =
    split === undefined
      ? leaveRoute(provider, facts.route, ask.service)
      : engageRoute(provider, facts.route, { rollout: rollout.metadata.name, split });
  if (isRefusal(made)) {
    const { reason, remedy } = made.problem;
    return blocked(scene, `${routeName(scene)} cannot carry the step: ${reason}; ${remedy}`);
  }
  if (made.length === 0) return undefined;
  const status = { ...inState(scene, state, true), weight, step };
  return { reached: false, effects: made, waits: `${routeName(scene)} is written`, status };
}
