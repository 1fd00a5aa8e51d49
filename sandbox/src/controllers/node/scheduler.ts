// The stand-in for the scheduler: binds a Pod to the first node, by name, that accepts it.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import {
  findCondition,
  keyOf,
  NODES,
  pathOfObject,
  PODS,
  splitKey,
  timestamp,
  type Condition,
} from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { isSelected, taintsOf, tolerates, type Placement, type Taint } from './placement.ts';

export const createScheduler = (options: ControllerOptions): Controller =>
  createController('default-scheduler', options, (session) => new Scheduler(session));

class Scheduler {
  private readonly session: Session;
  private readonly nodes: Cache;
  private readonly pods: Cache;
  private readonly queue: WorkQueue;
  /** Uids of the Pods on each node, including bindings that are not in the cache yet. */
  private readonly occupants = new Map<string, Set<string>>();
  private readonly unschedulable = new Set<string>();

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key));
    this.nodes = session.cache(NODES, () => this.retry());
    this.pods = session.cache(PODS, (event) => this.onPod(event));
  }

  private onPod({ type, object }: CacheEvent): void {
    const { nodeName } = object.spec;
    const gone = type === 'DELETED' || object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed';
    if (nodeName) {
      if (gone) this.occupants.get(nodeName)?.delete(object.metadata.uid!);
      else this.occupy(nodeName, object.metadata.uid!);
      if (gone) this.retry();
    } else if (!gone) this.queue.add(keyOf(object));
    if (type === 'DELETED') this.unschedulable.delete(keyOf(object));
  }

  private occupy(node: string, uid: string): void {
    const occupants = this.occupants.get(node);
    if (occupants) occupants.add(uid);
    else this.occupants.set(node, new Set([uid]));
  }

  private retry(): void {
    for (const key of this.unschedulable) this.queue.add(key);
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.pods.get(namespace, name);
    if (!pod || pod.spec.nodeName || pod.metadata.deletionTimestamp) return;
    const node = this.pick(pod);
    if (typeof node !== 'string') return this.refuse(key, pod, node.reasons);
    this.unschedulable.delete(key);
    this.occupy(node, pod.metadata.uid!);
    try {
      await this.session.request('POST', pathOfObject(PODS, pod, 'binding'), {
        body: {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid: pod.metadata.uid },
          target: { kind: 'Node', name: node },
        },
      });
    } catch (error) {
      this.occupants.get(node)?.delete(pod.metadata.uid!);
      if (isNotFound(error)) return;
      throw error;
    }
    this.session.events.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${node}`);
  }

  private pick(pod: KubeObject): string | { reasons: Map<string, number> } {
    const reasons = new Map<string, number>();
    const nodes = [...this.nodes.objects.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    for (const node of nodes) {
      const reason = this.reasonAgainst(node, pod);
      if (!reason) return node.metadata.name;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    return { reasons };
  }

  private reasonAgainst(node: KubeObject, pod: KubeObject): string | undefined {
    const spec = pod.spec as Placement;
    if (!isSelected(node, spec)) return "node(s) didn't match Pod's node affinity/selector";
    if (node.spec?.unschedulable && !tolerates(spec, UNSCHEDULABLE)) return 'node(s) were unschedulable';
    const taint = taintsOf(node).find(
      (each) => each.effect !== 'PreferNoSchedule' && each.key !== UNSCHEDULABLE.key && !tolerates(spec, each),
    );
    if (taint) return `node(s) had untolerated taint(s)`;
    const room = Number(node.status?.allocatable?.pods ?? 110);
    return (this.occupants.get(node.metadata.name)?.size ?? 0) >= room ? 'Too many pods' : undefined;
  }

  private async refuse(key: string, pod: KubeObject, reasons: ReadonlyMap<string, number>): Promise<void> {
    this.unschedulable.add(key);
    const list = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    const message =
      this.nodes.objects.size === 0
        ? 'no nodes available to schedule pods'
        : `0/${this.nodes.objects.size} nodes are available: ${list.join(', ')}. no new claims to deallocate, preemption: 0/${this.nodes.objects.size} nodes are available: ${this.nodes.objects.size} Preemption is not helpful for scheduling.`;
    const before: Condition[] = pod.status?.conditions ?? [];
    const current = findCondition(before, 'PodScheduled');
    if (current?.status === 'False' && current.message === message) return;
    this.session.events.record(pod, 'Warning', 'FailedScheduling', message);
    const refused = {
      lastProbeTime: null,
      lastTransitionTime:
        current?.status === 'False' ? current.lastTransitionTime : timestamp(this.session.clock.now()),
      message,
      reason: 'Unschedulable',
      status: 'False',
      type: 'PodScheduled',
    };
    const conditions = [...before.filter((condition) => condition !== current), refused];
    await this.session.request('PUT', pathOfObject(PODS, pod, 'status'), {
      body: { ...pod, status: { ...pod.status, conditions } },
    });
  }
}

const UNSCHEDULABLE: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
