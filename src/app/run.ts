// Puts the program together: what needs what, in which order it starts, and in which order it stops.
import { createAdmissionServer, type AdmissionServer, type Decided } from '../admission/index.ts';
import { FIELD_MANAGER, GROUP } from '../api/keys.ts';
import { inDoubt, notSynced, startCaches } from './caches.ts';
import { DRAIN_IDENTITY, type Config } from './config.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { readersOf } from '../admission/index.ts';
import { unreachedBy } from '../engine/release/reach.ts';
import type { Api } from '../kube/api.ts';
import { createApi } from '../kube/client.ts';
import { realClock as clock, sleep, steadyClock } from '../kube/clock.ts';
import { connect } from '../kube/connection.ts';
import { EventSender } from '../kube/events.ts';
import { fenced } from '../kube/fence.ts';
import { LeaderElection } from '../kube/lease.ts';
import { startPolicies } from './policies.ts';
import { measureReleases } from '../operator/release-metrics.ts';
import { createOperator, type Operator } from '../operator/operator.ts';
import { bind, introduce, StartError } from './preflight.ts';
import { createHealthServer, missing, type Check } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { expiryOf } from '../tls/bundle.ts';
import { ClientCa } from '../tls/client-ca.ts';
import { CaInjector, type Target } from '../tls/inject.ts';
import { createCertificates, type Place } from '../tls/source.ts';
import { startTracing } from './tracing.ts';

export interface Run {
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
  /** Ends the program, at whatever point it is. */
  readonly signal: AbortSignal;
}

/** Where the chart is installed when nobody says otherwise. */
export const DEFAULT_NAMESPACE = 'tranche-system';
/** A Service's proxies go on sending requests for a moment after a Pod has begun to go. */
const DRAIN_MS = 5_000;
const SAY_MISSING_EVERY_MS = 10_000;
/** Edits that begin, end or change no release. */
const QUIET: ReadonlySet<Decided['verdict']> = new Set(['Passed', 'Kept', 'Enrolled']);

