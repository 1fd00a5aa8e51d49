// Checks the installation: CRDs, webhooks, certificates, the operator, and the permissions of the user.
import { GROUP, ROLLOUT_RESOURCE } from '../../api/keys.ts';
import type { KubeObject } from '../../api/types.ts';
import { DEFINITIONS, MUTATING, VALIDATING } from '../../api/resources.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { attempt, FORBIDDEN } from './attempt.ts';
import { INSTALL, note, ok, problem, type Finding, type Installed } from './finding.ts';
import { checkOperator, type Examination } from './operator.ts';
import {
  checkConversion,
  checkHooks,
  checkReach,
  clientConfigs,
  isOurs,
  type ClientConfig,
  type WebhookConfiguration,
} from './webhooks.ts';

const CRD = ROLLOUT_RESOURCE;
const OLDEST = [1, 28] as const;
const POLICIES = 'releasepolicies.tranche.dev';
const VERSION = 'app.kubernetes.io/version';
/** Helm's annotation. */
const RELEASE_NAME = 'meta.helm.sh/release-name';

interface Definition extends KubeObject {
  readonly spec: {
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
    readonly conversion?: { readonly strategy: string; readonly webhook?: { readonly clientConfig?: ClientConfig } };
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export async function checkInstallation(
  cluster: Cluster,
  context: Context,
  systemNamespace: string | undefined,
): Promise<
  Omit<Examination, 'deployment'> & {
    readonly webhooks: readonly WebhookConfiguration[];
    readonly installed: Installed;
  }
> {
  const now = context.io.now();
  const findings: Finding[] = [];
  const server = await attempt(findings, 'the version of the cluster', () => checkServer(cluster));
  if (server !== FORBIDDEN) findings.push(server);
  const definition = await attempt(findings, 'CustomResourceDefinitions', () =>
    cluster.find<Definition>(DEFINITIONS, { name: CRD }),
  );
  if (definition !== FORBIDDEN) {
    findings.push(...checkDefinition(definition, now));
    const policies = await cluster.find<Definition>(DEFINITIONS, { name: POLICIES });
    if (!policies)
      findings.push(note(`CustomResourceDefinition ${POLICIES} does not exist: policies are not available`, INSTALL));
  }
  const hooks = await attempt(findings, 'webhook configurations', async () => {
    return Promise.all(
      [MUTATING, VALIDATING].map(async (resource) => ({
        kind: resource.plural.slice(0, -1),
        configurations: (await cluster.list<WebhookConfiguration>(resource)).filter(isOurs),
      })),
    );
  });
  let namespace = systemNamespace ?? 'tranche-system';
  if (hooks !== FORBIDDEN) {
    const all = hooks.flatMap(({ configurations }) => configurations);
    namespace =
      systemNamespace ?? all.flatMap(clientConfigs).find(({ service }) => service)?.service?.namespace ?? namespace;
    findings.push(...checkHooks(hooks, now));
  }
  const outside =
    hooks === FORBIDDEN
      ? undefined
      : hooks
          .flatMap(({ configurations }) => configurations)
          .flatMap(clientConfigs)
          .find(({ url }) => url);
  const {
    findings: running,
    alive,
    deployment,
  } = await checkOperator(cluster, namespace, { now, outside: outside?.url });
  findings.push(...running);
  const parts: [string, KubeObject][] = [
    ...(definition === FORBIDDEN || !definition
      ? []
      : [['the CustomResourceDefinition', definition] as [string, KubeObject]]),
    ...(hooks === FORBIDDEN ? [] : hooks).flatMap(({ kind, configurations }) =>
      configurations.map((one): [string, KubeObject] => [kind, one]),
    ),
    ...(deployment ? [['the operator', deployment] as [string, KubeObject]] : []),
  ];
  findings.push(...checkVersions(context.version, parts));
  if (definition !== undefined) {
    const names =
      hooks === FORBIDDEN
        ? []
        : hooks.flatMap(({ kind, configurations }) => configurations.map(({ metadata }) => `${kind}/${metadata.name}`));
    findings.push(await checkReach(cluster, namespace, names));
    const rights = await attempt(findings, 'your own rights', () => checkRights(cluster));
    if (rights !== FORBIDDEN) findings.push(...rights);
  }
  const webhooks = hooks === FORBIDDEN ? [] : hooks.flatMap(({ configurations }) => configurations);
  const release = parts
    .map(([, { metadata }]) => metadata.annotations?.[RELEASE_NAME])
    .find((name) => name !== undefined);
  return { findings, alive, webhooks, installed: { release: release ?? 'tranche', namespace } };
}

async function checkServer({ api }: Cluster): Promise<Finding> {
  const { gitVersion = '' } = (await api.request({ method: 'GET', path: '/version' })) as { gitVersion?: string };
  const [, major, minor] = (/^v(\d+)\.(\d+)/.exec(gitVersion) ?? []).map(Number) as number[];
  const old =
    major === undefined || minor === undefined || major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return old
    ? note(`Kubernetes ${gitVersion || 'of an unknown version'}: ${OLDEST.join('.')} or newer is required`)
    : ok(`Kubernetes ${gitVersion}`);
}

/** One `helm upgrade` installs all parts with the same version. */
function checkVersions(ours: string, parts: readonly (readonly [string, KubeObject])[]): Finding[] {
  const known = parts.flatMap(([what, { metadata }]) => {
    const version = metadata.labels?.[VERSION];
    return version === undefined ? [] : [{ what, version }];
  });
  const versions = new Set(known.map(({ version }) => version));
  if (versions.size > 1) {
    const list = [...new Set(known.map(({ what, version }) => `${what} ${version}`))].join(', ');
    return [problem(`parts of the installation have different versions: ${list}`, INSTALL)];
  }
  const [version] = versions;
  return version === undefined || version === ours
    ? []
    : [note(`the installation has version ${version}, this plugin has ${ours}: some features may not work`)];
}

function checkDefinition(definition: Definition | undefined, now: number): Finding[] {
  if (!definition)
    return [problem(`CustomResourceDefinition ${CRD} does not exist: Rollouts are not available`, INSTALL)];
  const served = definition.spec.versions.filter((version) => version.served).map(({ name }) => name);
  const established = definition.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  if (!served.includes('v1beta1'))
    return [
      problem(
        `CustomResourceDefinition ${CRD} serves ${served.join(', ')} but not v1beta1: it has a different version`,
        INSTALL,
      ),
    ];
  if (established !== true)
    return [problem(`CustomResourceDefinition ${CRD} is not established`, `kubectl describe crd ${CRD}`)];
  const { conversion } = definition.spec;
  if (served.length > 1 && conversion?.strategy !== 'Webhook')
    return [
      problem(`CustomResourceDefinition ${CRD} serves ${served.join(' and ')} without a conversion webhook`, INSTALL),
    ];
  const converting = served.length > 1 ? checkConversion(CRD, conversion?.webhook?.clientConfig, now) : undefined;
  const foreign = definition.metadata.labels?.['app.kubernetes.io/name'] !== 'tranche';
  return [
    converting ?? ok(`CustomResourceDefinition ${CRD} serves ${served.join(' and ')}`),
    ...(foreign
      ? [note(`CustomResourceDefinition ${CRD} is not from this chart: it drops fields that it does not know`, INSTALL)]
      : []),
  ];
}

async function checkRights(cluster: Cluster): Promise<Finding[]> {
  const { namespace } = cluster;
  const wanted = [
    ['get', 'rollouts', '', 'see releases'],
    ['approve', 'rollouts', '', 'approve steps'],
    ['patch', 'rollouts', 'status', 'approve steps'],
  ] as const;
  const missing: string[] = [];
  for (const [verb, resource, subresource, what] of wanted) {
    const attributes = { group: GROUP, resource, verb, namespace, ...(subresource ? { subresource } : {}) };
    if (!(await cluster.mayI(attributes)))
      missing.push(`${verb} ${resource}${subresource ? `/${subresource}` : ''} (to ${what})`);
  }
  return missing.length === 0
    ? [ok(`you may see and approve releases in namespace ${namespace}`)]
    : [note(`you may not ${missing.join(', ')} in namespace ${namespace}; ask for the ClusterRole tranche-approver`)];
}
