// Scenes for tests of traffic, and a walk: what a release does step by step until traffic stands where it is to stand.
import assert from 'node:assert/strict';
import { isObject } from '../../../src/api/json.ts';
import { MANAGED_BY, SERVICE_NAME, TRAFFIC } from '../../../src/api/keys.ts';
import { HTTP_ROUTES } from '../../../src/api/resources.ts';
import type { EndpointSlice, Route, Service, TrafficStatus } from '../../../src/api/traffic.ts';
import type { Workload } from '../../../src/api/types.ts';
import type { Effect } from '../../../src/engine/decision.ts';
import type { PatchOp } from '../../../src/engine/lib/json-patch.ts';
import { SLICE_CONTROLLER } from '../../../src/engine/traffic/endpoints.ts';
import type { TrafficFacts } from '../../../src/engine/traffic/facts.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import { engageRoute } from '../../../src/engine/traffic/route.ts';
import { isRefusal } from '../../../src/engine/traffic/rules.ts';
import type { Aim, Pin, Scene, TrafficStep } from '../../../src/engine/traffic/scene.ts';
import { legOf } from '../../../src/engine/traffic/services.ts';
import { legName, type Leg, type Split } from '../../../src/engine/traffic/split.ts';
import { towards } from '../../../src/engine/traffic/steps.ts';
import { applyOps } from '../../support/json-patch.ts';
import { ago, deployment, NOW, rollout } from '../build.ts';
import { NAMESPACE, ref, route, rule, service } from './build.ts';

export const ROUTING = { service: 'web', gateway: { httpRouteName: 'web' } };
export const OWNER = rollout({ canary: { trafficRoutings: [ROUTING] }, metadata: { namespace: NAMESPACE } });
const KEY = 'pod-template-hash';
const PODS: Readonly<Record<Leg, readonly string[]>> = {
  canary: ['new-1', 'new-2'],
  stable: ['old-1', 'old-2', 'old-3'],
};

/** What a leg selects: the Pods of a version. */
export const pinOf = (leg: Leg, more: Partial<Pin> = {}): Pin => ({
  label: { key: KEY, value: leg === 'canary' ? 'v2' : 'v1' },
  pods: new Set(PODS[leg]),
  needs: PODS[leg].length,
  ...more,
});
export const aim = (split: Split | undefined, more: Partial<Aim> = {}): Aim => ({
  split,
  step: split === undefined ? 0 : 1,
  pins: { canary: pinOf('canary'), stable: pinOf('stable') },
  ...more,
});

/** The Service of a leg as it is stored. `value`: the version that it selects. */
export function stored(leg: Leg, value = pinOf(leg).label.value): Service {
  const made = legOf(service(), leg, { key: KEY, value }, OWNER);
  return { ...made, metadata: { ...made.metadata, uid: `uid-${leg}`, resourceVersion: '9' } };
}

/** The EndpointSlice of a leg. */
export const sliceOf = (leg: Leg, uids: readonly string[] = PODS[leg]): EndpointSlice => ({
  metadata: {
    name: `${leg}-slice`,
    labels: { [SERVICE_NAME]: legName('web', leg), [MANAGED_BY]: SLICE_CONTROLLER },
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Service', name: legName('web', leg), uid: `uid-${leg}`, controller: true },
    ],
  },
  endpoints: uids.map((uid) => ({ conditions: { ready: true }, targetRef: { kind: 'Pod', name: uid, uid } })),
});

/** The route as its controller has observed it. */
export const observed = (of: Route): Route => ({
  ...of,
  status: {
    parents: [
      {
        controllerName: 'example.com/gateway',
        conditions: ['Accepted', 'ResolvedRefs'].map((type) => ({
          type,
          status: 'True',
          observedGeneration: of.metadata.generation ?? 0,
        })),
      },
    ],
  },
});

export const USER = observed(route([rule([ref('web')]), rule([ref('other')])]));

/** The user's route with a split, observed. */
export function carrying(split: Split, of: Route = USER): Route {
  const effects = engageRoute(httpRoutes, of, { rollout: OWNER.metadata.name, split });
  assert.ok(!isRefusal(effects));
  const [effect] = effects;
  assert.ok(effect?.kind === 'Patch');
  return observed(applyOps(of, effect.patch as readonly PatchOp[]));
}

export const known = (more: Partial<TrafficStatus> = {}): TrafficStatus => ({
  mode: 'Shared',
  state: 'Warm',
  weight: 0,
  step: 0,
  since: ago(600),
  service: 'web',
  route: { kind: 'HTTPRoute', name: 'web' },
  graceSeconds: 3,
  ...more,
});

