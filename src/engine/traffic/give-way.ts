// A Rollout whose route or Service an older one has: it takes what is its own out of the route, once, and writes nothing more.
import { TRAFFIC } from '../../api/keys.ts';
import type { Effect } from '../decision.ts';
import { labelValueOf } from '../lib/text.ts';
import { parseTime } from '../lib/time.ts';
import { carried } from './carried.ts';
import { removeLegs } from './legs.ts';
import { providerOf } from './registry.ts';
import { leaveRoute, leaveRules } from './route.ts';
import { blocked, follow, inState, routeName, wait, type Aim, type Scene, type TrafficStep } from './scene.ts';

/** What is left to do before nothing of this Rollout is in the way. Undefined if there is nothing. */
export function leaving(scene: Scene): TrafficStep | undefined {
  // Nothing is written before the status.
  if (scene.begins || scene.facts.unreadable !== undefined) return undefined;
  const effects = taken(scene);
  if (effects.length > 0) {
    const status = { ...inState(scene, 'Unroute', true), weight: 0, step: 0 };
    return { reached: false, effects, waits: `${routeName(scene)} is written`, status };
  }
  const { since } = inState(scene, 'Unroute');
  const until = (parseTime(since) ?? 0) + scene.known.graceSeconds * 1000;
  if (scene.now < until) return wait(scene, 'Unroute', follow(scene, until), until);
  return carried(scene, null) ?? removeLegs(scene);
}

/** The label says which Rollout has changed the route last. If it is the older one, with the same Service, the names of the legs are its own. */
function taken({ facts, rollout, ask, rival }: Scene): readonly Effect[] {
  const provider = providerOf(ask.route.resource.kind);
  const { route } = facts;
  if (provider === undefined || route === null) return [];
  if (route.metadata.labels?.[TRAFFIC] === labelValueOf(rollout.metadata.name))
    return leaveRoute(provider, route, ask.service);
  return rival?.service === ask.service ? [] : leaveRules(provider, route, ask.service);
}

/** The release waits, unless it asks for nothing. */
export function giveWay(scene: Scene, aim: Aim): TrafficStep {
  const left = leaving(scene);
  if (left !== undefined) return left;
  if (aim.split === undefined) return { reached: true, effects: [], waits: '', status: undefined };
  const { about, reason, remedy } = scene.rival!;
  const what = about === 'route' ? routeName(scene) : `Service ${scene.ask.service}`;
  return { ...blocked(scene, `${what} is ${reason}: ${remedy}`), status: undefined };
}
