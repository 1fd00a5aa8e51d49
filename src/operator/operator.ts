// The controller: it wakes for each workload that a Rollout names, and for each change of them.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import { kindName, ROLLOUTS } from '../api/resources.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { Rollout, Workload } from '../api/types.ts';
import { decide as decideRelease } from '../engine/decide.ts';
import { decideRouting } from '../engine/traffic/routing-object.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import type { Collection } from '../kube/collection.ts';
import type { EventRecorder } from '../kube/events.ts';
import { silent, type Logger } from '../kube/log.ts';
import { WorkQueue } from '../kube/queue.ts';
import type { Change, Listing } from '../kube/reflector.ts';
import { Applier } from './apply.ts';
import { ChildWatches } from './children.ts';
import { EvidenceWatches, type EvidenceDeps } from './evidence.ts';
import { Facts, type FactSources } from './facts.ts';
import { MutationCache } from './mutation-cache.ts';
import { Reconciler } from './reconcile.ts';
import { TrafficRoutings } from './traffic-routings.ts';
import { TrafficWatches } from './traffic.ts';
import { isOfCounts, LATER_MS, TOGETHER_MS } from './wakes.ts';
import { keyFor, workloadKey } from './workload.ts';

export interface OperatorMetrics {
  reconcile(controller: string, result: string, seconds: number): void;
  watchQueue(controller: string, depth: () => number): void;
  /** `key`: key of the workload (keyFor in workload.ts). */
  budgetMove(move: string, key: string): void;
  bypass(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
  look(result: string): void;
  watchChecks(checks: () => Iterable<{ readonly namespace: string; readonly verdict: string }>): void;
}

export interface OperatorDeps extends FactSources {
  readonly events: EventRecorder;
  readonly logger?: Logger;
  readonly metrics?: OperatorMetrics;
  readonly workers?: number;
  /** Sources of metrics for the checks of releases. Without them, all checks are unread. */
  readonly evidence?: Pick<EvidenceDeps, 'sources' | 'findObject'>;
  /** This installation may change routes and Services. */
  readonly routesTraffic?: boolean;
  /** The TrafficRoutings, if the installation changes routes. */
  readonly routings?: Collection<TrafficRoutingObject> | undefined;
  /** TrafficRoutings give their routes back, before the program is removed. */
  readonly leavesRoutes?: boolean;
  /** The engine. Tests replace it by a broken one, to check that it is detected. */
  readonly decide?: typeof decideRelease;
  /** The same, for TrafficRoutings. */
  readonly decideRouting?: typeof decideRouting;
}

export interface Operator {
  start(): void;
  /** Resolves when no work is in progress and all its watches are closed. */
  stop(): Promise<void>;
}

const CONTROLLER = 'rollout';

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
  const children: ChildWatches = new ChildWatches({
    api,
    clock,
    logger,
    wake: (key, afterMs) => queue.addAfter(key, afterMs),
    isInterim: (key): boolean => facts.isInterim(key),
    listed: (kind, listing, key) => writes.listed(kind, listing, key).forEach((lost) => queue.add(lost)),
    ...(metrics ? { metrics } : {}),
  });
  const evidence =
    deps.evidence &&
    new EvidenceWatches({
      ...deps.evidence,
      clock,
      wake: (key) => queue.addSoon(key, TOGETHER_MS),
      ...(metrics ? { metrics } : {}),
    });
  const traffic = new TrafficWatches({
    api,
    clock,
    logger,
    wake: (key) => queue.addAfter(key, TOGETHER_MS),
    isEnabled: deps.routesTraffic === true,
    ...(metrics ? { metrics } : {}),
  });
  const routings =
    deps.routings &&
    new TrafficRoutings({
      api,
      clock,
      logger,
      rollouts,
      routings: deps.routings,
      applier,
      writes,
      isLeaving: deps.leavesRoutes === true,
      decide: deps.decideRouting ?? decideRouting,
      onDone: (result, seconds) => metrics?.reconcile('trafficrouting', result, seconds),
      metrics,
    });
  const facts: Facts = new Facts(deps, writes, children, applier, evidence, traffic);
  const reconciler = new Reconciler({ facts, applier, children, writes, evidence, traffic, decide });
  const ends: (() => void)[] = [];
  let stopped = false;

  const onRollout = ({ type, object, old }: Change<Rollout>): void => {
    const keys = new Set((old ? [object, old] : [object]).map(workloadKey));
    for (const key of keys) if (type === 'deleted' || !writes.confirms(key, object)) queue.addSoon(key, TOGETHER_MS);
  };

  const onWorkload =
    (kind: WorkloadKind) =>
    (change: Change<Workload>): void => {
      const { type, object } = change;
      const key = keyFor(kind, object.metadata.namespace ?? '', object.metadata.name);
      if (type === 'deleted') reconciler.forget(key);
      const { annotations } = object.metadata;
      const isOurs = annotations?.[HELD] !== undefined || annotations?.[FIELD_OWNERS] !== undefined;
      if ((!isOurs && !facts.isNamed(key)) || writes.confirms(key, object)) return;
      if (isOfCounts(change) && facts.isInterim(key)) queue.addAfter(key, LATER_MS);
      else queue.addSoon(key, TOGETHER_MS);
    };

  async function startWork(): Promise<void> {
    const needed = [rollouts, ...workloads.values(), ...(policies ? [policies] : [])];
    const synced = await Promise.all(needed.map((each) => each.whenSynced()));
    if (stopped || synced.includes(false)) return;
    const onListed = (kind: string) => (listing: Listing) =>
      writes.listed(kind, listing).forEach((key) => queue.add(key));
    ends.push(rollouts.onListed(onListed(kindName(ROLLOUTS))), rollouts.on(onRollout));
    for (const [kind, collection] of workloads) {
      ends.push(collection.onListed(onListed(kindName(kind.resource))), collection.on(onWorkload(kind)));
      const end = collection.onAbsence?.(() => {
        for (const rollout of rollouts.by('kind', kindName(kind.resource))) queue.add(workloadKey(rollout));
      });
      if (end) ends.push(end);
    }
    if (policies) ends.push(policies.onChange((key) => queue.add(key)));
    queue.start();
  }

  return {
    start() {
      metrics?.watchQueue(CONTROLLER, () => queue.depth);
      if (evidence) metrics?.watchChecks(() => evidence.checks());
      void startWork();
      void routings?.start();
    },
    async stop() {
      stopped = true;
      for (const end of ends) end();
      await queue.drain();
      evidence?.closeAll();
      await Promise.all([children.closeAll(), traffic.closeAll(), routings?.stop()]);
    },
  };
}
