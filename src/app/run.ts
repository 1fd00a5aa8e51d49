// Wires and runs the program: starts its parts in order, and stops them in reverse order.
import { FIELD_MANAGER } from '../api/keys.ts';
import { firstOf, inDoubt, notSynced, startCaches } from './caches.ts';
import { DEFAULT_NAMESPACE, type Config } from './config.ts';
import { Leadership } from './leadership.ts';
import { unreachedBy } from '../engine/release/reach.ts';
import { aborted } from '../kube/abort.ts';
import type { Api } from '../kube/api.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep } from '../kube/clock.ts';
import { connect } from '../kube/connection.ts';
import { EventSender } from '../kube/events.ts';
import { startMetricSources } from './metric-sources.ts';
import { findReleaseObject } from '../metric-sources/objects.ts';
import { startPolicies } from './policies.ts';
import { measureReleases } from '../operator/release-metrics.ts';
import { DAEMON_SETS, STATEFUL_SETS } from '../api/resources.ts';
import { createOperator, type Operator } from '../operator/operator.ts';
import { saveMemoryAtRest } from './memory.ts';
import { bind, waitForApiServer } from './preflight.ts';
import { createHealthServer, missing, type Check } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { startTracing } from './tracing.ts';
import { startWebhooks } from './webhooks.ts';

export interface Run {
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
  /** Ends the program at any time. */
  readonly signal: AbortSignal;
}

/** Time for which requests are still answered after a Pod starts to terminate: the proxies of the Service need it to notice. */
const DRAIN_MS = 5_000;
const LOG_MISSING_EVERY_MS = 10_000;
/** Runs until the signal. Resolves when all parts are stopped. Rejects if the program cannot start, also with all parts stopped. */
export async function runProgram(run: Run): Promise<void> {
  // In the order of their start. They are called in reverse order.
  const stops: (() => unknown)[] = [];
  try {
    const stopLeading = await start(run, stops);
    await aborted(run.signal);
    run.logger.info('stopping');
    // The readiness check fails from here on. Another replica can take the lead, and late requests are still answered.
    await Promise.all([stopLeading(), run.config.webhookUrl ? undefined : sleep(clock, DRAIN_MS)]);
  } catch (error) {
    if (!run.signal.aborted) throw error;
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  }
  run.logger.info('stopped');
}

/** Resolves with how to stop leading, which comes before all else. */
async function start(run: Run, stops: (() => unknown)[]): Promise<() => Promise<void>> {
  const { config, version, logger, signal } = run;
  const metrics = createMetrics({ version });
  stops.push(saveMemoryAtRest());
  const checks: Record<string, Check> = { signal: () => (signal.aborted ? 'stopping' : undefined) };

  const doubts: Record<string, Check> = {};
  const health = createHealthServer({ checks, doubts, metrics });
  // Outside a cluster, metrics are available on this machine only.
  const host = config.webhookUrl ? '127.0.0.1' : undefined;
  const metricsPort = await bind('metrics', config.metricsPort, (port) => health.listen(port, host));
  stops.push(() => health.close());

  const tracing = config.tracing && (await startTracing(run, config.tracing, metrics, clock.now));
  if (tracing) stops.push(() => tracing.stop());

  const connection = await connect(config.cluster);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version}`, fieldManager: FIELD_MANAGER });
  stops.push(() => api.close());
  const operatorUser = await waitForApiServer(run, api, connection.server);

  // Matches the namespace selector of the chart's webhooks.
  const unreached = unreachedBy({ own: config.webhookUrl ? undefined : namespace, watched: config.watchNamespaces });
  const caches = startCaches({
    api,
    namespaces: config.watchNamespaces,
    openkruise: config.openkruise,
    gatewayApi: config.gatewayApi,
    logger,
    metrics,
  });
  const cached = [caches.rollouts, ...caches.workloads.values()];
  stops.push(() => Promise.all([...cached, caches.routings].map((cache) => cache?.stop())));
  const leadership = new Leadership(config, logger, metrics);
  const events = new EventSender({
    api,
    clock,
    component: FIELD_MANAGER,
    instance: config.identity,
    logger,
    onDropped: (why) => metrics.eventDropped(why),
  });
  stops.push(() => events.stop());
  const policies = startPolicies({
    config,
    api,
    logger,
    metrics,
    caches,
    namespace,
    events,
    draining: () => leadership.draining,
  });
  stops.push(() => policies.stop());
  const sources = startMetricSources({
    api,
    logger,
    metrics,
    namespace,
    namespaces: policies.namespaces,
    guarded: config.webhookUrl === undefined,
  });
  stops.push(() => sources.stop());
  const notReady = (): string | undefined => firstOf(caches, notSynced) ?? policies.notReady();
  checks['caches'] = notReady;
  doubts['caches'] = () => firstOf(caches, inDoubt) ?? policies.doubt();

  const webhookPort = await startWebhooks({
    config,
    api,
    logger,
    metrics,
    signal,
    namespace,
    caches,
    leadership,
    policies,
    operatorUser,
    unreached,
    notReady,
    checks,
    stops,
  });

  const lead = (leaderApi: Api): Operator => {
    const tracer = tracing?.lead(caches.rollouts);
    const operator = createOperator({
      api: leaderApi,
      clock,
      logger,
      metrics: { ...metrics, budgetMove: (move, key) => (metrics.budgetMove(move), tracer?.note(key, move)) },
      events,
      policies: policies.lookup,
      unreached,
      evidence: { sources: sources.sources, findObject: (of, signal) => findReleaseObject(leaderApi, of, signal) },
      workers: config.workers,
      labelsPods: config.labelsPods,
      routesTraffic: config.gatewayApi,
      evicts: ({ resource }) =>
        (resource === STATEFUL_SETS && config.evictsStuckPods) ||
        (resource === DAEMON_SETS && config.evictsDaemonSetPods),
      ...caches,
    });
    const end = measureReleases(caches.rollouts, metrics, clock.now);
    return {
      start: operator.start,
      async stop() {
        await operator.stop();
        end();
        tracer?.stop();
      },
    };
  };
  const synced = Promise.all([...cached, policies.lookup].map((cache) => cache.whenSynced()));
  leadership.start({ api, namespace, lead, synced: synced.then((each) => !each.includes(false)) });

  void logWhenReady(checks, run, { version, webhookPort, metricsPort, namespace, user: operatorUser });
  return () => leadership.stop();
}

/** Logs one line when all checks pass. Until then, regularly logs what is missing. */
async function logWhenReady(checks: Readonly<Record<string, Check>>, run: Run, fields: object): Promise<void> {
  for (let loggedAt = clock.now(); !run.signal.aborted; await sleep(clock, 50, run.signal)) {
    const problems = missing(checks);
    if (problems.length === 0) return run.logger.info('ready', { ...fields });
    if (clock.now() - loggedAt < LOG_MISSING_EVERY_MS) continue;
    loggedAt = clock.now();
    run.logger.warn('not ready yet', { missing: problems });
  }
}
