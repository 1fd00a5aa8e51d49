// The webhooks: are they there, whom do they trust, and does the API server reach them?
import { X509Certificate } from 'node:crypto';
import type { KubeObject, LabelSelector } from '../../api/types.ts';
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

/** The webhook that holds a changed Deployment. */
const HOLDS = 'enrolled.deployments.tranche.dev';

/**
 * Does it hold Deployments in a namespace with these labels? As it is configured now, whoever wrote that: some clusters add selectors of
 * their own to every webhook. Undefined: there is no such webhook, which is a finding of its own.
 */
export function reaches(configurations: readonly WebhookConfiguration[], labels: Labels): boolean | undefined {
  const holding = configurations.flatMap(({ webhooks = [] }) => webhooks).filter(({ name }) => name === HOLDS);
  if (holding.length === 0) return undefined;
  return holding.some(({ namespaceSelector }) => selects(namespaceSelector, labels));
}

export const isOurs = ({ webhooks }: WebhookConfiguration): boolean =>
  webhooks?.some(({ name }) => name.endsWith('.tranche.dev')) ?? false;
export const clientConfigs = ({ webhooks }: WebhookConfiguration): ClientConfig[] =>
  (webhooks ?? []).map(({ clientConfig }) => clientConfig);

export function checkHooks(
  hooks: readonly { kind: string; configurations: readonly WebhookConfiguration[] }[],
  now: number,
): Finding[] {
  const findings: Finding[] = [];
  for (const { kind, configurations } of hooks) {
    const [first, second] = configurations;
    if (!first) findings.push(problem(`there is no ${kind} of ours: changes are not held`, INSTALL));
    if (second)
      findings.push(
        note(
          `there are ${configurations.length} of ${kind} of ours: ${configurations.map(({ metadata }) => metadata.name).join(', ')}; each program needs its own, and one is enough`,
        ),
      );
    for (const configuration of configurations) findings.push(checkAuthority(kind, configuration, now));
  }
  return findings;
}

/** Undefined when it is in order: the definition has a finding of its own. */
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
  if (without)
    return problem(`${name}: ${without.name} has no caBundle: no CA was put there, and every call fails`, look);
  const ends = clientConfigs(configuration).map(({ caBundle }) => lastEnd(caBundle ?? ''));
  const end = Math.min(...ends);
  if (Number.isNaN(end)) return problem(`${name}: a caBundle is no certificate`, look);
  if (end <= now) return problem(`${name}: the CA has ended ${duration(now - end)} ago, and every call fails`, look);
  if (end - now < EXPIRES_SOON_MS)
    return note(`${name}: the CA ends in ${duration(end - now)}; it should have been renewed long before`);
  return ok(`${name} trusts a CA for another ${duration(end - now)}`);
}

/** Of the certificates in a bundle the one that ends last counts: an old one may still be beside the new. */
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

/** A Rollout that our webhook must refuse, in a dry run: who refuses it says whether we are reached. */
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
      return ok('the API server reaches our webhooks, and they answer');
    if (message.includes('failed calling webhook'))
      return problem(
        `the API server does not reach our webhooks, so changes of enrolled Deployments are refused: ${message}; see the operator in ${system}, ` +
          'or, when it is gone for good, let changes pass without it:',
        remove,
      );
    if (code === 404)
      return note(
        `namespace ${namespace} does not exist: name another with -n, whether the webhooks are reached was not checked`,
      );
    if (code === 403 && error.reason === 'Forbidden' && !message.includes('denied'))
      return note('you may not create Rollouts here: whether the webhooks are reached was not checked');
    return note(
      `somebody else refuses a Rollout before our webhooks are asked: whether they are reached was not checked (${message})`,
    );
  }
  return problem(
    'the API server does not call our webhooks: a Rollout that they refuse would have been taken',
    INSTALL,
  );
}
