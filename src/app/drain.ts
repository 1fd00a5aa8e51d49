// `tranche drain`: takes the lead from the replicas, gives all held workloads back, and exits.
import { FIELD_MANAGER } from '../api/keys.ts';
import type { Rollout } from '../api/types.ts';
import { firstOf, notSynced, startCaches } from './caches.ts';
import type { Api } from '../kube/api.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep, steadyClock } from '../kube/clock.ts';
import { noObjects } from '../kube/collection.ts';
import { connect } from '../kube/connection.ts';
import { isForbidden, isNotFound } from '../kube/errors.ts';
import { EventSender } from '../kube/events.ts';
import { fenced } from '../kube/fence.ts';
import { LeaderElection } from '../kube/lease.ts';
import { ROLLOUTS, TRAFFIC_ROUTINGS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { drain, DrainError } from '../operator/drain.ts';
import { DEFAULT_NAMESPACE, type Config } from './config.ts';
import { waitForApiServer } from './preflight.ts';
import type { Overrides } from '../kube/kubeconfig.ts';
import type { Logger } from '../kube/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';

/** Longer than a replica leads without a renewal, and longer than a replica takes to notice the new leader (kube/lease.ts). */
const HAND_OVER_MS = 10_500;
/** No replica may take the lead, and enrol workloads again, before helm has deleted the replicas. */
const LEASE_SECONDS = 60;

export interface Drain {
  readonly config: DrainConfig;
  readonly version: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface DrainConfig extends Pick<
  Config,
  | 'cluster'
  | 'namespace'
  | 'watchNamespaces'
  | 'openkruise'
  | 'gatewayApi'
  | 'lease'
  | 'identity'
  | 'held'
  | 'timeoutSeconds'
> {
  /** Values that replace those of the kubeconfig. */
  readonly overrides?: Overrides;
}

/** Resolves with what was given back when no workload is held. On a timeout, rejects and lets the replicas take the lead again. */
export async function runDrain({
  config,
  version,
  logger,
  signal,
}: Drain): Promise<{ deployments: number; rollouts: number }> {
  const connection = await connect(config.cluster, config.overrides);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version} drain`, fieldManager: FIELD_MANAGER });
  const stops: (() => unknown)[] = [() => api.close()];
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutSeconds * 1000)]);
  let then: 'release' | 'keep' = 'release';
  try {
    await waitForApiServer({ config, logger, signal: giveUp }, api, connection.server);
    const started = startCaches({
      api,
      namespaces: config.watchNamespaces,
      openkruise: config.openkruise,
      // Without the permission, none of their routes was changed, or somebody else has to give it back.
      gatewayApi: config.gatewayApi && (await isServed(api, TRAFFIC_ROUTINGS, config.watchNamespaces[0], isForbidden)),
      logger,
      metrics: createMetrics({ version }),
    });
    const all = [started.rollouts, ...started.workloads.values(), started.routings];
    stops.push(() => Promise.all(all.map((cache) => cache?.stop())));
    // Without the CRD there are no Rollouts, so all held workloads are given back.
    const caches = (await isServed(api, ROLLOUTS, config.watchNamespaces[0]))
      ? started
      : { ...started, rollouts: noObjects<Rollout>() };

    const leading = Promise.withResolvers<void>();
    const lost = new AbortController();
    const election = new LeaderElection({
      api,
      clock: steadyClock,
      namespace,
      name: config.lease,
      identity: config.identity,
      logger,
      overrule: true,
      leaseSeconds: LEASE_SECONDS,
      onAcquired: () => leading.resolve(),
      onEnd: () => Promise.resolve(lost.abort()),
    });
    election.start();
    stops.push(() => election.stop(then));
    await orGiveUp(leading.promise, giveUp, 'cannot acquire the lease');
    logger.info('waiting until all replicas have noticed that they do not lead', { waitMs: HAND_OVER_MS });
    await sleep(clock, HAND_OVER_MS, giveUp);
    const synced = Promise.all([caches.rollouts, ...caches.workloads.values()].map((cache) => cache.whenSynced()));
    await orGiveUp(synced, giveUp, () => firstOf(caches, notSynced) ?? 'cannot read the workloads');

    const events = new EventSender({ api, clock, component: FIELD_MANAGER, instance: config.identity, logger });
    stops.push(() => events.stop());
    const freed = await drain({
      ...caches,
      api: fenced(api, () => election.held(), lost.signal),
      clock,
      events,
      logger,
      held: config.held,
      // Only Rollouts whose status says so have a route to give back.
      routesTraffic: true,
      leavesRoutes: true,
      namespaces: config.watchNamespaces,
      signal: AbortSignal.any([giveUp, lost.signal]),
    });
    then = 'keep';
    logger.info('all workloads are given back', freed);
    return freed;
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  }
}

async function isServed(
  api: Api,
  resource: Resource,
  namespace: string | undefined,
  isNone: (error: unknown) => boolean = () => false,
): Promise<boolean> {
  try {
    await api.request({ method: 'GET', path: pathOf(resource, { namespace }), query: { limit: '1' } });
    return true;
  } catch (error) {
    if (isNotFound(error) || isNone(error)) return false;
    throw error;
  }
}

async function orGiveUp(
  what: Promise<unknown>,
  signal: AbortSignal,
  complaint: string | (() => string),
): Promise<void> {
  const given = new Promise<'given up'>((resolve) => {
    signal.addEventListener('abort', () => resolve('given up'), { once: true });
    if (signal.aborted) resolve('given up');
  });
  if ((await Promise.race([what, given])) !== 'given up') return;
  throw new DrainError(`no workload was changed: ${typeof complaint === 'string' ? complaint : complaint()}`);
}
