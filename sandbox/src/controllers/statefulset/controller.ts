// The StatefulSet controller: one sync reads its caches, moves Pods in the order of their ordinals, and writes the status.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import { claim } from '../framework/claim.ts';
import {
  createController,
  isConflict,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import {
  controllerOf,
  keyOf,
  pathOfObject,
  PODS,
  sameJson,
  selects,
  splitKey,
  STATEFUL_SETS,
} from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { Written } from '../framework/written.ts';
import { isReady, isTerminating, untilAvailableMs } from '../replicaset/pods.ts';
import { PodControl } from './pod-control.ts';
import { isMember } from './pods.ts';
import { RevisionKeeper, type History } from './revisions.ts';
import { asWritten, completed, isNews, type StatefulSetStatus } from './status.ts';
import { movePods } from './update.ts';

export const createStatefulSetController = (options: ControllerOptions): Controller =>
  createController('statefulset-controller', options, (session) => new StatefulSetController(session));

/** Created only if a StatefulSet exists. */
interface Parts {
  pods: Cache;
  revisions: RevisionKeeper;
  control: PodControl;
}

class StatefulSetController {
  private readonly session: Session;
  private readonly sets: Cache;
  private readonly queue: WorkQueue;
  private readonly written = new Written();
  private parts: Parts | undefined;

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key));
    this.sets = session.cache(STATEFUL_SETS, ({ type, object }) => {
      if (type === 'DELETED') this.written.forget(keyOf(object));
      this.queue.add(keyOf(object));
    });
  }

  private start(): Parts {
    const pods = this.session.cache(PODS, (event) => this.onPod(event));
    const control = new PodControl(this.session, pods, this.written);
    return { pods, control, revisions: new RevisionKeeper(this.session) };
  }

  private onPod({ type, object, previous }: CacheEvent): void {
    const owner = this.ownerOf(object);
    const previousOwner = previous && this.ownerOf(previous);
    if (previousOwner && previousOwner !== owner) this.queue.add(keyOf(previousOwner));
    if (owner) this.queue.add(keyOf(owner));
    else if (type !== 'DELETED' && !controllerOf(object) && !sameMeta(object, previous)) {
      for (const set of this.sets.inNamespace(object.metadata.namespace!)) {
        if (selects(set.spec.selector, object.metadata.labels)) this.queue.add(keyOf(set));
      }
    }
  }

  private ownerOf(pod: KubeObject): KubeObject | undefined {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'StatefulSet') return undefined;
    const set = this.sets.get(pod.metadata.namespace, owner.name);
    return set?.metadata.uid === owner.uid ? set : undefined;
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const set = this.sets.get(namespace, name);
    if (!set || !this.written.seen(key)) return;
    const { pods: cache, revisions } = (this.parts ??= this.start());
    await revisions.adoptOrphans(set);
    const pods = await claim(this.session, {
      owner: set,
      ownerType: STATEFUL_SETS,
      type: PODS,
      candidates: [...cache.controlledBy(set.metadata.uid!), ...cache.orphans(namespace)],
      wanted: (pod) => isMember(set, pod),
    });
    const history = await revisions.of(set);
    const { status, error } = await this.move(set, history, pods);
    await revisions.truncate(set, pods, history);
    if (error) throw error;
    if (status.readyReplicas !== status.availableReplicas) this.lookAgain(set, pods);
  }

  /** Moves the Pods and writes the status, even if a Pod could not be moved. */
  private async move(
    set: KubeObject,
    { current, update, collisions }: History,
    pods: readonly KubeObject[],
  ): Promise<{ status: StatefulSetStatus; error?: unknown }> {
    const names = { current: current.metadata.name, update: update.metadata.name, collisions };
    const { control } = this.parts!;
    const nowMs = this.session.clock.now();
    const moved = await movePods({ set, current, update, names, pods, control, nowMs });
    const status = completed(set, moved.status);
    if (isNews(set, status)) await this.writeStatus(set, status);
    return { ...moved, status };
  }

  /** No event announces that a Pod becomes available. */
  private lookAgain(set: KubeObject, pods: readonly KubeObject[]): void {
    const nowMs = this.session.clock.now();
    const waits = pods
      .filter((pod) => !isTerminating(pod) && isReady(pod))
      .map((pod) => untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, nowMs)!);
    this.queue.addAfter(keyOf(set), Math.min(...waits.filter((ms) => ms > 0), set.spec.minReadySeconds * 1000) + 1);
  }

  private async writeStatus(set: KubeObject, status: StatefulSetStatus): Promise<void> {
    const path = pathOfObject(STATEFUL_SETS, set);
    const write = (onto: KubeObject): Promise<KubeObject> =>
      this.session.request('PUT', `${path}/status`, {
        body: { ...onto, status: asWritten(status) },
      });
    const written = await write(set).catch(async (error: unknown) => {
      if (!isConflict(error)) throw error;
      return write(await this.session.request('GET', path));
    });
    this.written.note(keyOf(set), this.sets, written);
  }
}

const sameMeta = ({ metadata }: KubeObject, previous: KubeObject | undefined): boolean =>
  previous !== undefined &&
  sameJson(metadata.labels, previous.metadata.labels) &&
  sameJson(metadata.ownerReferences, previous.metadata.ownerReferences);
