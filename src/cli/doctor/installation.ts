// The installation: CRD, webhooks, certificates, the operator, and what its user may do.
import { X509Certificate } from 'node:crypto';
import { GROUP } from '../../api/keys.ts';
import { parseTime } from '../../engine/time.ts';
import type { KubeObject } from '../../api/types.ts';
import { ApiError, NetworkError } from '../../kube/errors.ts';
import type { Cluster, Context } from '../context.ts';
import { find, listAll, rolloutsPath } from '../resources.ts';
import { duration } from '../text.ts';
import { note, ok, problem, type Finding } from './finding.ts';

const HOOKS = '/apis/admissionregistration.k8s.io/v1';
const CRD = `rollouts.${GROUP}`;
const OLDEST = [1, 28] as const;
const INSTALL = 'helm upgrade --install tranche charts/tranche --namespace tranche-system --create-namespace';
const EXPIRES_SOON_MS = 14 * 86_400_000;

interface ClientConfig {
  readonly url?: string;
  readonly service?: { readonly namespace?: string; readonly name?: string };
  readonly caBundle?: string;
}

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: ClientConfig }[];
}

interface Definition extends KubeObject {
  readonly spec: {
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
    readonly conversion?: { readonly strategy: string; readonly webhook?: { readonly clientConfig?: ClientConfig } };
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** The operator works, as far as its lease says. */
  readonly alive: boolean;
}

export async function checkInstallation(
  cluster: Cluster,
  context: Context,
  systemNamespace: string | undefined,
): Promise<Examination> {
  const { api } = cluster;
  const now = context.io.now();
  const findings: Finding[] = [];
  findings.push(await checkServer(cluster));
  const definition = await attempt(findings, 'CustomResourceDefinitions', () =>
    find<Definition>(api, `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD}`),
  );
  if (definition !== FORBIDDEN) findings.push(...checkDefinition(definition));
  const hooks = await attempt(findings, 'webhook configurations', async () => {
    const kinds = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'] as const;
    const lists = await Promise.all(kinds.map((kind) => listAll<WebhookConfiguration>(api, `${HOOKS}/${kind}`)));
    return lists.map((list, i) => ({ kind: kinds[i]!.slice(0, -1), configurations: list.filter(isOurs) }));
  });
  let namespace = systemNamespace ?? 'tranche-system';
  if (hooks !== FORBIDDEN) {
    const all = hooks.flatMap(({ configurations }) => configurations);
    namespace =
      systemNamespace ?? all.flatMap(clientConfigs).find(({ service }) => service)?.service?.namespace ?? namespace;
    findings.push(...checkHooks(hooks, now));
  }
  const { findings: running, alive } = await checkOperator(cluster, namespace, context.version, now);
  findings.push(...running);
  if (definition !== FORBIDDEN && definition !== undefined) {
    const names =
      hooks === FORBIDDEN
        ? []
        : hooks.flatMap(({ kind, configurations }) => configurations.map(({ metadata }) => `${kind}/${metadata.name}`));
    findings.push(await checkReach(cluster, namespace, names), ...(await checkRights(cluster)));
  }
  return { findings, alive };
}

const FORBIDDEN = Symbol('not allowed to look');

/** Whoever may not look is told so, and the rest goes on. */
async function attempt<T>(findings: Finding[], what: string, look: () => Promise<T>): Promise<T | typeof FORBIDDEN> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 403) throw error;
    findings.push(note(`you may not read ${what}: not checked`));
    return FORBIDDEN;
  }
}

async function checkServer({ api }: Cluster): Promise<Finding> {
  const { gitVersion = '' } = (await api.request({ method: 'GET', path: '/version' })) as { gitVersion?: string };
  const [, major, minor] = (/^v(\d+)\.(\d+)/.exec(gitVersion) ?? []).map(Number) as number[];
  const old =
    major === undefined || minor === undefined || major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return old
    ? note(`Kubernetes ${gitVersion || 'of an unknown version'}: ${OLDEST.join('.')} or newer is needed`)
    : ok(`Kubernetes ${gitVersion}`);
}

function checkDefinition(definition: Definition | undefined): Finding[] {
  if (!definition) return [problem(`CustomResourceDefinition ${CRD} is not there: there are no Rollouts`, INSTALL)];
  const served = definition.spec.versions.filter((version) => version.served).map(({ name }) => name);
  const established = definition.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  if (!served.includes('v1beta1'))
    return [
      problem(
        `CustomResourceDefinition ${CRD} does not serve v1beta1, only ${served.join(', ')}: it is not of this version`,
        INSTALL,
      ),
    ];
  if (established !== true)
    return [problem(`CustomResourceDefinition ${CRD} is not established`, `kubectl describe crd ${CRD}`)];
  const { conversion } = definition.spec;
  if (served.length > 1 && conversion?.strategy !== 'Webhook')
    return [
      problem(
        `CustomResourceDefinition ${CRD} serves ${served.join(' and ')} without converting between them`,
        INSTALL,
      ),
    ];
  return [ok(`CustomResourceDefinition ${CRD} serves ${served.join(' and ')}`)];
}

const isOurs = ({ webhooks }: WebhookConfiguration): boolean =>
  webhooks?.some(({ name }) => name.endsWith('.tranche.dev')) ?? false;
