// May this person approve? Asks the API server: the one question on the way of a request.
import type { Rollout } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import type { Violation } from '../engine/validate-violation.ts';
import type { Approval } from './deps.ts';

/** Shorter than the API server waits for us. */
const TIMEOUT_MS = 3_000;

interface Review {
  readonly status?: { readonly allowed?: boolean };
}

const RETRY = 'try again in a few seconds';

/** Verb `approve` on rollouts.rollouts.kruise.io. When nobody answers, nobody may; `mayAsk`: it is a Rollout as the API server has it. */
export const askAccess =
  (api: Api, mayAsk: (rollout: Rollout) => Promise<boolean> = () => Promise.resolve(true)) =>
  async ({ rollout, user, groups }: Approval): Promise<readonly Violation[]> => {
    const { name, namespace = '' } = rollout.metadata;
    const common = { field: 'approval by', value: user } as const;
    if (!(await mayAsk(rollout))) {
      const reason = 'cannot be checked: tranche does not know the Rollout in this version yet, or was asked too often';
      return [{ ...common, reason, remedy: RETRY }];
    }
    const resourceAttributes = { group: 'rollouts.kruise.io', resource: 'rollouts', verb: 'approve', namespace, name };
    try {
      const { status } = (await api.request({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: { user, groups, resourceAttributes },
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })) as Review;
      if (status?.allowed === true) return [];
    } catch {
      const reason = 'cannot be checked: the API server did not answer whether this user may approve';
      return [{ ...common, reason, remedy: RETRY }];
    }
    const reason = `may not approve: this needs the verb approve on rollouts.rollouts.kruise.io in namespace ${namespace}`;
    return [{ ...common, reason, remedy: 'ask for the ClusterRole tranche-approver, or ask somebody who has it' }];
  };
