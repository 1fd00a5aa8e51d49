// Wires and runs the program: starts its parts in order, and stops them in reverse order.
import { createAdmissionServer, type AdmissionServer, type Decided } from '../admission/index.ts';
import { FIELD_MANAGER, GROUP } from '../api/keys.ts';
import { inDoubt, notSynced, startCaches } from './caches.ts';
import { DEFAULT_NAMESPACE, type Config } from './config.ts';
import { Leadership } from './leadership.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { readersOf } from '../admission/index.ts';
import { unreachedBy } from '../engine/release/reach.ts';
import type { Api } from '../kube/api.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep } from '../kube/clock.ts';
import { connect } from '../kube/connection.ts';
import { EventSender } from '../kube/events.ts';
import { startPolicies } from './policies.ts';
import { measureReleases } from '../operator/release-metrics.ts';
import { createOperator, type Operator } from '../operator/operator.ts';
import { bind, waitForApiServer, StartError } from './preflight.ts';
import { createHealthServer, missing, type Check } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { expiryOf } from '../tls/bundle.ts';
import { ClientCa } from '../tls/client-ca.ts';
import { CaInjector, type Target } from '../tls/inject.ts';
import { createCertificates, type Place } from '../tls/source.ts';
import { startTracing } from './tracing.ts';

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
/** Verdicts of edits that do not affect a release. */
const QUIET: ReadonlySet<Decided['verdict']> = new Set(['Passed', 'Kept', 'Enrolled']);

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
  const caches = startCaches({ api, namespaces: config.watchNamespaces, logger, metrics });
  const cached = [caches.rollouts, ...caches.workloads.values()];
  stops.push(() => Promise.all(cached.map((cache) => cache.stop())));
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
  const notReady = (): string | undefined =>
    notSynced('Rollouts', caches.rollouts) ?? notSynced('Deployments', caches.deployments) ?? policies.notReady();
  checks['caches'] = notReady;
  doubts['caches'] = () =>
    inDoubt('Rollouts', caches.rollouts) ?? inDoubt('Deployments', caches.deployments) ?? policies.doubt();

  const injector = new CaInjector({
    api,
    clock,
    logger,
    targets: targetsOf(config),
    readOnly: config.injectCa === 'check',
    ...(config.webhookUrl ? { url: config.webhookUrl } : {}),
  });
  let admission: AdmissionServer | undefined = undefined;
  const issued = Promise.withResolvers<void>();
  const certificates = createCertificates(placeOf(config, namespace), api, {
    names: namesOf(config, namespace),
    clock,
    logger,
    onChange(bundle) {
      const { leafMs, caMs } = expiryOf(bundle);
      metrics.certificateExpiry('serving', leafMs);
      metrics.certificateExpiry('ca', caMs);
      injector.setCa(bundle.ca);
      admission?.reload(bundle);
      issued.resolve();
    },
  });
  const reload = (): void => void (certificates.current && admission?.reload(certificates.current));
  checks['certificate'] = () =>
    certificates.current ? undefined : (certificates.problem ?? 'the certificate is not issued yet');
  certificates.start();
  stops.push(() => certificates.stop());
  await Promise.race([issued.promise, aborted(signal)]);
  signal.throwIfAborted();

  const { webhookClientCa, webhookClientNames: names } = config;
  const clientCa = webhookClientCa === undefined ? undefined : await startClientCa(webhookClientCa, logger, reload);
  if (clientCa) stops.push(() => clientCa.stop());

  const { key, cert } = certificates.current!;
  const server = createAdmissionServer({
    tls: { key, cert },
    ...(clientCa && { peers: () => ({ ca: clientCa.current, names }) }),
    operatorUser,
    warnings: config.warnings,
    notReady,
    unreached,
    // Intercepts nothing during a drain, because no replica would give the Deployment back.
    rolloutFor: (inNamespace, kind, name) =>
      leadership.draining ? undefined : ownerOf(caches.rollouts.by('workload', `${inNamespace}/${kind}/${name}`)),
    deploymentFor: (inNamespace, name) => caches.deployments.get(`${inNamespace}/${name}`),
    heldIn: (inNamespace) => (leadership.draining ? [] : caches.deployments.by('held', inNamespace)),
    ...readersOf(api),
    ...policies.admission,
    ...(config.tracing && { sampling: config.tracing }),
    onDecision: (decided) => logger[QUIET.has(decided.verdict) ? 'debug' : 'info']('admission', { ...decided }),
    metrics,
    logger,
  });
  admission = server;
  const webhookPort = await bind('webhook', config.webhookPort, (port) => server.listen(port));
  stops.push(() => server.close());

  // Starts after the server listens, because the API server calls the webhooks from here on.
  if (config.injectCa !== 'false') {
    injector.start();
    stops.push(() => injector.stop());
    checks['webhooks'] = once(() => injector.problem);
  }

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
      workers: config.workers,
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
  const synced = Promise.all(cached.map((cache) => cache.whenSynced()));
  leadership.start({ api, namespace, lead, synced: synced.then((each) => !each.includes(false)) });

  void logWhenReady(checks, run, { version, webhookPort, metricsPort, namespace, user: operatorUser });
  return () => leadership.stop();
}

async function startClientCa(file: string, logger: Logger, onChange: () => void): Promise<ClientCa> {
  const ca = new ClientCa({ file, clock, logger, onChange });
  try {
    await ca.start();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`--webhook-client-ca: Invalid value: "${file}": ${why}; write a file with PEM certificates`, {
      cause: error,
    });
  }
  return ca;
}

export function targetsOf({ webhookConfiguration: name }: Config): Target[] {
  return [
    { kind: 'MutatingWebhookConfiguration', name },
    { kind: 'ValidatingWebhookConfiguration', name },
    { kind: 'CustomResourceDefinition', name: `rollouts.${GROUP}` },
  ];
}

function placeOf({ tlsDir, webhookUrl, tlsSecret }: Config, namespace: string): Place {
  if (tlsDir) return { type: 'files', folder: tlsDir };
  return webhookUrl ? { type: 'memory' } : { type: 'secret', namespace, name: tlsSecret };
}

/** Names of the webhook server in its certificate. */
export function namesOf({ webhookUrl, webhookService }: Config, namespace: string): string[] {
  if (!webhookUrl) return [`${webhookService}.${namespace}.svc`, `${webhookService}.${namespace}.svc.cluster.local`];
  return [webhookUrl.hostname.replace(/^\[|\]$/g, '')];
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

/**
 * A check that stays passed after its first success. If one webhook configuration breaks later, readiness must not fail: that would remove
 * all replicas from the Service and break the other webhooks too.
 */
function once(check: Check): Check {
  let passed = false;
  return () => {
    const problem = passed ? undefined : check();
    passed ||= problem === undefined;
    return problem;
  };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
