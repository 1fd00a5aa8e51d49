// May this person approve? Asks the API server: the one question on the way of a request.
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { findObject } from '../kube/get.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../api/resources.ts';
import type { Violation } from '../engine/validate/violation.ts';
import type { AdmissionDeps, Approval } from './deps.ts';

/** Shorter than the API server waits for us. */
const TIMEOUT_MS = 3_000;
const inTime = (): AbortSignal => AbortSignal.timeout(TIMEOUT_MS);

interface Review {
  readonly status?: { readonly allowed?: boolean };
}

/** The verbs that are asked for, and what whoever lacks one may do. */
const VERBS = {
  approve: { cannot: 'may not approve', role: 'tranche-approver' },
  takeover: { cannot: 'may not take over what OpenKruise Rollouts left', role: 'tranche-takeover' },
} as const;
const RETRY = 'try again in a few seconds';
type MayAsk = (rollout: Rollout) => Promise<boolean>;

/** A verb of ours on rollouts.rollouts.kruise.io. When nobody answers, nobody may; `mayAsk`: it is a Rollout as the API server has it. */
export const askAccess =
  (api: Api, mayAsk: MayAsk = () => Promise.resolve(true), verb: keyof typeof VERBS = 'approve') =>
  async ({ rollout, user, groups }: Approval): Promise<readonly Violation[]> => {
    const { name, namespace = '' } = rollout.metadata;
    const { cannot, role } = VERBS[verb];
    const common = { field: verb === 'approve' ? 'approval by' : 'takeover by', value: user } as const;
    if (!(await mayAsk(rollout))) {
      const reason = 'cannot be checked: tranche does not know the Rollout in this version yet, or was asked too often';
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
      const reason = `cannot be checked: the API server did not answer whether this user has the verb ${verb}`;
      return [{ ...common, reason, remedy: RETRY }];
    }
    const reason = `${cannot}: this needs the verb ${verb} on rollouts.rollouts.kruise.io in namespace ${namespace}`;
    return [{ ...common, reason, remedy: `ask for the ClusterRole ${role}, or ask somebody who has it` }];
  };

/** Nobody takes a release over where the right for it cannot be asked about. */
export const nobodyToAsk = (user: string): Violation => ({
  field: 'takeover by',
  value: user,
  reason: 'cannot be checked here',
  remedy: 'run the operator with access to the API server',
});

/** What admission reads live, each within the time that the API server waits for us. */
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