const clientConfigs = ({ webhooks }: WebhookConfiguration): ClientConfig[] =>
  (webhooks ?? []).map(({ clientConfig }) => clientConfig);

function checkHooks(
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

function checkAuthority(kind: string, configuration: WebhookConfiguration, now: number): Finding {
  const name = `${kind} ${configuration.metadata.name}`;
  const without = configuration.webhooks?.find(({ clientConfig }) => !clientConfig.caBundle);
  const look = `kubectl describe ${kind} ${configuration.metadata.name}`;
  if (without)
    return problem(
      `${name}: ${without.name} has no caBundle: the operator has not put its CA there, and every call fails`,
      look,
    );
  const ends = clientConfigs(configuration).map(({ caBundle }) => lastEnd(caBundle ?? ''));
  const end = Math.min(...ends);
  if (Number.isNaN(end)) return problem(`${name}: a caBundle is no certificate`, look);
  if (end <= now) return problem(`${name}: the CA has ended ${duration(now - end)} ago, and every call fails`, look);
  if (end - now < EXPIRES_SOON_MS)
    return note(`${name}: the CA ends in ${duration(end - now)}; the operator renews it long before, see its log`);
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

async function checkOperator({ api }: Cluster, namespace: string, version: string, now: number): Promise<Examination> {
  const findings: Finding[] = [];
  const leases = await attempt(findings, `Leases in ${namespace}`, () =>
    listAll<Lease>(api, `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`),
  );
  const deployments = await attempt(findings, `Deployments in ${namespace}`, () =>
    listAll(api, `/apis/apps/v1/namespaces/${namespace}/deployments`, {
      labelSelector: 'app.kubernetes.io/name=tranche',
    }),
  );
  const [deployment] = deployments === FORBIDDEN ? [] : deployments;
  const restart = deployment
    ? `kubectl rollout restart deployment/${deployment.metadata.name} -n ${namespace}`
    : INSTALL;
  const running = deployment?.metadata.labels?.['app.kubernetes.io/version'];
  if (running !== undefined && running !== version)
    findings.push(note(`the operator is version ${running}, this program ${version}`));
  if (leases === FORBIDDEN) return { findings, alive: true };
  const lease = leases.find(({ metadata }) => metadata.name.includes('tranche'));
  if (!lease) {
    findings.push(problem(`no operator leads: there is no Lease of it in ${namespace}; releases stand still`, restart));
    return { findings, alive: false };
  }
  const { holderIdentity = '', renewTime, leaseDurationSeconds = 15 } = lease.spec ?? {};
  const renewed = parseTime(renewTime);
  const age = renewed === undefined ? Infinity : now - renewed;
  const alive = holderIdentity !== '' && age < leaseDurationSeconds * 2000;
  findings.push(
    alive
      ? ok(`the operator leads: ${holderIdentity}`)
      : problem(
          `no operator leads: Lease ${lease.metadata.name} in ${namespace} ${holderIdentity === '' ? 'was given up' : `was last renewed ${Number.isFinite(age) ? duration(age) : 'never'} ago`}; releases stand still`,
          restart,
        ),
  );
  return { findings, alive };
}

/** A Rollout that our webhook must refuse, in a dry run: who refuses it says whether we are reached. */
async function checkReach(
  { api, namespace }: Cluster,
  system: string,
  configurations: readonly string[],
): Promise<Finding> {
  const remove = `kubectl delete ${configurations.join(' ')}`;
  const body = {
    apiVersion: `${GROUP}/v1beta1`,
    kind: 'Rollout',
    metadata: { name: 'tranche-doctor', namespace },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'tranche-doctor' },
      strategy: { canary: { steps: [{ replicas: '0%' }] } },
    },
  };
  try {
    await api.request({ method: 'POST', path: rolloutsPath(namespace), query: { dryRun: 'All' }, body });
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    const { message, code } = error as ApiError;
    if (message.includes('denied the request')) return ok('the API server reaches our webhooks, and they answer');
    if (message.includes('failed calling webhook'))
      return problem(
        `the API server does not reach our webhooks, so changes of enrolled Deployments are refused: ${message}; see the operator in ${system}, ` +
          'or, when it is gone for good, let changes pass without it:',
        remove,
      );
    if (code === 403) return note('you may not create Rollouts here: whether the webhooks are reached was not checked');
  }
  return problem(
    'the API server does not call our webhooks: a Rollout that they refuse would have been taken',
    INSTALL,
  );
}

async function checkRights({ api, namespace }: Cluster): Promise<Finding[]> {
  const wanted = [
    ['get', 'rollouts', '', 'see releases'],
    ['approve', 'rollouts', '', 'approve steps'],
    ['patch', 'rollouts', 'status', 'approve steps'],
  ] as const;
  const missing: string[] = [];
  for (const [verb, resource, subresource, what] of wanted) {
    const resourceAttributes = { group: GROUP, resource, verb, namespace, ...(subresource ? { subresource } : {}) };
    const answer = (await api.request({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
    })) as { status?: { allowed?: boolean } };
    if (answer.status?.allowed !== true)
      missing.push(`${verb} ${resource}${subresource ? `/${subresource}` : ''} (to ${what})`);
  }
  return missing.length === 0
    ? [ok(`you may see and approve releases in namespace ${namespace}`)]
    : [note(`you may not: ${missing.join(', ')}, in namespace ${namespace}; ask for the ClusterRole tranche-approver`)];
}
