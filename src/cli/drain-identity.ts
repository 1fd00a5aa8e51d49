// Who drains: the ServiceAccount of the installation, because admission lets nobody else give routes back, or the user. The user acts as the
// ServiceAccount by impersonation, so RBAC decides who may, and the audit log of the API server names both.
import { TRAFFIC_ROUTING } from '../api/keys.ts';
import { isName, LABEL_NAME, SUBDOMAIN_NAME } from '../api/names.ts';
import {
  CLONE_SETS,
  CLUSTER_ROLE_BINDINGS,
  DAEMON_SETS,
  DEPLOYMENTS,
  GRPC_ROUTES,
  groupOf,
  HTTP_ROUTES,
  LEASES,
  ROLLOUTS,
  SERVICES,
  STATEFUL_SETS,
  TRAFFIC_ROUTINGS,
  type Resource,
} from '../api/resources.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { KubeObject, Rollout } from '../api/types.ts';
import type { ResourceAttributes } from '../kube/self.ts';
import type { Cluster } from './cluster.ts';
import { CliError, EXIT } from './exit.ts';

export interface Installation {
  /** The name of its webhook configurations and its Lease. Other names of the chart begin with it. */
  readonly name: string;
  readonly namespace: string;
  /** Its `watchNamespaces`. Empty: all. */
  readonly watched: readonly string[];
}

export interface Asked {
  readonly installation: Installation;
  /** The namespaces that the user named. Empty: all. */
  readonly named: readonly string[];
  /** The user has chosen an identity with `--as`. */
  readonly chosen: boolean;
  /** Connects to the same cluster as another user. */
  readonly connectAs: (username: string) => Promise<Cluster>;
}

export interface Identity {
  /** The ServiceAccount to impersonate. Absent: none. */
  readonly account?: Account;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Workloads of OpenKruise are given back, too. */
  readonly openkruise: boolean;
}

export interface Account {
  readonly namespace: string;
  readonly name: string;
}

export const usernameOf = ({ namespace, name }: Account): string => `system:serviceaccount:${namespace}:${name}`;

/** Who can act as the ServiceAccount. */
interface Actor {
  readonly account?: Account;
  readonly cluster: Cluster;
}

/** Why nobody acts as the ServiceAccount, and what to do. */
class Lack {
  readonly what: string;
  readonly remedy: string;

  constructor(what: string, remedy: string) {
    this.what = what;
    this.remedy = remedy;
  }
}

const ASK = 'ask for this permission';
const REPAIR = 'repair the installation with helm upgrade';
const ROUTE = 'set traffic.gatewayAPI.enabled to true with helm upgrade';

/** Throws CliError if a route has to be given back and the user cannot act as the ServiceAccount. */
export async function identityFor(cluster: Cluster, asked: Asked): Promise<Identity> {
  const { installation, named } = asked;
  const { watched } = installation;
  const own: Identity = { namespaces: named, openkruise: true };
  const namespaces = named.length > 0 ? named : watched;
  // Elsewhere, the admission of this installation refuses nothing.
  const concerned = watched.length > 0 ? namespaces.filter((one) => watched.includes(one)) : namespaces;
  if (watched.length > 0 && concerned.length === 0) return own;
  const able = await withRights(await actorFor(cluster, asked), rights(installation, namespaces));
  const routed = await routedIn(able instanceof Lack ? cluster : able.cluster, concerned);
  const actor = routed.length > 0 ? await withRights(able, routeRights(namespaces), ROUTE) : able;
  if (!(actor instanceof Lack)) {
    const [clones] = each(namespaces, CLONE_SETS, 'patch');
    const openkruise = await actor.cluster.mayI(clones!);
    return { ...(actor.account && { account: actor.account }), namespaces, openkruise };
  }
  if (routed.length === 0) return own;
  throw new CliError(
    `only the ServiceAccount of Tranche can give back ${listed(routed)}: ${actor.what}; ${actor.remedy}, or first end ` +
      'these releases: kubectl tranche finish, or kubectl tranche undo',
    EXIT.refused,
  );
}

async function actorFor(cluster: Cluster, { installation, chosen, connectAs }: Asked): Promise<Actor | Lack> {
  const account = await accountOf(cluster, installation);
  if (account instanceof Lack) return account;
  if ((await cluster.whoAmI()) === usernameOf(account)) return { cluster };
  if (chosen) return new Lack('you act as another user', 'remove --as');
  const lack = new Lack(
    `you do not have the verb impersonate on ServiceAccount ${account.name} in namespace ${account.namespace}`,
    ASK,
  );
  if (!(await cluster.mayI({ group: '', resource: 'serviceaccounts', verb: 'impersonate', ...account }))) return lack;
  const acting = await connectAs(usernameOf(account));
  try {
    await acting.whoAmI();
  } catch (error) {
    // A kubeconfig may name a user to impersonate, who got the answer above.
    if (cluster.answerOf(error) === 'Forbidden') return lack;
    throw error;
  }
  return { account, cluster: acting };
}

