// The DaemonSet controller: one sync reads its caches, decides with plan.ts, writes Pods and then the status.
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
import { CONTROLLER_REVISIONS } from '../framework/history.ts';
import {
  controllerOf,
  DAEMON_SETS,
  isEmptySelector,
  keyOf,
  NODES,
  pathOf,
  pathOfObject,
  PODS,
  sameJson,
  selects,
  splitKey,
} from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { Expectations } from '../replicaset/expectations.ts';
import { isReady, isTerminating, untilAvailableMs } from '../replicaset/pods.ts';
import { planNodes, planRolling, type Plan, type Situation } from './plan.ts';
import { byNode, judge, newPod } from './pods.ts';
import { hashOf, RevisionKeeper, type History } from './revisions.ts';
import { countNodes } from './status.ts';

/** The maximum number of Pods to create, and to delete, in one sync. */
const BURST = 250;
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 15 * 60_000;

export const createDaemonSetController = (options: ControllerOptions): Controller =>
  createController('daemonset-controller', options, (session) => new DaemonSetController(session));

/** Created only if a DaemonSet exists. */
interface Parts {
  pods: Cache;
  nodes: Cache;
  revisions: RevisionKeeper;
}

class DaemonSetController {
  private readonly session: Session;
  private readonly daemonSets: Cache;
  private readonly queue: WorkQueue;
  private readonly expectations: Expectations;
  /** Node of a DaemonSet → when its failed Pod was deleted, and how long to wait with the next one. */
  private readonly failures = new Map<string, { at: number; waitMs: number }>();
  private parts: Parts | undefined;

  constructor(session: Session) {
    this.session = session;
    this.expectations = new Expectations(session.clock);
    this.queue = session.queue((key) => this.sync(key));
    this.daemonSets = session.cache(DAEMON_SETS, ({ type, object }) => {
      if (type === 'DELETED') this.expectations.forget(keyOf(object));
      this.queue.add(keyOf(object));
    });
  }