export interface SceneSketch extends Partial<Omit<Scene, 'facts' | 'known'>> {
  readonly facts?: Partial<TrafficFacts>;
  readonly known?: Partial<TrafficStatus>;
}

export const scene = ({ facts, known: status, ...more }: SceneSketch = {}): Scene => ({
  now: NOW,
  rollout: OWNER,
  workload: deployment(),
  ask: { service: 'web', route: { resource: HTTP_ROUTES, name: 'web' } },
  facts: { route: USER, base: service(), legs: { canary: null, stable: null }, slices: [], ...facts },
  known: known(status),
  begins: false,
  ...more,
});

/** What an effect does, in short: `+web-canary`, `web=95 web-canary=5`, `-web-canary`, `Apart`. */
export function shown(effect: Effect, facts: TrafficFacts): string {
  if (effect.kind === 'Create') return `+${effect.object.metadata.name}`;
  if (effect.kind === 'Delete') return `-${effect.name}`;
  assert.ok(effect.kind === 'Patch');
  if (effect.resource === HTTP_ROUTES) {
    const rules = after(facts, effect).route?.spec.rules ?? [];
    const [first] = rules.filter(({ backendRefs = [] }) => backendRefs.some(({ name }) => name === 'web'));
    const refs = (first?.backendRefs ?? []).map(({ name, weight }) => `${name}=${weight}`).join(' ');
    return rules.length > 2 ? `matches, ${refs}` : refs;
  }
  if (effect.resource.kind === 'Service') return `~${effect.before.metadata.name}`;
  const metadata = (effect.patch as { metadata: { annotations?: Record<string, unknown> } }).metadata;
  return `workload ${String(metadata.annotations?.[TRAFFIC])}`;
}

/** The facts after an effect, as a cluster would show them soon. */
function after(facts: TrafficFacts, effect: Effect): TrafficFacts {
  const legOfName = (name: string): Leg => (name === 'web-canary' ? 'canary' : 'stable');
  if (effect.kind === 'Create') {
    const leg = legOfName(effect.object.metadata.name);
    const metadata = { ...effect.object.metadata, uid: `uid-${leg}`, resourceVersion: '9' };
    const legs = { ...facts.legs, [leg]: { ...effect.object, metadata } };
    return { ...facts, legs, slices: [...(facts.slices ?? []), sliceOf(leg)] };
  }
  if (effect.kind === 'Delete') return { ...facts, legs: { ...facts.legs, [legOfName(effect.name)]: null } };
  assert.ok(effect.kind === 'Patch');
  if (effect.resource === HTTP_ROUTES) {
    assert.ok(facts.route);
    const next = applyOps(facts.route, effect.patch as readonly PatchOp[]);
    const generation = (facts.route.metadata.generation ?? 0) + 1;
    return { ...facts, route: observed({ ...next, metadata: { ...next.metadata, generation } }) };
  }
  const leg = legOfName(effect.before.metadata.name);
  return effect.resource.kind === 'Service'
    ? { ...facts, legs: { ...facts.legs, [leg]: applyMergePatch(effect.before, effect.patch) as Service } }
    : facts;
}

/** RFC 7386. */
function applyMergePatch(object: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const next: Record<string, unknown> = isObject(object) ? { ...object } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete next[key];
    else next[key] = applyMergePatch(next[key], value);
  }
  return next;
}

const MOST_STEPS = 60;

/** The states and writes until the aim is reached, each once; and where it ends. `lost`: after the writes of this step, its status is not written. */
export function walk(
  from: Scene,
  to: Aim,
  lost = MOST_STEPS,
): { readonly lines: readonly string[]; readonly end: Scene; readonly last: TrafficStep } {
  let now = from;
  const lines: string[] = [];
  for (let count = 0; count < MOST_STEPS; count++) {
    const step = towards(now, to);
    const line = `${step.status?.state ?? 'gone'}${step.effects.map((effect) => `: ${shown(effect, now.facts)}`).join('')}`;
    if (lines.at(-1) !== line) lines.push(line);
    if (step.reached || step.blocked) return { lines, end: now, last: step };
    let { facts, workload } = now;
    for (const effect of step.effects) {
      if (effect.kind === 'Patch' && effect.before === workload)
        workload = applyMergePatch(workload, effect.patch) as Workload;
      else facts = after(facts, effect);
    }
    // After a write, something is heard soon.
    const at = Math.max(now.now + 1000, step.effects.length > 0 ? 0 : (step.againAtMs ?? 0));
    now = { ...now, now: at, facts, workload, known: (count !== lost && step.status) || now.known, begins: false };
  }
  return assert.fail(`not reached:\n${lines.join('\n')}`);
}