interface Binding extends KubeObject {
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

/**
 * The chart always creates this binding, and only cluster administrators write ClusterRoleBindings: labels of a Deployment could be those of anybody.
 * The namespace must be that of the installation.
 */
export async function accountOf(
  cluster: Pick<Cluster, 'find' | 'answerOf'>,
  installation: Installation,
): Promise<Account | Lack> {
  const name = `${installation.name}-policies`;
  let binding: Binding | undefined;
  try {
    binding = await cluster.find<Binding>(CLUSTER_ROLE_BINDINGS, { name });
  } catch (error) {
    if (cluster.answerOf(error) !== 'Forbidden') throw error;
    return new Lack(`you may not get ClusterRoleBinding ${name}, which names it`, ASK);
  }
  const [subject, ...others] = binding?.subjects ?? [];
  const isAccount =
    others.length === 0 && subject?.kind === 'ServiceAccount' && subject.namespace === installation.namespace;
  if (!isAccount || !isName(LABEL_NAME, subject.namespace) || !isName(SUBDOMAIN_NAME, subject.name))
    return new Lack(
      `ClusterRoleBinding ${name} does not name one ServiceAccount in namespace ${installation.namespace}`,
      REPAIR,
    );
  return { namespace: subject.namespace, name: subject.name };
}

/** The right in each of the namespaces. */
const each = (
  namespaces: readonly string[],
  { apiVersion, plural }: Resource,
  verb: string,
  subresource?: string,
): ResourceAttributes[] =>
  (namespaces.length > 0 ? namespaces : [undefined]).map((namespace) => ({
    group: groupOf(apiVersion),
    resource: plural,
    verb,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
  }));

/** One of each group of rights of the chart: somebody may have deleted its roles, or limited them to namespaces. */
const rights = ({ name, namespace }: Installation, namespaces: readonly string[]): ResourceAttributes[] => [
  ...each(namespaces, ROLLOUTS, 'list'),
  ...each(namespaces, ROLLOUTS, 'patch', 'status'),
  ...[DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS].flatMap((resource) => each(namespaces, resource, 'patch')),
  ...each([namespace], LEASES, 'patch').map((right) => ({ ...right, name })),
];

const routeRights = (namespaces: readonly string[]): ResourceAttributes[] => [
  ...[HTTP_ROUTES, GRPC_ROUTES].flatMap((resource) => each(namespaces, resource, 'patch')),
  ...each(namespaces, SERVICES, 'delete'),
];

async function withRights(
  actor: Actor | Lack,
  wanted: readonly ResourceAttributes[],
  remedy = REPAIR,
): Promise<Actor | Lack> {
  if (actor instanceof Lack) return actor;
  for (const right of wanted) {
    if (await actor.cluster.mayI(right)) continue;
    const { verb, group, resource, subresource, namespace } = right;
    const what = [`${resource}${group === '' ? '' : `.${group}`}`, ...(subresource ? [subresource] : [])].join('/');
    const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`;
    return new Lack(`it may not ${verb} ${what} ${where}`, remedy);
  }
  return actor;
}

/** The routes that a release has changed. */
async function routedIn(cluster: Cluster, namespaces: readonly string[]): Promise<readonly string[]> {
  const list = async <T extends KubeObject>(resource: Resource): Promise<T[]> => {
    const found: T[] = [];
    for (const { namespace } of each(namespaces, resource, 'list'))
      found.push(...(await cluster.list<T>(resource, { namespace })));
    return found;
  };
  const orNone = <T>(answers: readonly string[], asked: Promise<T[]>): Promise<T[]> =>
    asked.catch((error: unknown) => {
      if (answers.includes(cluster.answerOf(error) ?? '')) return [];
      throw error;
    });
  const rollouts = await orNone(['NotFound'], list<Rollout>(ROLLOUTS));
  const routings = await orNone(['NotFound', 'Forbidden'], list<TrafficRoutingObject>(TRAFFIC_ROUTINGS));
  return [
    ...rollouts
      .filter(({ status }) => status?.canaryStatus?.traffic !== undefined)
      .map(({ metadata }) => `the route of Rollout ${metadata.namespace}/${metadata.name}`),
    ...routings
      .filter(({ metadata }) => metadata.finalizers?.includes(TRAFFIC_ROUTING))
      .map(({ metadata }) => `the route of TrafficRouting ${metadata.namespace}/${metadata.name}`),
  ];
}

const MAX_NAMED = 5;

const listed = (routed: readonly string[]): string =>
  `${routed.slice(0, MAX_NAMED).join(', ')}${routed.length > MAX_NAMED ? ` and ${routed.length - MAX_NAMED} more` : ''}`;
