// Checks the routes of Rollouts: whether the installation changes routes, and whether a route that a release has changed has that release.
import { HELD, TRAFFIC } from '../../api/keys.ts';
import { GRPC_ROUTES, HTTP_ROUTES, resourceName, ROLLOUTS, SERVICES, TRAFFIC_ROUTINGS } from '../../api/resources.ts';
import type { Route, TrafficRoutingObject } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import { namesIn, providerOf } from '../../engine/traffic/registry.ts';
import { routingRefOf } from '../../engine/traffic/routing-object.ts';
import { labelValueOf, plural } from '../../engine/lib/text.ts';
import { userRules } from '../../engine/traffic/route.ts';
import { routeRecord } from '../../engine/traffic/split.ts';
import { asRoute } from '../../engine/traffic/shape.ts';
import { show } from '../../engine/validate/violation.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { Cluster } from '../cluster.ts';
import { installWith, ok, patchCommand, problem, type Finding } from './finding.ts';
import type { WebhookConfiguration } from './webhooks.ts';

/** The webhook of the chart that is there if it changes routes. */
const WEBHOOK = 'routes.tranche.dev';
const VALUE = 'traffic.gatewayAPI.enabled=true';

/** In the namespace of the command. */
export async function checkRoutes(cluster: Cluster, webhooks: readonly WebhookConfiguration[]): Promise<Finding[]> {
  const { namespace } = cluster;
  const rollouts = await orNone(cluster.list<Rollout>(ROLLOUTS, { namespace }));
  const routings = await orNone(cluster.list<TrafficRoutingObject>(TRAFFIC_ROUTINGS, { namespace }));
  const routed = rollouts.filter((rollout) => namesIn(rollout) !== undefined);
  const findings: Finding[] = [];
  const enabled = webhooks.some(({ webhooks: all = [] }) => all.some(({ name }) => name === WEBHOOK));
  if (routed.length === 0 && !enabled) return [];
  if (routed.length > 0 && !enabled) {
    const names = routed.map(({ metadata }) => metadata.name).join(', ');
    findings.push(
      problem(
        `${plural(routed.length, 'Rollout')} with trafficRoutings (${names}), but the installation does not change routes`,
        installWith(VALUE),
      ),
    );
  }
  for (const rollout of routed) findings.push(...(await checkRouted(cluster, rollout)));
  if (enabled) findings.push(...rollouts.flatMap((rollout) => checkNamed(rollout, routings, namespace)));
  for (const resource of [HTTP_ROUTES, GRPC_ROUTES]) {
    const routes = await orNone(cluster.list<Route>(resource, { namespace }));
    findings.push(
      ...routes.flatMap((route) =>
        checkEngaged(resourceName(resource), { ...route, kind: resource.kind }, rollouts, routings),
      ),
    );
  }
  if (routed.length > 0 && findings.length === 0)
    findings.push(ok(`the routes and Services of ${plural(routed.length, 'Rollout')} exist`));
  return findings;
}

/** The CRD may be absent. */
const orNone = <T>(asked: Promise<T[]>): Promise<T[]> =>
  asked.catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });

async function checkRouted(cluster: Cluster, rollout: Rollout): Promise<Finding[]> {
  const names = namesIn(rollout);
  if (names === undefined) return [];
  const { namespace = cluster.namespace, name } = rollout.metadata;
  const { route, service } = names;
  const findings: Finding[] = [];
  for (const [resource, wanted] of [
    [route.resource, route.name],
    [SERVICES, service],
  ] as const) {
    if ((await cluster.find(resource, { namespace, name: wanted })) !== undefined) continue;
    findings.push(
      problem(
        `Rollout ${namespace}/${name} names ${resource.kind} ${wanted}, which does not exist: its releases wait`,
        `kubectl get ${resourceName(resource).replace(/\.$/, '')} -n ${namespace}`,
      ),
    );
  }
  return findings;
}

/** A Rollout names a TrafficRouting that does not exist. */
function checkNamed(rollout: Rollout, routings: readonly TrafficRoutingObject[], namespace: string): Finding[] {
  const name = routingRefOf(rollout);
  if (name === undefined || routings.some(({ metadata }) => metadata.name === name)) return [];
  return [
    problem(
      `Rollout ${namespace}/${rollout.metadata.name} names TrafficRouting ${name}, which does not exist: no request gets other headers`,
      `kubectl get ${resourceName(TRAFFIC_ROUTINGS)} -n ${namespace}`,
    ),
  ];
}

/** A route with a record, without a release that it belongs to. */
function checkEngaged(
  resource: string,
  found: Route,
  rollouts: readonly Rollout[],
  routings: readonly TrafficRoutingObject[],
): Finding[] {
  const { labels, annotations, name, namespace = 'default' } = found.metadata;
  if (labels?.[TRAFFIC] === undefined && annotations?.[HELD] === undefined) return [];
  const owner = rollouts.find(({ metadata }) => labelValueOf(metadata.name) === labels?.[TRAFFIC]);
  if (owner?.status?.canaryStatus?.traffic !== undefined) return [];
  const route = asRoute(found);
  const record = route && routeRecord(route);
  const byRouting = record !== undefined && 'trafficRouting' in record ? record.trafficRouting : undefined;
  const isOf = ({ metadata, status }: TrafficRoutingObject): boolean =>
    metadata.name === byRouting && status?.route?.name === name && status.route.kind === found.kind;
  if (routings.some(isOf)) return [];
  const marks = { labels: { [TRAFFIC]: null }, annotations: { [HELD]: null } };
  const provider = providerOf(found.kind);
  const rules = record && provider && { spec: { rules: userRules(provider, route, record.split.base) } };
  const why =
    byRouting !== undefined
      ? `TrafficRouting ${show(byRouting).slice(1, -1)} does not exist, or does not change it`
      : owner === undefined
        ? 'no Rollout of this name exists'
        : `Rollout ${owner.metadata.name} has no release that changes it`;
  return [
    problem(
      `${found.kind} ${namespace}/${name} has the rules of a release, but ${why}; ` +
        (rules === undefined
          ? 'its record is not readable: apply your manifest, and then run this'
          : 'this command restores yours'),
      patchCommand(resource, name, namespace, { metadata: marks, ...rules }),
    ),
  ];
}
