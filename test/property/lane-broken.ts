// Broken engines of TrafficRoutings, each of which violates an invariant: what the crash suite must find out.
import { TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import { SERVICES, TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { RouteRule } from '../../src/api/traffic.ts';
import type { Effect } from '../../src/engine/decision.ts';
import type { PatchOp } from '../../src/engine/lib/json-patch.ts';
import {
  decideRouting,
  routeToRead,
  type RoutingDecision,
  type RoutingFacts,
} from '../../src/engine/traffic/routing-object.ts';
import { NAME } from '../operator/world.ts';
import { isOfLane } from './lane-watcher.ts';

type Engine = (facts: RoutingFacts) => RoutingDecision;

const isRoute = ({ kind, why }: Effect): boolean => kind === 'Patch' && why === 'route';

/** Changes the rules of each write of a route. */
const rewriting =
  (write: (rules: readonly RouteRule[]) => readonly RouteRule[]): Engine =>
  (facts) => {
    const decision = decideRouting(facts);
    const effects = decision.effects.map((effect): Effect => {
      if (effect.kind !== 'Patch' || !isRoute(effect)) return effect;
      const patch = (effect.patch as readonly PatchOp[]).map((op) =>
        op.path === '/spec/rules' && op.op !== 'remove' ? { ...op, value: write(op.value as RouteRule[]) } : op,
      );
      return { ...effect, patch };
    });
    return { ...decision, effects };
  };

/** Sends the requests with the header elsewhere. */
export const stray: Engine = rewriting((rules) =>
  rules.map((rule) => (isOfLane(rule) ? { ...rule, backendRefs: [{ name: `${NAME}-canary`, port: 80 }] } : rule)),
);

/** Loses what a user wrote during the release. */
export const forgetful: Engine = rewriting((rules) => rules.map(({ timeouts: _, ...rule }) => rule));

/** Removes the finalizer before the route is given back. */
export const eager: Engine = (facts) => {
  const decision = decideRouting(facts);
  const { object, releasing } = facts;
  const finalizers = object.metadata.finalizers ?? [];
  const gives = decision.effects.some(isRoute) && (releasing.length === 0 || object.metadata.deletionTimestamp != null);
  if (!gives || !finalizers.includes(TRAFFIC_ROUTING)) return decision;
  const patch = { metadata: { resourceVersion: object.metadata.resourceVersion ?? '', finalizers: [] } };
  return {
    ...decision,
    effects: [{ kind: 'Patch', why: 'finalizer', resource: TRAFFIC_ROUTINGS, before: object, patch }],
  };
};

/** Writes the route before the status says which one. */
export const rash: Engine = (facts) => {
  const { object, releasing } = facts;
  const named = routeToRead(object);
  if (object.status === undefined || releasing.length === 0 || named === undefined) return decideRouting(facts);
  const route = { kind: named.provider.resource.kind, name: named.name };
  const decision = decideRouting({ ...facts, object: { ...object, status: { ...object.status, route } } });
  const { route: _, ...status } = decision.status;
  return decision.effects.some(isRoute) ? decision : { ...decision, status };
};

/** Makes a Service. */
export const generous: Engine = (facts) => {
  const decision = decideRouting(facts);
  if (!decision.effects.some(isRoute)) return decision;
  const metadata = { name: `${NAME}-canary`, namespace: 'default' };
  const spec = { selector: { app: NAME }, ports: [{ port: 80 }] };
  const object = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'Create', why: 'service', resource: SERVICES, object }],
  };
};

/** Keeps the route for ever. */
export const clinging: Engine = (facts) =>
  decideRouting(facts.object.metadata.finalizers?.length ? { ...facts, releasing: ['demo-rollout'] } : facts);

/** Is done when the status says which route it is. */
export const idle: Engine = (facts) => {
  const decision = decideRouting(facts);
  return { ...decision, effects: decision.effects.filter((effect) => !isRoute(effect)) };
};

/** Leaves to nobody what a crash after the last write of a route has left. */
export const untidy: Engine = (facts) => {
  const decision = decideRouting(facts);
  return { ...decision, effects: decision.effects.filter(({ kind }) => kind !== 'Disown') };
};
