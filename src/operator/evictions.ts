// Evicts Pods, for all workload kinds. An eviction cannot be repeated like a patch, so it is remembered until the watch shows it.
import { PODS } from '../api/resources.ts';
import type { Pod } from '../api/types.ts';
import { SEEN_MS, type Emptied, type Evictions as Known, type Refusal } from '../engine/workload/eviction.ts';
import type { Api, Clock } from '../kube/api.ts';
import { ApiError, isConflict, isNotFound } from '../kube/errors.ts';
import { formatTime } from '../engine/lib/time.ts';
import { nameSelector, pathOf } from '../kube/path.ts';

interface Asked {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  /** There was no answer, so the eviction may have taken effect or not. */
  inDoubt: boolean;
}

interface Memory {
  readonly asked: Map<string, Asked>;
  emptied: readonly Emptied[];
  lastAt?: number;
  refused?: Refusal;
}

/** The outcome of an eviction. `Refused`: for the first time in a row, if `isNews`. `Stale`: the Pod has changed or is gone. */
export type Outcome =
  | { readonly kind: 'Evicted' | 'Stale' }
  | { readonly kind: 'Refused'; readonly said: string; readonly isNews: boolean };

export class Evictions {
  private readonly api: Api;
  private readonly clock: Clock;
  private readonly startedAt: number;
  private readonly memories = new Map<string, Memory>();

  constructor(api: Api, clock: Clock) {
    this.api = api;
    this.clock = clock;
    this.startedAt = clock.now();
  }

  /** Evicts exactly the Pod in this state. Throws if there is no answer: then `settle` finds out what has happened. */
  async evict(key: string, pod: Pod): Promise<Outcome> {
    const { name, namespace = '', uid = '', resourceVersion } = pod.metadata;
    const memory = this.memories.get(key) ?? { asked: new Map<string, Asked>(), emptied: [] };
    this.memories.set(key, memory);
    const asked = { name, namespace, node: pod.spec?.nodeName ?? '', inDoubt: true };
    memory.asked.set(uid, asked);
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
      deleteOptions: { preconditions: { uid, resourceVersion } },
    };
    try {
      await this.api.request({
        method: 'POST',
        path: pathOf(PODS, { namespace, name, subresource: 'eviction' }),
        body,
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // An error of the server may have come after the deletion.
      if (error.code >= 500 && !(await this.isThere(uid, asked))) return this.evicted(memory, uid, asked);
      memory.asked.delete(uid);
      return this.refused(memory, pod, error);
    }
    return this.evicted(memory, uid, asked);
  }

  private evicted(memory: Memory, uid: string, asked: Asked): Outcome {
    asked.inDoubt = false;
    const at = (memory.lastAt = this.clock.now());
    memory.emptied = [...memory.emptied.filter((one) => one.at > at - SEEN_MS), { uid, node: asked.node, at }];
    delete memory.refused;
    return { kind: 'Evicted' };
  }

  private refused(memory: Memory, pod: Pod, error: ApiError): Outcome {
    const { name, uid = '', resourceVersion = '' } = pod.metadata;
    const before = memory.refused?.uid === uid && memory.refused.stale === undefined ? memory.refused.times : 0;
    const isStale = isConflict(error) || isNotFound(error);
    const said = saidIn(error);
    memory.refused = {
      uid,
      pod: name,
      said,
      at: this.clock.now(),
      times: before + 1,
      ...(isStale && { stale: resourceVersion }),
    };
    return isStale ? { kind: 'Stale' } : { kind: 'Refused', said, isNews: before === 0 };
  }

  /** Asks the API server about evictions without an answer. Throws if it does not answer. */
  async settle(key: string): Promise<void> {
    const memory = this.memories.get(key);
    if (memory === undefined) return;
    for (const [uid, asked] of memory.asked) {
      if (!asked.inDoubt) continue;
      if (await this.isThere(uid, asked)) memory.asked.delete(uid);
      else this.evicted(memory, uid, asked);
    }
  }

  /** By a list, because the operator has no right to get Pods. */
  private async isThere(uid: string, { name, namespace }: Asked): Promise<boolean> {
    const query = { fieldSelector: nameSelector(name) };
    const answer = await this.api.request({ method: 'GET', path: pathOf(PODS, { namespace }), query });
    const { items = [] } = answer as { readonly items?: readonly Pod[] };
    return items.some(({ metadata }) => metadata.uid === uid && metadata.deletionTimestamp === undefined);
  }

  /** The Pod, terminating if it was evicted, or may have been, and the watch has not shown it yet. */
  see<T extends Pod>(key: string, pod: T): T {
    const memory = this.memories.get(key);
    const uid = pod.metadata.uid ?? '';
    if (memory?.asked.has(uid) !== true) return pod;
    if (pod.metadata.deletionTimestamp !== undefined) {
      memory.asked.delete(uid);
      return pod;
    }
    const deletionTimestamp = formatTime(this.clock.now());
    return { ...pod, metadata: { ...pod.metadata, deletionTimestamp } };
  }

  get(key: string): Known {
    const { lastAt, refused, emptied = [] } = this.memories.get(key) ?? {};
    return {
      startedAt: this.startedAt,
      emptied,
      ...(lastAt === undefined ? {} : { lastAt }),
      ...(refused && { refused }),
    };
  }

  forget(key: string): void {
    this.memories.delete(key);
  }
}

/** The API server names the PodDisruptionBudget in a cause. */
const saidIn = ({ status, message }: ApiError): string =>
  status.details?.causes?.find(({ reason }) => reason === 'DisruptionBudget')?.message ?? message;
