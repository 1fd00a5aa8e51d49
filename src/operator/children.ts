// Watches of the children of workloads, such as ReplicaSets and Pods. They open when a release starts and close when it ends.
import { HELD } from '../api/keys.ts';
import type { ControllerRevision, KubeObject, Pod, ReplicaSet, Workload } from '../api/types.ts';
import type { Children } from '../engine/snapshot.ts';
import type { ChildKind, WorkloadKind } from '../engine/workload/kind.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Logger } from '../kube/log.ts';
import { CONTROLLER_REVISIONS, kindName, PODS, REPLICA_SETS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { Reflector, type Change, type Listing } from '../kube/reflector.ts';
import { selectorText } from '../engine/lib/selector.ts';
import { transformPod, transformReplicaSet } from './transform.ts';
import { delayOfPod, LATER_MS, TOGETHER_MS } from './wakes.ts';

export interface ChildWatchesDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a child of this key changed: a decision on it is needed after this time. */
  readonly wake: (key: string, afterMs: number) => void;
  /** True if the controllers of the workload still observe or count a change. */
  readonly isInterim?: (key: string) => boolean;
  /** Called when all children of this kind were listed. */
  readonly listed: (kind: string, listing: Listing, key: string) => void;
  readonly metrics?: {
    watchRestart(resource: string, reason: string): void;
    watchDrift(resource: string, objects: number): void;
  };
}

/** The resource of each kind of children, and the part of an object that is cached. */
const CHILDREN: Readonly<Record<ChildKind, { readonly resource: Resource; readonly transform: Transform }>> = {
  replicaSets: {
    resource: REPLICA_SETS,
    transform: (set, before) => transformReplicaSet(set as ReplicaSet, before as ReplicaSet),
  },
  pods: { resource: PODS, transform: (pod) => transformPod(pod as Pod) },
  revisions: { resource: CONTROLLER_REVISIONS, transform: (revision) => revision },
};
type Transform = (object: KubeObject, before?: KubeObject) => KubeObject;

interface Watches {
  readonly uid: string;
  readonly of: ReadonlyMap<ChildKind, Reflector<KubeObject>>;
  /** Opens the watches. */
  readonly watch: () => void;
}

/** The watches open after this time even if no decision on the lists has asked for them, so that children are not older. */
const WATCH_AFTER_MS = 60_000;

export class ChildWatches {
  private readonly deps: ChildWatchesDeps;
  private readonly open_ = new Map<string, Watches>();

  constructor(deps: ChildWatchesDeps) {
    this.deps = deps;
  }

  /**
   * Lists and watches the children, and wakes the key when all are listed. If the workload is not held, the watches open with the next call: a
   * decision on the lists still needs them. To enrol a workload, one look is enough.
   */
  open(key: string, kind: WorkloadKind, workload: Workload): void {
    const uid = workload.metadata.uid ?? '';
    const known = this.open_.get(key);
    if (known?.uid === uid) {
      if (isSynced(known)) known.watch();
      return;
    }
    void this.close(key);
    const labelSelector = selectorText(workload.spec.selector);
    const { namespace } = workload.metadata;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.deps.clock.after(WATCH_AFTER_MS, resolve);
    const of = new Map(kind.children.map((child) => [child, this.reflector(child, namespace, labelSelector, promise)]));
    const watch = (): void => {
      cancel();
      resolve();
    };
    this.open_.set(key, { uid, of, watch });
    if (workload.metadata.annotations?.[HELD] !== undefined) watch();
    for (const [child, reflector] of of) {
      reflector.onListed((listing) => this.deps.listed(kindName(CHILDREN[child].resource), listing, key));
      reflector.start();
    }
    const reflectors = [...of.values()];
    void Promise.all(reflectors.map((reflector) => reflector.whenSynced())).then((synced) => {
      if (synced.includes(false)) return;
      for (const [child, reflector] of of)
        reflector.on((change) => this.deps.wake(key, this.delayOf(key, child, change)));
      this.deps.wake(key, 0);
    });
  }

  /** The children. `see` maps each object to its newest known state. Undefined until all are listed. */
  get(key: string, workload: Workload, see: <T extends KubeObject>(object: T) => T): Children | undefined {
    const watches = this.open_.get(key);
    if (!watches || watches.uid !== workload.metadata.uid) return undefined;
    if (!isSynced(watches)) return undefined;
    const objects = <T extends KubeObject>(child: ChildKind): T[] =>
      [...(watches.of.get(child)?.store.values() ?? [])].map((object) => see(object as T));
    return {
      replicaSets: objects<ReplicaSet>('replicaSets'),
      pods: objects<Pod>('pods'),
      revisions: objects<ControllerRevision>('revisions'),
    };
  }

  /** The ReplicaSets as their watch has them. Undefined until they are listed, and for a workload without them. */
  replicaSets(key: string): readonly ReplicaSet[] | undefined {
    const sets = this.open_.get(key)?.of.get('replicaSets');
    return sets?.synced ? ([...sets.store.values()] as ReplicaSet[]) : undefined;
  }

  private delayOf(key: string, child: ChildKind, change: Change<KubeObject>): number {
    if (child === 'pods') return delayOfPod(change as Change<Pod>);
    // The controllers observe and count it a moment later, and then all of it is decided on together.
    return change.type === 'updated' && this.deps.isInterim?.(key) === true ? LATER_MS : TOGETHER_MS;
  }

  async close(key: string): Promise<void> {
    const watches = this.open_.get(key);
    this.open_.delete(key);
    watches?.watch();
    await Promise.all([...(watches?.of.values() ?? [])].map((reflector) => reflector.stop()));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.open_.keys()].map((key) => this.close(key)));
  }

  private reflector(
    child: ChildKind,
    namespace: string | undefined,
    labelSelector: string,
    watchWhen: Promise<void>,
  ): Reflector<KubeObject> {
    const { api, clock, logger, metrics } = this.deps;
    const { resource, transform } = CHILDREN[child];
    return new Reflector<KubeObject>({
      api,
      clock,
      logger,
      path: pathOf(resource, { namespace }),
      labelSelector,
      transform,
      watchWhen,
      onRestart: (reason) => metrics?.watchRestart(resource.plural, reason),
      onDrift: (objects) => metrics?.watchDrift(resource.plural, objects),
    });
  }
}

const isSynced = ({ of }: Watches): boolean => [...of.values()].every(({ synced }) => synced);
