// Routes of the Gateway API, which Argo Rollouts and Flagger change: they become trafficRoutings. What routes requests in another way is lost.
import type { Json } from '../../api/json.ts';
import { asList, asObject, lost, note, type Remark } from './types.ts';

export interface Routes {
  /** Fields for spec.strategy.canary. Empty: each Pod gets its share of the requests. */
  readonly canary: { readonly trafficRoutings?: readonly Json[] };
  readonly remarks: readonly Remark[];
}

const EVENLY =
  'only routes of the Gateway API are supported: a weight becomes the same percentage of Pods, and the Service sends requests to all Pods';
const PLUGIN = 'argoproj-labs/gatewayAPI';
const AT = 'spec.strategy.canary.trafficRouting';

const KINDS = [
  { kind: 'HTTPRoute', field: 'httpRouteName', one: 'httpRoute', many: 'httpRoutes' },
  { kind: 'GRPCRoute', field: 'grpcRouteName', one: 'grpcRoute', many: 'grpcRoutes' },
] as const;

/** `canary`: spec.strategy.canary of Argo's Rollout. */
export function argoRoutes(canary: Json, namespace: unknown): Routes {
  const traffic = asObject(canary['trafficRouting']);
  if (traffic === undefined) return { canary: {}, remarks: [] };
  const { plugins, maxTrafficWeight: _scale, managedRoutes, ...others } = traffic;
  const { [PLUGIN]: plugin, ...otherPlugins } = asObject(plugins) ?? {};
  const remarks: Remark[] = Object.keys({ ...others, ...otherPlugins }).map((name) =>
    lost(`${AT} (${name}): ${EVENLY}`),
  );
  if (managedRoutes !== undefined) remarks.push(lost(`${AT}.managedRoutes: write matches in the steps instead`));
  const own = asObject(plugin);
  // A route needs every way of routing to be known: the other one would send requests past it.
  if (own === undefined || remarks.some(({ text }) => text.includes(EVENLY))) {
    return { canary: {}, remarks: remarks.length > 0 ? remarks : [lost(`${AT}${namesIn(traffic)}: ${EVENLY}`)] };
  }
  const at = `${AT}.plugins[${PLUGIN}]`;
  const without = (why: string): Routes => ({
    canary: {},
    remarks: [
      ...remarks,
      lost(`${at}: ${why}: a weight becomes the same percentage of Pods; write trafficRoutings yourself`),
    ],
  });
  const routes = KINDS.flatMap(({ kind, field, one, many }) =>
    [own[one], ...asList(own[many]).map((item) => asObject(item)?.['name'])]
      .filter((name) => typeof name === 'string')
      .map((name) => ({ kind, field, name })),
  );
  const [route, ...more] = routes;
  const { stableService, canaryService } = canary;
  if (route === undefined) return without('names no HTTPRoute and no GRPCRoute');
  if (more.length > 0) return without(`names ${routes.length} routes, and a Rollout has one`);
  if (own['namespace'] !== undefined && own['namespace'] !== (namespace ?? 'default'))
    return without(`the route is in namespace ${String(own['namespace'])}, and not in that of the Rollout`);
  if (typeof stableService !== 'string') return without('there is no stableService');
  const rest = typeof canaryService === 'string' ? `, and remove Service "${canaryService}" from it` : '';
  remarks.push(
    note(
      `${at}: becomes spec.strategy.canary.trafficRoutings: in ${route.kind} "${route.name}", send all requests to Service "${stableService}"${rest}; set the value traffic.gatewayAPI.enabled of the chart`,
    ),
  );
  return {
    canary: { trafficRoutings: [{ service: stableService, gateway: { [route.field]: route.name } }] },
    remarks,
  };
}

const namesIn = (traffic: Json): string => {
  const names = Object.keys(traffic);
  return names.length > 0 ? ` (${names.join(', ')})` : '';
};

/** `target`: the name of the Deployment. Flagger's route has the name of its Service. */
export function flaggerRoutes(spec: Json, target: string): Routes {
  const { provider } = spec;
  if (provider === undefined) return { canary: {}, remarks: [] };
  const at = `spec.provider ${JSON.stringify(provider)}`;
  if (typeof provider !== 'string' || !/^gatewayapi(:|$)/.test(provider))
    return { canary: {}, remarks: [lost(`${at}: ${EVENLY}`)] };
  const service = String(asObject(spec['service'])?.['name'] ?? target);
  return {
    canary: { trafficRoutings: [{ service, gateway: { httpRouteName: service } }] },
    remarks: [
      note(
        `${at}: becomes spec.strategy.canary.trafficRoutings: write HTTPRoute "${service}" yourself, with the gatewayRefs, hosts and rules of spec.service, because Flagger's one is deleted with the Canary; set the value traffic.gatewayAPI.enabled of the chart`,
      ),
    ],
  };
}