/** Runs until the signal; resolves when everything is stopped. Rejects, with everything stopped, when it cannot start. */
export async function runProgram(run: Run): Promise<void> {
  // The last that was started is the first to stop.
  const stops: (() => unknown)[] = [];
  try {
    const stopLeading = await start(run, stops);
    await aborted(run.signal);
    run.logger.info('stopping');
    // Readiness is off; another replica may lead at once, and requests that are still sent to us are answered.
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
  // On a person's own machine the numbers are for that machine only.
  const host = config.webhookUrl ? '127.0.0.1' : undefined;
  const metricsPort = await bind('metrics', config.metricsPort, (port) => health.listen(port, host));
  stops.push(() => health.close());

  const tracing = config.tracing && (await startTracing(run, config.tracing, metrics, clock.now));
  if (tracing) stops.push(() => tracing.stop());

  const connection = await connect(config.cluster);
  const namespace = config.namespace ?? connection.namespace ?? DEFAULT_NAMESPACE;
  const api = createApi({ connection, userAgent: `tranche/${version}`, fieldManager: FIELD_MANAGER });
  stops.push(() => api.close());
  const operatorUser = await introduce(run, api, connection.server);

  // As the chart's webhooks select namespaces.
  const unreached = unreachedBy({ own: config.webhookUrl ? undefined : namespace, watched: config.watchNamespaces });
  const caches = startCaches({ api, namespaces: config.watchNamespaces, logger, metrics });
  stops.push(() => Promise.all([caches.rollouts.stop(), caches.deployments.stop()]));
  let events: EventSender | undefined = undefined;
  const policies = startPolicies({
    config,
    api,
    logger,
    metrics,
    caches,
    namespace,
    events: () => events,
    draining: () => leading?.draining() ?? false,
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
  let leading: Leader | undefined = undefined;
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
  checks['certificate'] = () => (certificates.current ? undefined : (certificates.problem ?? 'not issued yet'));
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
    // While we are being taken out of the cluster nothing more is intercepted: nobody would give it back.
    rolloutFor: (inNamespace, kind, name) =>
      leading?.draining() ? undefined : ownerOf(caches.rollouts.by('workload', `${inNamespace}/${kind}/${name}`)),
    deploymentFor: (inNamespace, name) => caches.deployments.get(`${inNamespace}/${name}`),
    heldIn: (inNamespace) => (leading?.draining() ? [] : caches.deployments.by('held', inNamespace)),
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

  // Not before we listen: from here on the API server calls us.
  if (config.injectCa !== 'false') {
    injector.start();
    stops.push(() => injector.stop());
    checks['webhooks'] = once(() => injector.problem);
  }

  const sender = new EventSender({
    api,
    clock,
    component: FIELD_MANAGER,
    instance: config.identity,
    logger,
    onDropped: (why) => metrics.eventDropped(why),
  });
  events = sender;
  stops.push(() => sender.stop());
  const lead = (leaderApi: Api): Operator => {
    const tracer = tracing?.lead(caches.rollouts);
    const operator = createOperator({
      api: leaderApi,
      clock,
      logger,
      metrics: { ...metrics, budgetMove: (move, key) => (metrics.budgetMove(move), tracer?.note(key, move)) },
      events: sender,
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
  const synced = Promise.all([caches.rollouts.whenSynced(), caches.deployments.whenSynced()]);
  const allSynced = synced.then((each) => !each.includes(false));
  leading = startLeading(run, { api, namespace, metrics, lead, synced: allSynced });

  void sayWhenReady(checks, run, { version, webhookPort, metricsPort, namespace, user: operatorUser });
  return leading.stop;
}

async function startClientCa(file: string, logger: Logger, onChange: () => void): Promise<ClientCa> {
  const ca = new ClientCa({ file, clock, logger, onChange });
  try {
    await ca.start();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`--webhook-client-ca "${file}" cannot be used (${why}): write a file with PEM certificates`, {
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

/** What the API server calls us by. */
export function namesOf({ webhookUrl, webhookService }: Config, namespace: string): string[] {
  if (!webhookUrl) return [`${webhookService}.${namespace}.svc`, `${webhookService}.${namespace}.svc.cluster.local`];
  return [webhookUrl.hostname.replace(/^\[|\]$/g, '')];
}

interface Leading {
  readonly api: Api;
  readonly namespace: string;
  readonly metrics: Metrics;
  /** The caches are: who cannot read what it needs leaves the lead to another. */
  readonly synced: Promise<boolean>;
  /** An operator that writes with this. */
  readonly lead: (api: Api) => Operator;
}

interface Leader {
  /** Stops leading, and trying to. */
  readonly stop: () => Promise<void>;
  /** A drain has the lead, as far as we have heard. */
  readonly draining: () => boolean;
}

/** The operator runs while this process leads; what it writes with is taken away the moment it does not. */
function startLeading({ config, logger }: Run, { api, namespace, metrics, lead, synced }: Leading): Leader {
  let term: { operator: Operator; lost: AbortController } | undefined;
  const begin = (leads: () => boolean): void => {
    const lost = new AbortController();
    const operator = lead(fenced(api, leads, lost.signal));
    term = { operator, lost };
    operator.start();
    metrics.leader(true);
  };
  const end = async (why: 'lost' | 'stopping'): Promise<void> => {
    metrics.leader(false);
    if (why === 'lost') term?.lost.abort();
    await term?.operator.stop();
    term = undefined;
  };
  if (!config.leaderElect) {
    begin(() => true);
    return { stop: () => end('stopping'), draining: () => false };
  }
  const election = new LeaderElection({
    api,
    // A clock that is set must not end our own lease too late, nor another's too early.
    clock: steadyClock,
    namespace,
    name: config.lease,
    identity: config.identity,
    logger,
    onAcquired: () => begin(() => election.held()),
    onEnd: end,
  });
  void synced.then((ok) => ok && election.start());
  return { stop: () => election.stop(), draining: () => election.holder?.startsWith(DRAIN_IDENTITY) ?? false };
}

/** One line when nothing is missing any more; until then, now and then, what is. */
async function sayWhenReady(checks: Readonly<Record<string, Check>>, run: Run, fields: object): Promise<void> {
  for (let saidAt = clock.now(); !run.signal.aborted; await sleep(clock, 50, run.signal)) {
    const problems = missing(checks);
    if (problems.length === 0) return run.logger.info('ready', { ...fields });
    if (clock.now() - saidAt < SAY_MISSING_EVERY_MS) continue;
    saidAt = clock.now();
    run.logger.warn('not ready yet', { missing: problems });
  }
}

/**
 * Passes for good after the first time: were a configuration broken later, taking every replica out of the Service would turn that into
 * an outage of all the others.
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