  private start(): Parts {
    const pods = this.session.cache(PODS, (event) => this.onPod(event));
    const nodes = this.session.cache(NODES, (event) => this.onNode(event, pods));
    const history = this.session.cache(CONTROLLER_REVISIONS, ({ object, previous }) => {
      const owner = this.ownerOf(object);
      if (owner && previous) this.queue.add(keyOf(owner));
    });
    return { pods, nodes, revisions: new RevisionKeeper(this.session, history) };
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
      for (const daemonSet of this.daemonSets.inNamespace(object.metadata.namespace!)) {
        if (selects(daemonSet.spec.selector, object.metadata.labels)) this.queue.add(keyOf(daemonSet));
      }
    }
  }

  /** A node concerns the DaemonSets that want a Pod there and have none, or have one and should not. */
  private onNode({ type, object: node, previous }: CacheEvent, pods: Cache): void {
    if (type === 'DELETED') return;
    const isSame =
      previous &&
      sameJson(node.metadata.labels, previous.metadata.labels) &&
      sameJson(node.spec?.taints, previous.spec?.taints);
    if (isSame) return;
    for (const daemonSet of this.daemonSets.objects.values()) {
      const { start, stay } = judge(node, daemonSet);
      const isThere = [...pods.controlledBy(daemonSet.metadata.uid!)].some(
        (pod) => pod.spec.nodeName === node.metadata.name,
      );
      const isMisplaced = !stay || (daemonSet.status?.numberMisscheduled ?? 0) > 0;
      if (isThere ? isMisplaced : start) this.queue.add(keyOf(daemonSet));
    }
  }

  private ownerOf(object: KubeObject): KubeObject | undefined {
    const owner = controllerOf(object);
    if (owner?.kind !== 'DaemonSet') return undefined;
    const daemonSet = this.daemonSets.get(object.metadata.namespace, owner.name);
    return daemonSet?.metadata.uid === owner.uid ? daemonSet : undefined;
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const daemonSet = this.daemonSets.get(namespace, name);
    if (!daemonSet) return;
    const { revisions } = (this.parts ??= this.start());
    if (isEmptySelector(daemonSet.spec.selector)) {
      const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
      return this.session.events.record(daemonSet, 'Warning', 'SelectingAll', message);
    }
    if (daemonSet.metadata.deletionTimestamp) return;
    const history = await revisions.of(daemonSet, await this.podsOf(daemonSet));
    const hash = hashOf(history.current);
    if (!this.expectations.satisfied(key)) {
      return this.writeStatus(await this.look(daemonSet, hash), daemonSet.status?.observedGeneration ?? 0);
    }
    const failure = await this.move(daemonSet, history, hash).catch((error: unknown) => error as Error);
    await this.writeStatus(await this.look(daemonSet, hash), daemonSet.metadata.generation!);
    if (failure) throw failure;
  }

  private podsOf(daemonSet: KubeObject): Promise<KubeObject[]> {
    const { pods } = this.parts!;
    return claim(this.session, {
      owner: daemonSet,
      ownerType: DAEMON_SETS,
      type: PODS,
      candidates: [...pods.controlledBy(daemonSet.metadata.uid!), ...pods.orphans(daemonSet.metadata.namespace!)],
    });
  }

  private async look(daemonSet: KubeObject, hash: string): Promise<Situation> {
    const pods = byNode(await this.podsOf(daemonSet));
    const nodes = [...this.parts!.nodes.objects.values()];
    return { daemonSet, hash, nodes, pods, nowMs: this.session.clock.now() };
  }

  private async move(daemonSet: KubeObject, history: History, hash: string): Promise<void> {
    const key = keyOf(daemonSet);
    const situation = await this.look(daemonSet, hash);
    await this.carryOut(
      situation,
      planNodes(situation, (pod, node) => this.mayReplace(daemonSet, pod, node)),
    );
    if (this.expectations.satisfied(key) && daemonSet.spec.updateStrategy.type === 'RollingUpdate') {
      const next = await this.look(daemonSet, hash);
      await this.carryOut(next, planRolling(next));
    }
    await this.parts!.revisions.truncate(daemonSet, await this.podsOf(daemonSet), history);
  }

  /** Pods that fail again and again are replaced less and less often. */
  private mayReplace(daemonSet: KubeObject, pod: KubeObject, node: string): boolean {
    const { namespace, name } = pod.metadata;
    const report = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
      this.session.events.record(daemonSet, type, reason, message);
    if (pod.status?.phase === 'Succeeded') {
      const message = `Found succeeded daemon pod ${namespace}/${name} on node ${node}, will try to delete it`;
      report('Normal', 'SucceededDaemonPod', message);
      return true;
    }
    const key = `${daemonSet.metadata.uid}/${daemonSet.status?.observedGeneration}/${node}`;
    const nowMs = this.session.clock.now();
    const before = this.failures.get(key);
    if (before && nowMs - before.at < before.waitMs) {
      this.queue.addAfter(keyOf(daemonSet), before.at + before.waitMs - nowMs);
      return false;
    }
    const isRecent = before && nowMs - before.at < 2 * LONGEST_BACKOFF_MS;
    const waitMs = isRecent ? Math.min(2 * before.waitMs, LONGEST_BACKOFF_MS) : FIRST_BACKOFF_MS;
    this.failures.set(key, { at: nowMs, waitMs });
    const message = `Found failed daemon pod ${namespace}/${name} on node ${node}, will try to kill it`;
    report('Warning', 'FailedDaemonPod', message);
    return true;
  }

  private async carryOut({ daemonSet, hash }: Situation, plan: Plan): Promise<void> {
    const nodes = plan.create.slice(0, BURST);
    const pods = plan.delete.slice(0, BURST);
    this.expectations.expect(
      keyOf(daemonSet),
      nodes.length,
      pods.map(({ metadata }) => metadata.uid!),
    );
    const results = await Promise.allSettled([
      ...nodes.map((node) => this.createPod(daemonSet, node, hash)),
      ...pods.map((pod) => this.deletePod(daemonSet, pod)),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async createPod(daemonSet: KubeObject, node: string, hash: string): Promise<void> {
    const { session } = this;
    const key = keyOf(daemonSet);
    try {
      const body = newPod(daemonSet, node, hash);
      const pod = await session.request('POST', pathOf(PODS, daemonSet.metadata.namespace), { body });
      session.events.record(daemonSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    } catch (error) {
      this.expectations.creationObserved(key);
      if (isNamespaceTerminating(error)) return;
      const message = `Error creating: ${(error as Error).message}`;
      session.events.record(daemonSet, 'Warning', 'FailedCreate', message);
      throw error;
    }
  }

  private async deletePod(daemonSet: KubeObject, pod: KubeObject): Promise<void> {
    const { session } = this;
    try {
      await session.request('DELETE', pathOfObject(PODS, pod));
      session.events.record(daemonSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    } catch (error) {
      this.expectations.deletionObserved(keyOf(daemonSet), pod.metadata.uid!);
      if (isNotFound(error)) return;
      const message = `Error deleting: ${(error as Error).message}`;
      session.events.record(daemonSet, 'Warning', 'FailedDelete', message);
      throw error;
    }
  }

  /** Like the real controller, retries once on the newest object. */
  private async writeStatus(situation: Situation, observedGeneration: number): Promise<void> {
    const { daemonSet } = situation;
    const counts = countNodes(situation, observedGeneration);
    const { collisionCount, conditions } = daemonSet.status ?? {};
    const status = {
      ...counts,
      ...(collisionCount === undefined ? {} : { collisionCount }),
      ...(conditions === undefined ? {} : { conditions }),
    };
    if (!sameJson(status, daemonSet.status)) {
      const path = pathOfObject(DAEMON_SETS, daemonSet);
      const write = (onto: KubeObject): Promise<KubeObject> =>
        this.session.request('PUT', `${path}/status`, { body: { ...onto, status } });
      await write(daemonSet).catch(async (error: unknown) => {
        if (!isConflict(error)) throw error;
        await write(await this.session.request('GET', path));
      });
    }
    this.lookAgain(situation);
  }

  /** No event announces that a Pod becomes available. */
  private lookAgain({ daemonSet, pods, nowMs }: Situation): void {
    const waits = [...pods.values()]
      .flat()
      .filter((pod) => !isTerminating(pod) && isReady(pod))
      .map((pod) => untilAvailableMs(pod, daemonSet.spec.minReadySeconds ?? 0, nowMs)!)
      .filter((ms) => ms > 0);
    if (waits.length > 0) this.queue.addAfter(keyOf(daemonSet), Math.min(...waits) + 1);
  }
}
