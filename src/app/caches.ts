// The caches of each replica: Rollouts and their workloads, ReleasePolicies and namespaces.
import { WORKLOAD_TYPE } from '../api/keys.ts';
import type { ReleasePolicy } from '../api/policy.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { steadyClock as clock } from '../kube/clock.ts';
import { inNamespaces, type Collection } from '../kube/collection.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { NAMESPACES, POLICIES, resourceName, ROLLOUTS, TRAFFIC_ROUTINGS, type Resource } from '../api/resources.ts';
import { Served } from '../kube/served.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { pathOf } from '../kube/path.ts';
import { routedKeys } from '../engine/traffic/rivals.ts';
import { routeKeys } from '../engine/traffic/routing-object.ts';
import { heldIndex } from '../operator/policies.ts';
import { inFlightIndex } from '../operator/releases.ts';
import { KINDS, OPTIONAL_KINDS } from '../engine/workload/registry.ts';
import type { WorkloadCollection, Workloads } from '../operator/facts.ts';
import { routingIndex } from '../operator/traffic-routings.ts';
import { transformWorkload } from '../operator/transform.ts';
import { kindIndex, workloadIndex, workloadsIn } from '../operator/workload.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Caches {
  readonly rollouts: Collection<Rollout>;
  readonly workloads: Workloads;
  /** Absent if the installation does not change routes. */
  readonly routings?: Collection<TrafficRoutingObject>;
}

export interface CachesOptions {
  readonly api: Api;
  /** Empty = all namespaces. */
  readonly namespaces: readonly string[];
  /** Workloads of OpenKruise are released, in clusters that have their CRDs. */
  readonly openkruise: boolean;
  /** TrafficRoutings are read. */
  readonly gatewayApi: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Starts the caches that webhooks and operator use. Each replica has them, to answer admission requests and to take the lead without delay. */
export function startCaches({ api, namespaces, openkruise, gatewayApi, logger, metrics }: CachesOptions): Caches {
  const make = <T extends KubeObject>(
    resource: Resource,
    { onTrouble, ...options }: Partial<ReflectorOptions<T>> & { readonly onTrouble?: () => void },
  ): Collection<T> =>
    inNamespaces<T>(
      namespaces,
      (namespace) =>
        new Reflector<T>({
          api,
          clock,
          logger,
          onRestart(reason) {
            metrics.watchRestart(resourceName(resource), reason);
            onTrouble?.();
          },
          onDrift: (objects) => metrics.watchDrift(resourceName(resource), objects),
          ...options,
          path: pathOf(resource, { namespace }),
        }),
    );
  const workloadsOf = ({ resource }: WorkloadKind, onTrouble?: () => void): Collection<Workload> =>
    make<Workload>(resource, {
      labelSelector: WORKLOAD_TYPE,
      transform: transformWorkload,
      indexes: { held: heldIndex, enrolled: () => ['*'] },
      ...(onTrouble && { onTrouble }),
    });
  const collectionOf = (kind: WorkloadKind): WorkloadCollection => {
    if (!OPTIONAL_KINDS.includes(kind)) return workloadsOf(kind);
    return new Served<Workload>({
      api,
      clock,
      logger,
      what: workloadsIn(kind),
      definition: resourceName(kind.resource),
      version: kind.resource.apiVersion.split('/')[1] ?? '',
      make: (onTrouble) => workloadsOf(kind, onTrouble),
      onRestart: (resource, reason) => metrics.watchRestart(resource, reason),
    });
  };
  const kinds = KINDS.filter((kind) => openkruise || !OPTIONAL_KINDS.includes(kind));
  const workloads = new Map(kinds.map((kind) => [kind, collectionOf(kind)]));
  const rollouts = make<Rollout>(ROLLOUTS, {
    indexes: {
      workload: workloadIndex,
      kind: kindIndex,
      routed: routedKeys,
      routing: routingIndex,
      inFlight: inFlightIndex,
    },
  });
  const routings = gatewayApi
    ? make<TrafficRoutingObject>(TRAFFIC_ROUTINGS, { indexes: { routed: routeKeys } })
    : undefined;
  for (const collection of [rollouts, ...workloads.values(), routings]) collection?.start();
  return { rollouts, workloads, ...(routings && { routings }) };
}

/** The workloads with the name of their kind, for messages. */
export const namedCaches = ({
  rollouts,
  workloads,
}: Caches): readonly (readonly [string, Collection<KubeObject>])[] => [
  ['Rollouts', rollouts as Collection<KubeObject>],
  ...[...workloads].map(([kind, cache]) => [workloadsIn(kind), cache as Collection<KubeObject>] as const),
];

/** The first result of a check of these caches, with their names. */
export const firstOf = (
  caches: Caches,
  check: (what: string, cache: Collection<KubeObject>) => string | undefined,
): string | undefined => {
  for (const [what, cache] of namedCaches(caches)) {
    const found = check(what, cache);
    if (found !== undefined) return found;
  }
  return undefined;
};

export interface PolicyCacheSet {
  readonly policies: Reflector<ReleasePolicy>;
  readonly namespaces: Reflector<KubeObject>;
}

/** Starts the caches of policies, and of the namespace labels that policies select by. */
export function startPolicyCaches({
  api,
  logger,
  metrics,
}: Omit<CachesOptions, 'namespaces' | 'openkruise' | 'gatewayApi'>): PolicyCacheSet {
  const make = <T extends KubeObject>(resource: Resource, transform?: (object: T) => T): Reflector<T> => {
    const reflector = new Reflector<T>({
      api,
      clock,
      logger,
      path: pathOf(resource),
      onRestart: (reason) => metrics.watchRestart(resource.plural, reason),
      onDrift: (objects) => metrics.watchDrift(resource.plural, objects),
      ...(transform && { transform }),
    });
    reflector.start();
    return reflector;
  };
  return {
    policies: make<ReleasePolicy>(POLICIES),
    namespaces: make<KubeObject>(NAMESPACES, ({ metadata }) => {
      const { name, uid, resourceVersion, labels } = metadata;
      return {
        metadata: { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }), ...(labels && { labels }) },
      };
    }),
  };
}

/** Says that a cache may be out of date, or returns undefined. It does not affect readiness, because that would remove all replicas at once. */
export const inDoubt = (what: string, { doubt }: { doubt: string | undefined }): string | undefined =>
  doubt === undefined ? undefined : `the ${what} may be out of date: ${doubt}`;

/** Says that a cache is not complete, or is from before the restore of a backup. Returns undefined if the cache is usable. */
export const notSynced = (
  what: string,
  { synced, problem }: { synced: boolean; problem: string | undefined },
): string | undefined => (synced ? undefined : `the ${what} have not been read yet${problem ? `: ${problem}` : ''}`);
