// The caches of each replica: Rollouts and their workloads, ReleasePolicies and namespaces.
import { WORKLOAD_TYPE } from '../api/keys.ts';
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, KubeObject, Rollout, Workload } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { steadyClock as clock } from '../kube/clock.ts';
import { inNamespaces, type Collection } from '../kube/collection.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { NAMESPACES, POLICIES, ROLLOUTS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { heldIndex } from '../operator/policies.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import { KINDS } from '../engine/workload/registry.ts';
import type { Workloads } from '../operator/facts.ts';
import { transformWorkload } from '../operator/transform.ts';
import { workloadIndex } from '../operator/workload.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Caches {
  readonly rollouts: Collection<Rollout>;
  readonly deployments: Collection<Deployment>;
  /** The workloads of each kind, including Deployments. */
  readonly workloads: Workloads;
}

export interface CachesOptions {
  readonly api: Api;
  /** Empty = all namespaces. */
  readonly namespaces: readonly string[];
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Starts the caches that webhooks and operator use. Each replica has them, to answer admission requests and to take the lead without delay. */
export function startCaches({ api, namespaces, logger, metrics }: CachesOptions): Caches {
  const make = <T extends KubeObject>(resource: Resource, options: Partial<ReflectorOptions<T>>): Collection<T> => {
    const collection = inNamespaces<T>(
      namespaces,
      (namespace) =>
        new Reflector<T>({
          api,
          clock,
          logger,
          onRestart: (reason) => metrics.watchRestart(resource.plural, reason),
          onDrift: (objects) => metrics.watchDrift(resource.plural, objects),
          ...options,
          path: pathOf(resource, { namespace }),
        }),
    );
    collection.start();
    return collection;
  };
  const workloads = new Map(
    KINDS.map((kind) => [
      kind,
      make<Workload>(kind.resource, {
        labelSelector: WORKLOAD_TYPE,
        transform: transformWorkload,
        indexes: { held: heldIndex, enrolled: () => ['*'] },
      }),
    ]),
  );
  return {
    rollouts: make<Rollout>(ROLLOUTS, { indexes: { workload: workloadIndex } }),
    deployments: workloads.get(deploymentKind) as Collection<Deployment>,
    workloads,
  };
}

export interface PolicyCacheSet {
  readonly policies: Reflector<ReleasePolicy>;
  readonly namespaces: Reflector<KubeObject>;
}

/** Starts the caches of policies, and of the namespace labels that policies select by. */
export function startPolicyCaches({ api, logger, metrics }: Omit<CachesOptions, 'namespaces'>): PolicyCacheSet {
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
