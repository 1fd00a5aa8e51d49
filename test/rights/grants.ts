// The chart's rules, taken apart: one grant is one verb on one resource.
import type { Cluster } from '@tranche/sandbox/cluster';
import type { Attributes } from '@tranche/sandbox/types';
import { find, render, rulesOf, type Rule } from '../charts/render.ts';

export interface Grant {
  readonly group: string;
  /** With its subresource: `rollouts/status`. */
  readonly resource: string;
  readonly verb: string;
}

export const show = ({ verb, resource }: Grant): string => `${verb} ${resource}`;

/** What only the sources of checks use: metric-sources.test.ts. */
export const isForChecks = ({ group, resource }: Grant): boolean =>
  /metrics\.k8s\.io$/.test(group) || ['metricsources', 'jobs'].includes(resource);

/** What only releases of StatefulSets and DaemonSets use: test/e2e/statefulset.test.ts and daemonset.test.ts. */
const isForSets = ({ resource, verb }: Grant): boolean =>
  (['statefulsets', 'daemonsets'].includes(resource) && ['get', 'patch'].includes(verb)) ||
  (resource === 'controllerrevisions' && ['list', 'watch'].includes(verb));

export const isTestedElsewhere = (grant: Grant): boolean => isForChecks(grant) || isForSets(grant);

const grantsOf = ({ apiGroups, resources, verbs }: Rule): Grant[] =>
  apiGroups.flatMap((group) =>
    resources.flatMap((resource) => verbs.map((verb): Grant => ({ group, resource, verb }))),
  );

/** Everything that the chart grants the program, by whatever roles are bound to its ServiceAccount. */
export const granted = (...set: string[]): Promise<Grant[]> => grantedTo('tranche', ...set);

export async function grantedTo(account: string, ...set: string[]): Promise<Grant[]> {
  const all = await render(...set);
  return all
    .filter(({ kind, subjects }) => /RoleBinding$/.test(kind) && subjects?.some(({ name }) => name === account))
    .flatMap(({ roleRef }) => rulesOf(all, find(all, roleRef!.kind, roleRef!.name)))
    .flatMap(grantsOf);
}

export const isFor = ({ group, resource, verb }: Grant, asked: Attributes): boolean =>
  asked.resourceRequest &&
  asked.group === group &&
  asked.verb === verb &&
  (resource === '*' || (asked.subresource ? `${asked.resource}/${asked.subresource}` : asked.resource) === resource);

/** Sees every request that this user makes before it is authorized; what it throws is the answer. */
export function watchRequests(cluster: Cluster, username: string, see: (asked: Attributes) => void): void {
  const { auth } = cluster;
  const check = auth.check.bind(auth);
  auth.check = (asked) => {
    if (asked.user.username === username) see(asked);
    check(asked);
  };
}
