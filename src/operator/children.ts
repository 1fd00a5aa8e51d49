// ReplicaSets and Pods of the releases in motion: watches that open when a release begins and close when it is over.
import type { Deployment, KubeObject, Pod, ReplicaSet } from '../api/types.ts';
import type { Children } from '../engine/snapshot.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Logger } from '../kube/log.ts';
import { PODS, REPLICA_SETS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { Reflector, type Listing } from '../kube/reflector.ts';
import { selectorText } from './selector.ts';
import { trimPod, trimReplicaSet } from './transform.ts';

export interface ChildWatchesDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something changed under this key. */
  readonly wake: (key: string) => void;
  /** All objects of this kind that belong to the key were listed. */
  readonly listed: (kind: 'ReplicaSet' | 'Pod', listing: Listing, key: string) => void;
  readonly metrics?: {
    watchRestart(resource: string, reason: string): void;
    watchDrift(resource: string, objects: number): void;
  };
}

interface Watches {
  readonly uid: string;
  readonly replicaSets: Reflector<ReplicaSet>;
  readonly pods: Reflector<Pod>;
}

export class ChildWatches {
  private readonly deps: ChildWatchesDeps;
  private readonly open_ = new Map<string, Watches>();

  constructor(deps: ChildWatchesDeps) {
    this.deps = deps;
  }

  /** Starts watching, unless it does already; wakes the key as soon as there is something to see. */
  open(key: string, deployment: Deployment): void {
    const uid = deployment.metadata.uid ?? '';
    const known = this.open_.get(key);
    if (known?.uid === uid) return;
    void this.close(key);
    const { namespace } = deployment.metadata;
    const labelSelector = selectorText(deployment.spec.selector);
    const watches: Watches = {
      uid,
      replicaSets: this.reflector<ReplicaSet>(REPLICA_SETS, namespace, labelSelector, trimReplicaSet),
      pods: this.reflector<Pod>(PODS, namespace, labelSelector, trimPod),
    };
    this.open_.set(key, watches);
    const { replicaSets, pods } = watches;
    replicaSets.onListed((listing) => this.deps.listed('ReplicaSet', listing, key));
    pods.onListed((listing) => this.deps.listed('Pod', listing, key));
    replicaSets.start();
    pods.start();
    void Promise.all([replicaSets.whenSynced(), pods.whenSynced()]).then((synced) => {
      if (synced.includes(false)) return;
      for (const reflector of [replicaSets, pods]) reflector.on(() => this.deps.wake(key));
      this.deps.wake(key);
    });
  }

  /** Undefined until both are complete. */
  get(key: string, deployment: Deployment): Children | undefined {
    const watches = this.open_.get(key);
    if (watches?.uid !== deployment.metadata.uid || !watches) return undefined;
    const { replicaSets, pods } = watches;
    if (!replicaSets.synced || !pods.synced) return undefined;
    return { replicaSets: [...replicaSets.store.values()], pods: [...pods.store.values()] };
  }

  async close(key: string): Promise<void> {
    const watches = this.open_.get(key);
    this.open_.delete(key);
    await Promise.all([watches?.replicaSets.stop(), watches?.pods.stop()]);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.open_.keys()].map((key) => this.close(key)));
  }

  private reflector<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    labelSelector: string,
    trim: (object: T, before?: T) => T,
  ): Reflector<T> {
    const { api, clock, logger, metrics } = this.deps;
    return new Reflector<T>({
      api,
      clock,
      logger,
      path: pathOf(resource, { namespace }),
      labelSelector,
      trim,
      onRestart: (reason) => metrics?.watchRestart(resource.plural, reason),
      onDrift: (objects) => metrics?.watchDrift(resource.plural, objects),
    });
  }
}
