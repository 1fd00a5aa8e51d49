// Starts the webhook server: its certificates, the CA of its clients, and the CA in the webhook configurations.
import {
  createAdmissionServer,
  readersOf,
  type AdmissionDeps,
  type AdmissionServer,
  type Decided,
} from '../admission/index.ts';
import { GROUP } from '../api/keys.ts';
import { routedKeys } from '../engine/traffic/rivals.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { aborted } from '../kube/abort.ts';
import type { Api } from '../kube/api.ts';
import { realClock as clock } from '../kube/clock.ts';
import type { Check } from '../telemetry/health.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { expiryOf } from '../tls/bundle.ts';
import { ClientCa } from '../tls/client-ca.ts';
import { CaInjector, type Target } from '../tls/inject.ts';
import { createCertificates, type Place } from '../tls/source.ts';
import { deploymentsInRelease } from '../operator/releases.ts';
import { indexOf } from '../operator/workload.ts';
import type { Caches } from './caches.ts';
import type { Config } from './config.ts';
import type { Leadership } from './leadership.ts';
import { bind, StartError } from './preflight.ts';
import type { Policies } from './policies.ts';

export interface WebhooksDeps extends Required<Pick<AdmissionDeps, 'operatorUser' | 'unreached'>> {
  readonly config: Config;
  readonly api: Api;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Stops the wait for the first certificate. */
  readonly signal: AbortSignal;
  /** Namespace of the Secret and the Service. */
  readonly namespace: string;
  readonly caches: Caches;
  readonly leadership: Leadership;
  readonly policies: Policies;
  readonly notReady: () => string | undefined;
  /** The server adds its checks. */
  readonly checks: Record<string, Check>;
  /** The server adds how to stop its parts. */
  readonly stops: (() => unknown)[];
}

/** Verdicts of edits that do not affect a release. */
const QUIET: ReadonlySet<Decided['verdict']> = new Set(['Passed', 'Kept', 'Enrolled']);

/** Resolves with the port when the server listens. Rejects if the signal aborts first. */
export async function startWebhooks(deps: WebhooksDeps): Promise<number> {
  const { config, api, logger, metrics, signal, namespace, checks, stops } = deps;
  const injector = new CaInjector({
    api,
    clock,
    logger,
    targets: targetsOf(config),
    readOnly: config.injectCa === 'check',
    ...(config.webhookUrl ? { url: config.webhookUrl } : {}),
  });
  let server: AdmissionServer | undefined = undefined;
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
      server?.reload(bundle);
      issued.resolve();
    },
  });
  const reload = (): void => void (certificates.current && server?.reload(certificates.current));
  checks['certificate'] = () =>
    certificates.current ? undefined : (certificates.problem ?? 'the certificate is not issued yet');
  certificates.start();
  stops.push(() => certificates.stop());
  await Promise.race([issued.promise, aborted(signal)]);
  signal.throwIfAborted();

  const { webhookClientCa } = config;
  const clientCa = webhookClientCa === undefined ? undefined : await startClientCa(webhookClientCa, logger, reload);
  if (clientCa) stops.push(() => clientCa.stop());

  const { key, cert } = certificates.current!;
  const listening = createAdmissionServer(admissionDeps(deps, { key, cert }, clientCa));
  server = listening;
  const port = await bind('webhook', config.webhookPort, (wanted) => listening.listen(wanted));
  stops.push(() => listening.close());

  // Starts after the server listens, because the API server calls the webhooks from here on.
  if (config.injectCa !== 'false') {
    injector.start();
    stops.push(() => injector.stop());
    checks['webhooks'] = once(() => injector.problem);
  }
  return port;
}

function admissionDeps(
  { config, api, logger, metrics, caches, leadership, policies, notReady, operatorUser, unreached }: WebhooksDeps,
  tls: AdmissionDeps['tls'],
  clientCa: ClientCa | undefined,
): AdmissionDeps {
  return {
    tls,
    ...(clientCa && { peers: () => ({ ca: clientCa.current, names: config.webhookClientNames }) }),
    operatorUser,
    warnings: config.warnings,
    notReady,
    unreached,
    // Intercepts nothing during a drain, because no replica would give the workload back.
    rolloutFor: (inNamespace, kind, name) =>
      leadership.draining ? undefined : ownerOf(caches.rollouts.by('workload', indexOf(kind, inNamespace, name))),
    workloadFor: (kind, inNamespace, name) => caches.workloads.get(kind)?.get(`${inNamespace}/${name}`),
    gatewayApi: config.gatewayApi,
    routersOf: (rollout) => [...new Set(routedKeys(rollout).flatMap((key) => caches.rollouts.by('routed', key)))],
    rivalsOf: (route) => ({
      rollouts: caches.rollouts.by('routed', route),
      routings: caches.routings?.by('routed', route) ?? [],
    }),
    routingFor: (inNamespace, name) =>
      caches.routings?.synced === true ? (caches.routings.get(`${inNamespace}/${name}`) ?? null) : undefined,
    releasesIn(inNamespace) {
      const deployments = leadership.draining ? undefined : caches.workloads.get(deploymentKind);
      return deployments === undefined ? [] : deploymentsInRelease(caches.rollouts, deployments, inNamespace);
    },
    ...readersOf(api),
    ...policies.admission,
    ...(config.tracing && { sampling: config.tracing }),
    onDecision: (decided) => logger[QUIET.has(decided.verdict) ? 'debug' : 'info']('admission', { ...decided }),
    metrics,
    logger,
  };
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
