// Asks the API server whether a user may approve a step or take over a release, and reads the objects that admission needs live.
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { findObject } from '../kube/get.ts';
import { groupOf, REPLICA_SETS, resourceName, SERVICES, type Resource } from '../api/resources.ts';
import type { Route, Service } from '../api/traffic.ts';
import type { Requester } from '../engine/admit/decision.ts';
import type { Right } from '../engine/admit/routing.ts';
import { legNames } from '../engine/traffic/split.ts';
import { show, type Violation } from '../engine/validate/violation.ts';
import type { AdmissionDeps, Approval } from './deps.ts';

/** Shorter than the timeout of the webhooks. */
const TIMEOUT_MS = 3_000;
const inTime = (): AbortSignal => AbortSignal.timeout(TIMEOUT_MS);

interface Review {
  readonly status?: { readonly allowed?: boolean };
}

/** Asks the API server. Throws the errors of the request. */
async function isAllowed(
  api: Api,
  { user, groups }: Pick<Requester, 'user' | 'groups'>,
  resourceAttributes: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { status } = (await api.request({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, resourceAttributes },
    },
    signal: inTime(),
  })) as Review;
  return status?.allowed === true;
}

/** The verbs, each with the field that its errors name and the ClusterRole that grants it. */
const VERBS = {
  approve: { field: 'approval', role: 'tranche-approver' },
  takeover: { field: 'takeover', role: 'tranche-takeover' },
} as const;
const RETRY = 'try again in a few seconds';
type MayAsk = (rollout: Rollout) => Promise<boolean>;

/**
 * Checks a verb on rollouts.rollouts.kruise.io. Without an answer, the user may not use it. `mayAsk`: the API server has this Rollout, and there
 * were not too many questions.
 */
export const askAccess =
  (api: Api, mayAsk: MayAsk = () => Promise.resolve(true), verb: keyof typeof VERBS = 'approve') =>
  async ({ rollout, user, groups }: Approval): Promise<readonly Violation[]> => {
    const { name, namespace = '' } = rollout.metadata;
    const { field, role } = VERBS[verb];
    const common = { field, value: user, type: 'Forbidden' } as const;
    if (!(await mayAsk(rollout))) {
      const reason = `cannot check the verb ${verb}: the cache does not have this version of the Rollout yet, or there were too many requests`;
      return [{ ...common, reason, remedy: RETRY }];
    }
    const attributes = { group: 'rollouts.kruise.io', resource: 'rollouts', verb, namespace, name };
    try {
      if (await isAllowed(api, { user, groups }, attributes)) return [];
    } catch {
      const reason = `cannot check the verb ${verb}: the API server did not answer`;
      return [{ ...common, reason, remedy: RETRY }];
    }
    const reason = `user ${show(user)} does not have the verb ${verb} on rollouts.rollouts.kruise.io in namespace ${namespace}`;
    return [{ ...common, reason, remedy: `ask for the ClusterRole ${role}, or ask somebody who has it` }];
  };

/** How the webhook may ask about routes: the namespace has not caused too many questions. */
type MayLook = (namespace: string) => boolean;

/** The rights of an author that routing requires. Without an answer, the author does not have them. */
export const askRights =
  (api: Api, mayLook: MayLook): NonNullable<AdmissionDeps['lacking']> =>
  async (rights, by, namespace) => {
    if (!mayLook(namespace)) return rights.map((right) => unchecked(right, 'there were too many requests'));
    const found = await Promise.all(rights.map((right) => lacks(api, right, by, namespace)));
    return found.filter((lack) => lack !== undefined);
  };

async function lacks(api: Api, right: Right, by: Requester, namespace: string): Promise<Violation | undefined> {
  const { field, value, verb, resource, name } = right;
  const { plural } = resource;
  const group = groupOf(resource.apiVersion);
  try {
    if (await isAllowed(api, by, { group, resource: plural, verb, namespace, ...(name && { name }) })) return undefined;
  } catch {
    return unchecked(right, 'the API server did not answer');
  }
  const what = `${group === '' ? plural : resourceName(resource)} in namespace ${namespace}`;
  const reason = `user ${show(by.user)} does not have the verb ${verb} on ${what}, which the operator uses for it`;
  const remedy = 'ask for this permission, or ask somebody who has it to write this object';
  return { field, value, type: 'Forbidden', reason, remedy };
}

const unchecked = ({ field, value, verb, resource }: Right, why: string): Violation => ({
  field,
  value,
  type: 'Forbidden',
  reason: `cannot check the verb ${verb} on ${resource.plural}: ${why}`,
  remedy: RETRY,
});

/** The route and the Services that a Rollout names, and those with the names of the legs: four reads. */
export const readRouted =
  (api: Api, mayLook: MayLook): NonNullable<AdmissionDeps['readRouted']> =>
  async ({ route, service }, namespace, isCounted) => {
    if (!isCounted && !mayLook(namespace)) throw new Error('too many requests');
    const signal = inTime();
    const find = <T extends KubeObject>(resource: Resource, name: string): Promise<T | undefined> =>
      findObject<T>(api, resource, { namespace, name, signal });
    const [found, base, ...legs] = await Promise.all([
      find<Route>(route.resource, route.name),
      ...[service, ...legNames(service)].map((name) => find<Service>(SERVICES, name)),
    ]);
    return { route: found, service: base, legs: legs.filter((leg) => leg !== undefined) };
  };

/** The error if the verb takeover cannot be checked. */
export const takeoverUnchecked = (user: string): Violation => ({
  field: 'takeover',
  value: user,
  type: 'Forbidden',
  reason: 'cannot check the verb takeover',
  remedy: 'run the operator with access to the API server',
});

/** Live reads of admission, each with a timeout. */
export const readersOf = (
  api: Api,
): Required<Pick<AdmissionDeps, 'readWorkload' | 'ownerOfReplicaSet' | 'authorizeTakeover'>> => ({
  readWorkload: ({ resource }, namespace, name) =>
    findObject<Workload>(api, resource, { namespace, name, signal: inTime() }),
  async ownerOfReplicaSet(namespace, name) {
    const set = await findObject<KubeObject>(api, REPLICA_SETS, { namespace, name, signal: inTime() });
    return set?.metadata.ownerReferences?.find((ref) => ref.controller === true && ref.kind === 'Deployment')?.name;
  },
  authorizeTakeover: askAccess(api, undefined, 'takeover'),
});
