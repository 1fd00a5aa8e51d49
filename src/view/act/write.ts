// The writes of the actions on a release. The plugin and the dashboard send the same ones.
import { PODS, ROLLOUTS, type Resource } from '../../api/resources.ts';
import type { Deployment, KubeObject, Pod, Rollout } from '../../api/types.ts';
import type { WorkloadKind } from '../../engine/workload/kind.ts';

/** A request that changes one object. */
export interface Write {
  readonly method: 'PATCH' | 'DELETE';
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource?: 'status';
  readonly contentType?: 'application/merge-patch+json' | 'application/json-patch+json';
  readonly body: object;
}

const MERGE = 'application/merge-patch+json';

export const nameOf = ({ metadata }: KubeObject): { namespace: string | undefined; name: string } => ({
  namespace: metadata.namespace,
  name: metadata.name,
});

/** Contains the resourceVersion that the user saw, so an approval applies to that state only. */
export const patchStatus = (rollout: Rollout, canaryStatus: Readonly<Record<string, unknown>>): Write => ({
  method: 'PATCH',
  resource: ROLLOUTS,
  ...nameOf(rollout),
  subresource: 'status',
  contentType: MERGE,
  body: { metadata: { resourceVersion: rollout.metadata.resourceVersion }, status: { canaryStatus } },
});

/** The approval of the waiting step. */
export const approvalOf = (rollout: Rollout): Write => patchStatus(rollout, { currentStepState: 'StepReady' });

export const patchSpec = (rollout: Rollout, spec: Readonly<Record<string, unknown>>): Write => ({
  method: 'PATCH',
  resource: ROLLOUTS,
  ...nameOf(rollout),
  contentType: MERGE,
  body: { metadata: { resourceVersion: rollout.metadata.resourceVersion }, spec },
});

/** Ends a pause by the user's own setting of the workload. */
export const unpause = ({ resource, words }: WorkloadKind, deployment: Deployment): Write => ({
  method: 'PATCH',
  resource,
  ...nameOf(deployment),
  contentType: MERGE,
  body: { spec: words.unpause },
});

/** Replaces the whole template, because a merge patch cannot remove fields. */
export const replaceTemplate = (
  resource: Resource,
  deployment: Deployment,
  template: Deployment['spec']['template'],
): Write => ({
  method: 'PATCH',
  resource,
  ...nameOf(deployment),
  contentType: 'application/json-patch+json',
  body: [
    { op: 'replace', path: '/metadata/resourceVersion', value: deployment.metadata.resourceVersion },
    { op: 'replace', path: '/spec/template', value: template },
  ],
});

/** Deletes the Pod with this UID. */
export const deletePod = (pod: Pod): Write => ({
  method: 'DELETE',
  resource: PODS,
  ...nameOf(pod),
  body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: pod.metadata.uid } },
});
