// Checks the webhooks: their configurations, their CA, and whether the API server reaches them.
import { X509Certificate } from 'node:crypto';
import type { KubeObject, LabelSelector } from '../../api/types.ts';
import { plural } from '../../engine/lib/text.ts';
import { selects, type Labels } from '../../engine/policy/policy.ts';
import { ApiError, NetworkError } from '../../kube/errors.ts';
import type { Cluster } from '../cluster.ts';
import { ROLLOUTS } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import { duration } from '../text.ts';
import { INSTALL, note, ok, problem, type Finding } from './finding.ts';

const EXPIRES_SOON_MS = 14 * 86_400_000;

export interface ClientConfig {
  readonly url?: string;
  readonly service?: { readonly namespace?: string; readonly name?: string };
  readonly caBundle?: string;
}

export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: ClientConfig;
    readonly namespaceSelector?: LabelSelector;
  }[];
}

/** The label of each namespace with its name. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

/** The webhook that holds a changed workload. */
const HOLDS = 'enrolled.deployments.tranche.dev';

/**
 * Whether the webhook selects namespaces with these labels. Uses the stored configuration, because some clusters add selectors to all
 * webhooks. Undefined: the webhook does not exist, which is a separate finding.
 */
export function reaches(configurations: readonly WebhookConfiguration[], labels: Labels): boolean | undefined {
  const holding = configurations.flatMap(({ webhooks = [] }) => webhooks).filter(({ name }) => name === HOLDS);
  if (holding.length === 0) return undefined;
  return holding.some(({ namespaceSelector }) => selects(namespaceSelector, labels));
}

/** The namespaces to which the chart limits its webhooks (`watchNamespaces`). Empty: all. */
export const watchedBy = ({ webhooks = [] }: WebhookConfiguration): readonly string[] =>
  webhooks
    .find(({ name }) => name === HOLDS)
    ?.namespaceSelector?.matchExpressions?.find(({ key, operator }) => key === NAMESPACE_NAME && operator === 'In')
    ?.values ?? [];

export const isOurs = ({ webhooks }: WebhookConfiguration): boolean =>
  webhooks?.some(({ name }) => name.endsWith('.tranche.dev')) ?? false;
export const clientConfigs = ({ webhooks }: WebhookConfiguration): ClientConfig[] =>
  (webhooks ?? []).map(({ clientConfig }) => clientConfig);

/** What does not happen without a configuration. */
const WITHOUT: Readonly<Record<string, string>> = {
  mutatingwebhookconfiguration: 'changes are not held',
  validatingwebhookconfiguration: 'changes of Rollouts, ReleasePolicies and ReplicaSets are not checked',
};

export function checkHooks(
  hooks: readonly { kind: string; configurations: readonly WebhookConfiguration[] }[],
  now: number,
): Finding[] {
  const findings: Finding[] = [];
  for (const { kind, configurations } of hooks) {
    const [first, second] = configurations;
    if (!first)
      findings.push(problem(`no ${kind} of Tranche exists: ${WITHOUT[kind] ?? 'part of Tranche is missing'}`, INSTALL));
    if (second)
      findings.push(
        note(
          `${plural(configurations.length, kind)} of Tranche exist: ${configurations.map(({ metadata }) => metadata.name).join(', ')}; one is enough`,
        ),
      );
    for (const configuration of configurations) findings.push(checkAuthority(kind, configuration, now));
  }
  return findings;
}

/** Undefined if the CA is valid: the definition has a separate finding. */
export function checkConversion(crd: string, clientConfig: ClientConfig | undefined, now: number): Finding | undefined {
  const finding = checkAuthority(
    'crd',
    { metadata: { name: crd }, webhooks: [{ name: 'conversion', clientConfig: clientConfig ?? {} }] },
    now,
  );
  return finding.level === 'ok' ? undefined : finding;
}

function checkAuthority(kind: string, configuration: WebhookConfiguration, now: number): Finding {
  const name = `${kind} ${configuration.metadata.name}`;
  const without = configuration.webhooks?.find(({ clientConfig }) => !clientConfig.caBundle);
  const look = `kubectl describe ${kind} ${configuration.metadata.name}`;
  if (without) return problem(`${name}: ${without.name} has no caBundle, so every call fails`, look);
  const ends = clientConfigs(configuration).map(({ caBundle }) => lastEnd(caBundle ?? ''));
  const end = Math.min(...ends);
  if (Number.isNaN(end)) return problem(`${name}: a caBundle is not a certificate`, look);
  if (end <= now) return problem(`${name}: the CA expired ${duration(now - end)} ago, so every call fails`, look);
  if (end - now < EXPIRES_SOON_MS)
    return note(`${name}: the CA expires in ${duration(end - now)}; its renewal is overdue`);
  return ok(`${name}: the CA is valid for another ${duration(end - now)}`);
}

/** The latest expiry in a bundle: during a renewal it contains the old and the new certificate. NaN if there is none. */
function lastEnd(caBundle: string): number {
  const pem = Buffer.from(caBundle, 'base64').toString('utf8');
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return certificates.length === 0
      ? NaN
      : Math.max(...certificates.map((text) => Date.parse(new X509Certificate(text).validTo)));
  } catch {
    return NaN;
  }
}

/** Creates an invalid Rollout in a dry run. If the webhook refuses it, the API server reaches the webhook. */
export async function checkReach(
  { api, namespace }: Cluster,
  system: string,
  configurations: readonly string[],
): Promise<Finding> {
  const remove = `kubectl delete ${configurations.join(' ')}`;
  const body = {
    apiVersion: ROLLOUTS.apiVersion,
    kind: ROLLOUTS.kind,
    metadata: { name: 'tranche-doctor', namespace },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'tranche-doctor' },
      strategy: { canary: { steps: [{ replicas: '0%' }] } },
    },
  };
  try {
    await api.request({ method: 'POST', path: pathOf(ROLLOUTS, { namespace }), query: { dryRun: 'All' }, body });
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    const { message, code } = error as ApiError;
    if (!(error instanceof ApiError)) throw error;
    if (/webhook "[^"]*tranche\.dev" denied the request/.test(message))
      return ok('the API server reaches the webhooks');
    if (message.includes('failed calling webhook'))
      return problem(
        `the API server does not reach the webhooks, so changes of enrolled workloads are refused: ${message}; check the operator in ` +
          `namespace ${system}. If it is gone for good, this command lets changes pass:`,
        remove,
      );
    if (code === 404)
      return note(
        `namespace ${namespace} does not exist, choose another one with -n: access to the webhooks was not checked`,
      );
    if (code === 403 && error.reason === 'Forbidden' && !message.includes('denied'))
      return note(`you may not create Rollouts in namespace ${namespace}: access to the webhooks was not checked`);
    return note(
      `another webhook or policy refuses Rollouts first: access to the webhooks was not checked (${message})`,
    );
  }
  return problem('the API server does not call the webhooks: it accepted an invalid Rollout in a dry run', INSTALL);
}
