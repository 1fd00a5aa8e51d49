// Chooses who drains: the user, or the ServiceAccount of the installation. Admission lets only the ServiceAccount give routes back. The user acts as the
// ServiceAccount by impersonation, so RBAC decides who may do this, and the audit log of the API server names both.
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
  kindName,
  LEASES,
  ROLLOUTS,
  SERVICES,
  STATEFUL_SETS,
  TRAFFIC_ROUTINGS,
  type Resource,
} from '../api/resources.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import { isToGiveBack } from '../engine/release/openkruise.ts';
import { OPTIONAL_KINDS } from '../engine/workload/registry.ts';
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
  /** The user has chosen an identity with `--as`, `--as-group` or `--as-uid`. */
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

/** A connection that acts as the ServiceAccount. */
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
const NAME_OWN = 'name only namespaces of the installation (its value watchNamespaces)';
const NAME_SYSTEM = 'name the namespace of the installation with --system-namespace';

/** Throws CliError if something has to be given back that neither the user nor the ServiceAccount can give back. */
export async function identityFor(cluster: Cluster, asked: Asked): Promise<Identity> {
  const { installation, named } = asked;
  const { watched } = installation;
  const namespaces = named.length > 0 ? named : watched;
  const own: Identity = { namespaces, openkruise: true };
  // Elsewhere, the admission of this installation refuses nothing.
  const concerned = watched.length > 0 ? namespaces.filter((one) => watched.includes(one)) : namespaces;
  if (watched.length > 0 && concerned.length === 0) return own;
  const instead =
    (remedy: string) =>
    ({ namespace }: ResourceAttributes): string =>
      concerned.length < namespaces.length && namespace !== undefined && !watched.includes(namespace)
        ? NAME_OWN
        : remedy;
  const able = await withRights(await actorFor(cluster, asked), rights(installation, namespaces), instead(REPAIR));
  // The user first: what a value of the chart no longer lets the ServiceAccount read has to be given back all the same.
  const readers = able instanceof Lack ? [cluster] : [cluster, able.cluster];
  const { rollouts, routings } = await routedIn(readers, concerned);
  const routed = [...rollouts, ...routings];
  const actor = routed.length > 0 ? await withRights(able, routeRights(namespaces), instead(ROUTE)) : able;
  if (actor instanceof Lack) {
    if (routed.length === 0) return own;
    throw new CliError(
      `only the ServiceAccount of Tranche can give back ${listed(routed)}: ${actor.what}; ${actor.remedy}, or first end ` +
        `${releasesOf(rollouts, routings)}: kubectl tranche finish, or kubectl tranche undo`,
      EXIT.refused,
    );
  }
  const [clones] = each(namespaces, CLONE_SETS, 'patch');
  const openkruise = await actor.cluster.mayI(clones!);
  const kept = openkruise ? [] : await openkruiseIn(readers, namespaces);
  if (kept.length > 0)
    throw new CliError(
      `the ServiceAccount of Tranche may not give back ${listed(kept)}: set openkruiseWorkloads.enabled to true with helm upgrade`,
      EXIT.refused,
    );
  return { ...(actor.account && { account: actor.account }), namespaces, openkruise };
}

const releasesOf = (rollouts: readonly string[], routings: readonly string[]): string => {
  if (routings.length === 0) return 'these releases';
  const users = 'the Rollouts that use';
  if (rollouts.length > 0) return `these releases, and those of ${users} a TrafficRouting`;
  return `the releases of ${users} ${routings.length > 1 ? 'them' : 'it'}`;
};

async function actorFor(cluster: Cluster, { installation, chosen, connectAs }: Asked): Promise<Actor | Lack> {
  const account = await accountOf(cluster, installation);
  if (account instanceof Lack) return account;
  if ((await cluster.whoAmI()) === usernameOf(account)) return { cluster };
  if (chosen) return new Lack('you act as another user', 'remove --as, --as-group and --as-uid');
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
  const isAccount = others.length === 0 && subject?.kind === 'ServiceAccount';
  const isHere = isAccount && subject.namespace === installation.namespace;
  if (!isHere || !isName(LABEL_NAME, subject.namespace) || !isName(SUBDOMAIN_NAME, subject.name))
    return new Lack(
      `ClusterRoleBinding ${name} does not name one ServiceAccount in namespace ${installation.namespace}`,
      isAccount && !isHere ? NAME_SYSTEM : REPAIR,
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
  // Without it, the drain takes it that there are none.
  ...each(namespaces, TRAFFIC_ROUTINGS, 'list'),
];

async function withRights(
  actor: Actor | Lack,
  wanted: readonly ResourceAttributes[],
  remedyFor: (right: ResourceAttributes) => string,
): Promise<Actor | Lack> {
  if (actor instanceof Lack) return actor;
  for (const right of wanted) {
    if (await actor.cluster.mayI(right)) continue;
    const { verb, group, resource, subresource, namespace } = right;
    const what = [`${resource}${group === '' ? '' : `.${group}`}`, ...(subresource ? [subresource] : [])].join('/');
    const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`;
    return new Lack(`it may not ${verb} ${what} ${where}`, remedyFor(right));
  }
  return actor;
}

/** Reads each namespace as the first of the readers that may. None if the cluster does not serve the kind. */
async function listIn<T extends KubeObject>(
  readers: readonly Cluster[],
  resource: Resource,
  namespaces: readonly string[],
): Promise<T[]> {
  const listBy = async ([reader, ...others]: readonly Cluster[], namespace?: string): Promise<T[]> => {
    try {
      return await reader!.list<T>(resource, { namespace });
    } catch (error) {
      const answer = reader!.answerOf(error);
      if (answer === 'NotFound') return [];
      if (answer !== 'Forbidden') throw error;
      if (others.length > 0) return listBy(others, namespace);
      // A user who may not list the other kinds can still drain.
      if (resource === ROLLOUTS) throw error;
      return [];
    }
  };
  const found: T[] = [];
  for (const { namespace } of each(namespaces, resource, 'list')) found.push(...(await listBy(readers, namespace)));
  return found;
}

const nameOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;

interface Routed {
  readonly rollouts: readonly string[];
  readonly routings: readonly string[];
}

/** The routes that are changed now. */
async function routedIn(readers: readonly Cluster[], namespaces: readonly string[]): Promise<Routed> {
  const rollouts = await listIn<Rollout>(readers, ROLLOUTS, namespaces);
  const routings = await listIn<TrafficRoutingObject>(readers, TRAFFIC_ROUTINGS, namespaces);
  return {
    rollouts: rollouts
      .filter(({ status }) => status?.canaryStatus?.traffic !== undefined)
      .map((one) => `the route of Rollout ${nameOf(one)}`),
    routings: routings
      .filter(({ metadata }) => metadata.finalizers?.includes(TRAFFIC_ROUTING))
      .map((one) => `the route of TrafficRouting ${nameOf(one)}`),
  };
}

/** The workloads of OpenKruise that a drain has to give back. */
async function openkruiseIn(readers: readonly Cluster[], namespaces: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const kind of OPTIONAL_KINDS)
    for (const one of await listIn<Workload>(readers, kind.resource, namespaces))
      if (isToGiveBack(one, kind)) found.push(`${kindName(kind.resource)} ${nameOf(one)}`);
  return found;
}

const MAX_NAMED = 5;

const listed = (found: readonly string[]): string =>
  `${found.slice(0, MAX_NAMED).join(', ')}${found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : ''}`;
