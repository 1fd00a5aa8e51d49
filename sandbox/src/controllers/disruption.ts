// PodDisruptionBudgets: counts healthy and required Pods, and computes the allowed evictions.
import type { KubeObject, OwnerReference } from '../core/types.ts';
import type { Cache, CacheEvent } from './framework/cache.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from './framework/controller.ts';
import {
  controllerOf,
  DEPLOYMENTS,
  findCondition,
  keyOf,
  parseTime,
  pathOf,
  pathOfObject,
  PODS,
  REPLICA_SETS,
  sameJson,
  selects,
  splitKey,
  STATEFUL_SETS,
  timestamp,
  type Condition,
} from './framework/meta.ts';
import type { WorkQueue } from './framework/queue.ts';
import { isActive, isReady } from './replicaset/pods.ts';

const BUDGETS = { group: 'policy', resource: 'poddisruptionbudgets' };
/** After this time, an eviction without a deletion counts as failed. */
const DISRUPTED_MS = 120_000;

export const createDisruptionController = (options: ControllerOptions): Controller =>
  createController('disruption-controller', options, (session) => new DisruptionController(session));

class DisruptionController {
  private readonly session: Session;
  private readonly budgets: Cache;
  private readonly queue: WorkQueue;
  /** Created only if a budget exists. */
  private pods: Cache | undefined;

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key));
    this.budgets = session.cache(BUDGETS, ({ object }) => this.queue.add(keyOf(object)));
  }

  private onPod({ object }: CacheEvent): void {
    for (const budget of this.budgets.inNamespace(object.metadata.namespace!)) {
      if (selects(budget.spec.selector, object.metadata.labels)) this.queue.add(keyOf(budget));
    }
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const budget = this.budgets.get(namespace, name);
    if (!budget) return;
    this.pods ??= this.session.cache(PODS, (event) => this.onPod(event));
    const pods = [...this.pods.inNamespace(namespace)].filter((pod) =>
      selects(budget.spec.selector, pod.metadata.labels),
    );
    const nowMs = this.session.clock.now();
    const disruptedPods = this.stillDisrupted(budget, pods, nowMs);
    const healthy = pods.filter((pod) => isActive(pod) && isReady(pod) && !(pod.metadata.name in disruptedPods)).length;
    const wanted = await this.wanted(budget, pods);
    if ('problem' in wanted) return this.fail(budget, wanted.problem);
    const { expected, desired } = wanted;
    const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
    const status = {
      conditions: [this.condition(budget, allowed > 0 ? 'SufficientPods' : 'InsufficientPods', '', nowMs)],
      currentHealthy: healthy,
      desiredHealthy: desired,
      disruptionsAllowed: allowed,
      expectedPods: expected,
      observedGeneration: budget.metadata.generation,
      ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    };
    if (Object.keys(disruptedPods).length > 0) this.queue.addAfter(key, DISRUPTED_MS);
    if (sameJson(status, budget.status)) return;
    await this.session.request('PUT', pathOfObject(BUDGETS, budget, 'status'), { body: { ...budget, status } });
  }

  private stillDisrupted(budget: KubeObject, pods: readonly KubeObject[], nowMs: number): Record<string, string> {
    return Object.fromEntries(
      Object.entries<string>(budget.status?.disruptedPods ?? {}).filter(([name, time]) => {
        const pod = pods.find((each) => each.metadata.name === name);
        return pod && !pod.metadata.deletionTimestamp && nowMs - parseTime(time) < DISRUPTED_MS;
      }),
    );
  }

  /** Percentages and maxUnavailable refer to the desired Pods of the controllers, an integer minAvailable to existing Pods. */
  private async wanted(budget: KubeObject, pods: readonly KubeObject[]): Promise<Wanted> {
    const { minAvailable, maxUnavailable } = budget.spec as Record<string, number | string | undefined>;
    const resolve = (value: number | string, of: number): number =>
      typeof value === 'number' ? value : Math.ceil((parseInt(value, 10) * of) / 100);
    if (typeof minAvailable === 'number') return { expected: pods.length, desired: minAvailable };
    if (pods.some((pod) => controllerOf(pod)?.kind === 'DaemonSet')) {
      return { problem: 'daemonsets.apps does not implement the scale subresource' };
    }
    const expected = await this.scaleOf(pods);
    if (minAvailable !== undefined) return { expected, desired: resolve(minAvailable, expected) };
    return { expected, desired: Math.max(0, expected - resolve(maxUnavailable ?? 0, expected)) };
  }

  private async scaleOf(pods: readonly KubeObject[]): Promise<number> {
    const sizes = new Map<string, number>();
    const looked = new Set<string>();
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (!owner || looked.has(owner.uid)) continue;
      looked.add(owner.uid);
      const scaled = await this.scaledOf(owner, pod.metadata.namespace);
      if (scaled) sizes.set(scaled.metadata.uid!, scaled.spec.replicas ?? 1);
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  /** The object with the number of replicas. */
  private async scaledOf({ kind, name }: OwnerReference, namespace?: string): Promise<KubeObject | undefined> {
    if (kind === 'StatefulSet') return this.find(pathOf(STATEFUL_SETS, namespace, name));
    const replicaSet = kind === 'ReplicaSet' ? await this.find(pathOf(REPLICA_SETS, namespace, name)) : undefined;
    const parent = replicaSet && controllerOf(replicaSet);
    return (parent && (await this.find(pathOf(DEPLOYMENTS, namespace, parent.name)))) ?? replicaSet;
  }

  /** Nothing may be evicted. */
  private async fail(budget: KubeObject, problem: string): Promise<void> {
    const message = `Failed to calculate the number of expected pods: ${problem}`;
    this.session.events.record(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
    const conditions = [this.condition(budget, 'SyncFailed', problem, this.session.clock.now())];
    const status = { ...budget.status, disruptionsAllowed: 0, conditions };
    if (sameJson(status, budget.status)) return;
    await this.session.request('PUT', pathOfObject(BUDGETS, budget, 'status'), { body: { ...budget, status } });
  }

  private find(path: string): Promise<KubeObject | undefined> {
    return this.session.request('GET', path).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return undefined;
    });
  }

  private condition(budget: KubeObject, reason: string, message: string, nowMs: number): Condition {
    const status = reason === 'SufficientPods' ? 'True' : 'False';
    const before = findCondition(budget.status?.conditions, 'DisruptionAllowed');
    const observedGeneration = reason === 'SyncFailed' ? budget.status?.observedGeneration : budget.metadata.generation;
    return {
      lastTransitionTime: before?.status === status ? before.lastTransitionTime! : timestamp(nowMs),
      message,
      ...(observedGeneration === undefined ? {} : ({ observedGeneration } as object)),
      reason,
      status,
      type: 'DisruptionAllowed',
    };
  }
}

type Wanted = { expected: number; desired: number } | { problem: string };
