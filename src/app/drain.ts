// `tranche drain`: takes the lead away from the replicas, gives every Deployment back, and ends.
import { FIELD_MANAGER } from '../api/keys.ts';
import type { Rollout } from '../api/types.ts';
import { notSynced, startCaches } from './caches.ts';
import type { Api } from '../kube/api.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep, steadyClock } from '../kube/clock.ts';
import { noObjects } from '../kube/collection.ts';
import { connect } from '../kube/connection.ts';
import { isNotFound } from '../kube/errors.ts';
import { EventSender } from '../kube/events.ts';
import { fenced } from '../kube/fence.ts';
import { LeaderElection } from '../kube/lease.ts';
import { ROLLOUTS } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { drain, DrainError } from '../operator/drain.ts';
import { DEFAULT_NAMESPACE, type Run } from './run.ts';
import { introduce } from './preflight.ts';
import { createMetrics } from '../telemetry/metrics.ts';

/** Longer than any replica leads without a renewal, or goes without looking who does (kube/lease.ts). */
const HAND_OVER_MS = 10_500;
/** Nobody may lead, and enrol again, before helm has taken the replicas away. */
const LEASE_SECONDS = 60;

/** Resolves when everything is given back; rejects, and lets the replicas go on, when that did not work out in time. */
export async function runDrain({ config, version, logger, signal }: Run): Promise<void> {
  const connection = await connect(config.cluster);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version} drain`, fieldManager: FIELD_MANAGER });
  const stops: (() => unknown)[] = [() => api.close()];
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(config.timeoutSeconds * 1000)]);
  let then: 'release' | 'keep' = 'release';
  try {
    await introduce({ config, logger, signal: giveUp }, api, connection.server);
    const started = startCaches({
      api,
      namespaces: config.watchNamespaces,
      logger,
      metrics: createMetrics({ version }),
    });
    stops.push(() => Promise.all([started.rollouts.stop(), started.deployments.stop()]));
    // With the CRD gone, whatever is held is held for nobody.
    const caches = (await isServed(api, config.watchNamespaces[0]))
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
    await orGiveUp(leading.promise, giveUp, 'the lease could not be taken');
    logger.info('leading instead of the replicas, and waiting until all of them know', { waitMs: HAND_OVER_MS });
    await sleep(clock, HAND_OVER_MS, giveUp);
    const synced = Promise.all([caches.rollouts.whenSynced(), caches.deployments.whenSynced()]);
    await orGiveUp(synced, giveUp, () => notSynced('Rollouts', caches.rollouts) ?? 'the Deployments cannot be read');

    const events = new EventSender({ api, clock, component: FIELD_MANAGER, instance: config.identity, logger });
    stops.push(() => events.stop());
    const freed = await drain({
      ...caches,
      api: fenced(api, () => election.held(), lost.signal),
      clock,
      events,
      logger,
      held: config.held,
      namespaces: config.watchNamespaces,
      signal: AbortSignal.any([giveUp, lost.signal]),
    });
    then = 'keep';
    logger.info('everything is given back', freed);
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  }
}

async function isServed(api: Api, namespace: string | undefined): Promise<boolean> {
  try {
    await api.request({ method: 'GET', path: pathOf(ROLLOUTS, { namespace }), query: { limit: '1' } });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
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
  throw new DrainError(`nothing was changed: ${typeof complaint === 'string' ? complaint : complaint()}`);
}
