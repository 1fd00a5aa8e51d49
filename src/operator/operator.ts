// The controller: it wakes for each workload that a Rollout names, and for each change of them.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import type { Rollout, Workload } from '../api/types.ts';
import { decide as decideRelease } from '../engine/decide.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import type { EventRecorder } from '../kube/events.ts';
import { silent, type Logger } from '../kube/log.ts';
import { WorkQueue } from '../kube/queue.ts';
import type { Change, Listing } from '../kube/reflector.ts';
import { Applier } from './apply.ts';
import { ChildWatches } from './children.ts';
import { Facts, type FactSources } from './facts.ts';
import { MutationCache } from './mutation-cache.ts';
import { Reconciler } from './reconcile.ts';
import { keyFor, workloadKey } from './workload.ts';

export interface OperatorMetrics {
  reconcile(controller: string, result: string, seconds: number): void;
  watchQueue(controller: string, depth: () => number): void;
  /** `key`: key of the workload (keyFor in workload.ts). */
  budgetMove(move: string, key: string): void;
  bypass(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
}

export interface OperatorDeps extends FactSources {
  readonly events: EventRecorder;
  readonly logger?: Logger;
  readonly metrics?: OperatorMetrics;
  readonly workers?: number;
  /** The engine. Tests replace it by a broken one, to check that it is detected. */
  readonly decide?: typeof decideRelease;
}

export interface Operator {
  start(): void;
  /** Resolves when no work is in progress and all its watches are closed. */
  stop(): Promise<void>;
}

const CONTROLLER = 'rollout';
/** Changes of Pods within this time cause one decision. */
const TOGETHER_MS = 15;

/** Work is keyed by workload, so two Rollouts of one workload are never processed at the same time. */
export function createOperator(deps: OperatorDeps): Operator {
  const { api, clock, rollouts, workloads, policies, metrics, events, logger = silent, decide = decideRelease } = deps;
  const queue = new WorkQueue({
    clock,
    work: (key) => reconciler.reconcile(key),
    logger,
    ...(deps.workers ? { workers: deps.workers } : {}),
    onDone: (result, ms) => metrics?.reconcile(CONTROLLER, result, ms / 1000),
  });
  const writes = new MutationCache();
  const applier = new Applier({ api, clock, events, writes, logger, ...(metrics ? { metrics } : {}) });
  const children = new ChildWatches({
    api,
    clock,
    logger,
    wake: (key) => queue.addAfter(key, TOGETHER_MS),
    listed: (kind, listing, key) => writes.listed(kind, listing, key).forEach((lost) => queue.add(lost)),
    ...(metrics ? { metrics } : {}),
  });
  const facts = new Facts(deps, writes, children, applier);
  const reconciler = new Reconciler({ facts, applier, children, writes, decide });
  const ends: (() => void)[] = [];
  let stopped = false;

  const onRollout = ({ object, old }: Change<Rollout>): void => {
    for (const rollout of old ? [object, old] : [object]) queue.add(workloadKey(rollout));
  };

  const onWorkload =
    (kind: WorkloadKind) =>
    ({ type, object }: Change<Workload>): void => {
      const key = keyFor(kind, object.metadata.namespace ?? '', object.metadata.name);
      if (type === 'deleted') reconciler.forget(key);
      const { annotations } = object.metadata;
      const isOurs = annotations?.[HELD] !== undefined || annotations?.[FIELD_OWNERS] !== undefined;
      if (isOurs || facts.rolloutsOf(key).length > 0) queue.add(key);
    };

  async function startWork(): Promise<void> {
    const synced = await Promise.all([rollouts, ...workloads.values()].map((each) => each.whenSynced()));
    if (stopped || synced.includes(false)) return;
    const onListed = (kind: string) => (listing: Listing) =>
      writes.listed(kind, listing).forEach((key) => queue.add(key));
    ends.push(rollouts.onListed(onListed('Rollout')), rollouts.on(onRollout));
    for (const [kind, collection] of workloads) {
      ends.push(collection.onListed(onListed(kind.resource.kind)), collection.on(onWorkload(kind)));
    }
    if (policies) ends.push(policies.onChange((key) => queue.add(key)));
    queue.start();
  }

  return {
    start() {
      metrics?.watchQueue(CONTROLLER, () => queue.depth);
      void startWork();
    },
    async stop() {
      stopped = true;
      for (const end of ends) end();
      await queue.drain();
      await children.closeAll();
    },
  };
}
