// Finds workloads by the names that users write: `web`, `deployment/web`, `sts/db`.
import {
  ADVANCED_DAEMON_SETS,
  ADVANCED_STATEFUL_SETS,
  argumentOf,
  DEPLOYMENTS,
  groupOf,
  type Resource,
} from '../api/resources.ts';
import type { Deployment, KubeObject } from '../api/types.ts';
import { workloadArgument } from '../engine/lib/text.ts';
import { WORKLOADS } from '../view/reference.ts';
import type { Cluster } from './cluster.ts';
import { CliError, usageError } from './exit.ts';

/** A workload, and its kind: items of a list may have none. */
export interface Named {
  readonly resource: Resource;
  readonly workload: Deployment;
}

/** Short names of kubectl, by singular name. */
const SHORT: Readonly<Record<string, string>> = {
  deployment: 'deploy',
  statefulset: 'sts',
  daemonset: 'ds',
  cloneset: 'clone',
};

/** Short names of OpenKruise for its kinds with the name of a native kind. */
const ADVANCED: Readonly<Record<string, Resource>> = { asts: ADVANCED_STATEFUL_SETS, ads: ADVANCED_DAEMON_SETS };

/** The resource that a word such as `deploy`, `statefulsets` or `statefulset.v1.apps` names. Undefined if it names none. */
export function resourceNamed(word: string): Resource | undefined {
  const [name = '', ...rest] = word.toLowerCase().split('.');
  const group = (/^v\d\w*$/.test(rest[0] ?? '') ? rest.slice(1) : rest).join('.');
  const isNamed = ({ kind, plural }: Resource): boolean =>
    [plural, kind.toLowerCase(), SHORT[kind.toLowerCase()]].includes(name);
  if (rest.length === 0 && Object.hasOwn(ADVANCED, name)) return ADVANCED[name];
  return WORKLOADS.find((one) => isNamed(one) && (group === '' || group === groupOf(one.apiVersion)));
}

/** `deployment/NAME or statefulset/NAME`: the forms of a name with a kind. */
export const FORMS = WORKLOADS.map((resource) => `${argumentOf(resource)}/NAME`)
  .join(', ')
  .replace(/, (?=[^,]*$)/, ' or ');

/** Parses an argument. `resource`: undefined if the user wrote only a name. Throws CliError. */
export function parseWorkload(argument: string): { readonly resource: Resource | undefined; readonly name: string } {
  const [first = '', second, ...more] = argument.split('/');
  if (second === undefined) return { resource: undefined, name: first };
  const resource = resourceNamed(first);
  if (resource === undefined || second === '' || more.length > 0)
    throw usageError(`invalid name of a workload "${argument}": write NAME, ${FORMS}`);
  return { resource, name: second };
}

/**
 * The workload that an argument names. Without a kind: the Deployment of this name, or else the only workload of another kind. Throws CliError if
 * there is none, or more than one.
 */
export async function findNamed(cluster: Cluster, argument: string): Promise<Named> {
  const { resource, name } = parseWorkload(argument);
  const { namespace } = cluster;
  const first = resource ?? DEPLOYMENTS;
  const workload = await cluster.find<Deployment>(first, { namespace, name });
  if (workload) return { resource: first, workload };
  const others = resource === undefined ? await findOthers(cluster, name) : [];
  const [found, second] = others;
  if (found && second === undefined) return found;
  if (found)
    throw new CliError(
      `several workloads in namespace "${namespace}" have the name "${name}": write ${others.map((one) => workloadArgument(one.resource, name)).join(' or ')}`,
    );
  throw new CliError(`no ${first.kind} "${name}" in namespace "${namespace}"`);
}

/** The workloads of this name that are not Deployments. None of a kind that the user may not read or the cluster does not serve. */
export async function findOthers(cluster: Cluster, name: string): Promise<Named[]> {
  const { namespace } = cluster;
  const found = await Promise.all(
    WORKLOADS.filter((resource) => resource !== DEPLOYMENTS).map(async (resource): Promise<Named | undefined> => {
      const workload = await cluster.find<Deployment>(resource, { namespace, name }).catch(() => undefined);
      return workload && { resource, workload };
    }),
  );
  return found.filter((one) => one !== undefined);
}

/** The workloads of these kinds, by default of all. Of a kind that the user may not list or the cluster does not serve, none, except of Deployments. */
export async function listWorkloads(
  cluster: Cluster,
  namespace: string | undefined,
  resources: readonly Resource[] = WORKLOADS,
): Promise<Named[]> {
  const lists = await Promise.all(
    resources.map(async (resource) => {
      const list = await cluster.list<Deployment>(resource, { namespace }).catch((error: unknown) => {
        if (resource === DEPLOYMENTS || !isAbsent(cluster, error)) throw error;
        return [];
      });
      return list.map((one) => ({ resource, workload: asKind(one, resource) }));
    }),
  );
  return lists.flat();
}

/** Items of a list may have no kind. */
export const asKind = (workload: KubeObject, { apiVersion, kind }: Resource): Deployment => ({
  ...(workload as Deployment),
  apiVersion,
  kind,
});

/** Deployments, and the other kinds that the user may list and the cluster serves. Costs one request for each of the others. */
export async function listable(cluster: Cluster, namespace: string | undefined): Promise<Resource[]> {
  const { pathOf } = await import('../kube/path.ts');
  const may = await Promise.all(
    WORKLOADS.map(async (resource) => {
      if (resource === DEPLOYMENTS) return true;
      const path = pathOf(resource, namespace === undefined ? {} : { namespace });
      return cluster.api.request({ method: 'GET', path, query: { limit: '1' } }).then(
        () => true,
        (error: unknown) => {
          if (!isAbsent(cluster, error)) throw error;
          return false;
        },
      );
    }),
  );
  return WORKLOADS.filter((_, i) => may[i]);
}

/** The user may not read the kind, or the cluster does not serve it. */
const isAbsent = (cluster: Cluster, error: unknown): boolean =>
  ['Forbidden', 'NotFound'].includes(cluster.answerOf(error) ?? '');
