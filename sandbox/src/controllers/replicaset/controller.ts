// The ReplicaSet controller: creates and deletes Pods to match spec.replicas, and counts them in the status.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import { claim } from '../framework/claim.ts';
import {
  createController,
  isConflict,
  isNamespaceTerminating,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import {
  controllerOf,
  controllerReference,
  keyOf,
  pathOf,
  pathOfObject,
  PODS,
  REPLICA_SETS,
  sameJson,
  selects,
  splitKey,
} from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { Expectations } from './expectations.ts';
import { isActive, isTerminating, podsToDelete } from './pods.ts';
import { countPods, type ReplicaSetStatus } from './status.ts';

/** The maximum number of Pods to create or delete in one sync. */
const BURST = 500;

export const createReplicaSetController = (options: ControllerOptions): Controller =>
  createController('replicaset-controller', options, (session) => new ReplicaSetController(session));

class ReplicaSetController {
  private readonly session: Session;
  private readonly replicaSets: Cache;
  private readonly pods: Cache;
  private readonly queue: WorkQueue;
  private readonly expectations: Expectations;

  constructor(session: Session) {
    this.session = session;
    this.expectations = new Expectations(session.clock);
    this.queue = session.queue((key) => this.sync(key));
    this.replicaSets = session.cache(REPLICA_SETS, ({ type, object }) => {
      if (type === 'DELETED') this.expectations.forget(keyOf(object));
      this.queue.add(keyOf(object));
    });
    this.pods = session.cache(PODS, (event) => this.onPod(event));
  }

  private onPod({ type, object, previous }: CacheEvent): void {
    const owner = this.ownerOf(object);
    const key = owner && keyOf(owner);
    if (key && type === 'ADDED' && !isTerminating(object)) this.expectations.creationObserved(key);
    if (key && (type === 'DELETED' || isTerminating(object))) {
      this.expectations.deletionObserved(key, object.metadata.uid!);
    }
    const previousOwner = previous && this.ownerOf(previous);
    if (previousOwner && previousOwner !== owner) this.queue.add(keyOf(previousOwner));
    if (key) this.queue.add(key);
    else if (type !== 'DELETED' && !isTerminating(object) && !controllerOf(object)) {
      for (const replicaSet of this.replicaSets.inNamespace(object.metadata.namespace!)) {
        if (selects(replicaSet.spec.selector, object.metadata.labels)) this.queue.add(keyOf(replicaSet));
      }
    }
  }

  private ownerOf(pod: KubeObject): KubeObject | undefined {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ReplicaSet') return undefined;
    const replicaSet = this.replicaSets.get(pod.metadata.namespace, owner.name);
    return replicaSet?.metadata.uid === owner.uid ? replicaSet : undefined;
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const replicaSet = this.replicaSets.get(namespace, name);
    if (!replicaSet) return;
    const mayManage = this.expectations.satisfied(key);
    const pods = await claim(this.session, {
      owner: replicaSet,
      ownerType: REPLICA_SETS,
      type: PODS,
      candidates: [...this.pods.controlledBy(replicaSet.metadata.uid!), ...this.pods.orphans(namespace)],
      wanted: (pod) => controllerOf(pod) !== undefined || isActive(pod),
    });
    const active = pods.filter(isActive);
    let failure: Error | undefined;
    if (mayManage && !replicaSet.metadata.deletionTimestamp) {
      failure = await this.manage(replicaSet, active).catch((error: unknown) => error as Error);
    }
    const nowMs = this.session.clock.now();
    const { status, nextMs } = countPods(replicaSet, active, pods.filter(isTerminating).length, failure, nowMs);
    await this.writeStatus(replicaSet, status);
    if (failure) throw failure;
    if (nextMs !== undefined && nextMs < 2 ** 31) this.queue.addAfter(key, nextMs + 1);
  }

  /** Creates missing Pods or deletes surplus ones. Returns the error, if any. */
  private async manage(replicaSet: KubeObject, active: readonly KubeObject[]): Promise<Error | undefined> {
    const key = keyOf(replicaSet);
    const diff = active.length - replicaSet.spec.replicas;
    if (diff < 0) {
      const count = Math.min(-diff, BURST);
      this.expectations.expect(key, count, []);
      return firstError(await Promise.allSettled(Array.from({ length: count }, () => this.createPod(replicaSet, key))));
    }
    if (diff > 0) {
      const count = Math.min(diff, BURST);
      const doomed = podsToDelete(active, this.siblingsOf(replicaSet), count, this.session.clock.now());
      this.expectations.expect(
        key,
        0,
        doomed.map((pod) => pod.metadata.uid!),
      );
      return firstError(await Promise.allSettled(doomed.map((pod) => this.deletePod(replicaSet, key, pod))));
    }
    return undefined;
  }

  /** The Pods of all ReplicaSets of the same Deployment. */
  private siblingsOf(replicaSet: KubeObject): KubeObject[] {
    const owner = controllerOf(replicaSet);
    const family = owner ? [...this.replicaSets.controlledBy(owner.uid)] : [replicaSet];
    return family.flatMap((sibling) => [...this.pods.controlledBy(sibling.metadata.uid!)]);
  }

  private async createPod(replicaSet: KubeObject, key: string): Promise<void> {
    const { session } = this;
    const { metadata, spec } = replicaSet.spec.template;
    try {
      const pod = await session.request('POST', pathOf(PODS, replicaSet.metadata.namespace), {
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            generateName: `${replicaSet.metadata.name}-`,
            namespace: replicaSet.metadata.namespace,
            ...(metadata?.labels ? { labels: metadata.labels } : {}),
            ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
            ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
            ownerReferences: [controllerReference(replicaSet)],
          },
          spec,
        },
      });
      session.events.record(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    } catch (error) {
      this.expectations.creationObserved(key);
      if (isNamespaceTerminating(error)) return;
      const message = `Error creating: ${String((error as Error).message)}`;
      session.events.record(replicaSet, 'Warning', 'FailedCreate', message);
      throw error;
    }
  }

  private async deletePod(replicaSet: KubeObject, key: string, pod: KubeObject): Promise<void> {
    const { session } = this;
    try {
      await session.request('DELETE', pathOfObject(PODS, pod));
      session.events.record(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    } catch (error) {
      this.expectations.deletionObserved(key, pod.metadata.uid!);
      if (isNotFound(error)) return;
      const message = `Error deleting: ${String((error as Error).message)}`;
      session.events.record(replicaSet, 'Warning', 'FailedDelete', message);
      throw error;
    }
  }

  /** Like the real controller, retries once on the newest object: the status does not depend on the spec. */
  private async writeStatus(replicaSet: KubeObject, status: ReplicaSetStatus): Promise<void> {
    if (sameJson(status, replicaSet.status)) return;
    const path = pathOfObject(REPLICA_SETS, replicaSet);
    try {
      await this.session.request('PUT', `${path}/status`, { body: { ...replicaSet, status } });
    } catch (error) {
      if (!isConflict(error)) throw error;
      const fresh = await this.session.request('GET', path);
      await this.session.request('PUT', `${path}/status`, { body: { ...fresh, status } });
    }
  }
}

const firstError = (results: readonly PromiseSettledResult<void>[]): Error | undefined => {
  const failed = results.find((result) => result.status === 'rejected');
  return failed && (failed.reason as Error);
};
