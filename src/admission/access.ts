// Asks the API server whether a user may approve a step or take over a release, and reads the objects that admission needs live.
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { findObject } from '../kube/get.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../api/resources.ts';
import { show, type Violation } from '../engine/validate/violation.ts';
import type { AdmissionDeps, Approval } from './deps.ts';

/** Shorter than the timeout of the webhooks. */
const TIMEOUT_MS = 3_000;
const inTime = (): AbortSignal => AbortSignal.timeout(TIMEOUT_MS);

interface Review {
  readonly status?: { readonly allowed?: boolean };
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
    const resourceAttributes = { group: 'rollouts.kruise.io', resource: 'rollouts', verb, namespace, name };
    try {
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
      if (status?.allowed === true) return [];
    } catch {
      const reason = `cannot check the verb ${verb}: the API server did not answer`;
      return [{ ...common, reason, remedy: RETRY }];
    }
    const reason = `user ${show(user)} does not have the verb ${verb} on rollouts.rollouts.kruise.io in namespace ${namespace}`;
    return [{ ...common, reason, remedy: `ask for the ClusterRole ${role}, or ask somebody who has it` }];
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
): Required<Pick<AdmissionDeps, 'readDeployment' | 'ownerOfReplicaSet' | 'authorizeTakeover'>> => ({
  readDeployment: (namespace, name) => findObject<Deployment>(api, DEPLOYMENTS, { namespace, name, signal: inTime() }),
  async ownerOfReplicaSet(namespace, name) {
    const set = await findObject<KubeObject>(api, REPLICA_SETS, { namespace, name, signal: inTime() });
    return set?.metadata.ownerReferences?.find((ref) => ref.controller === true && ref.kind === 'Deployment')?.name;
  },
  authorizeTakeover: askAccess(api, undefined, 'takeover'),
});
