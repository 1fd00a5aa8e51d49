// What every replica keeps a copy of: the Rollouts and the Deployments that they name, of all namespaces or of some.
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
import type { Workloads } from '../operator/operator.ts';
import { trimWorkload } from '../operator/transform.ts';
import { workloadIndex } from '../operator/workload.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Caches {
  readonly rollouts: Collection<Rollout>;
  readonly deployments: Collection<Deployment>;
  /** Of each kind, the Deployments among them. */
  readonly workloads: Workloads;
}

export interface CachesOptions {
  readonly api: Api;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What both the webhooks and the operator look at; on every replica, so that each can answer and the next leader knows all at once. */
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
        trim: trimWorkload,
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

/** Policies, and the labels of namespaces that they select by. */
export function startPolicyCaches({ api, logger, metrics }: Omit<CachesOptions, 'namespaces'>): PolicyCacheSet {
  const make = <T extends KubeObject>(resource: Resource, trim?: (object: T) => T): Reflector<T> => {
    const reflector = new Reflector<T>({
      api,
      clock,
      logger,
      path: pathOf(resource),
      onRestart: (reason) => metrics.watchRestart(resource.plural, reason),
      onDrift: (objects) => metrics.watchDrift(resource.plural, objects),
      ...(trim && { trim }),
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

/** In words which of them may be out of date. Nobody is taken out of service for that: all replicas would be at the same time. */
export const inDoubt = (what: string, { doubt }: { doubt: string | undefined }): string | undefined =>
  doubt === undefined ? undefined : `the ${what} may be out of date: ${doubt}`;

/** In words which of them is not complete, or known to be of the time before a backup was restored. */
export const notSynced = (
  what: string,
  { synced, problem }: { synced: boolean; problem: string | undefined },
): string | undefined => (synced ? undefined : `the ${what} have not been read yet${problem ? `: ${problem}` : ''}`);
