// The decision on an edit of a ReplicaSet: while a Deployment is in a release, only the Deployment controller may change its ReplicaSets.
import { DEPLOYMENTS, groupOf } from '../../api/resources.ts';
import type { Deployment, KubeObject } from '../../api/types.ts';
import { sameJson } from '../lib/template.ts';
import { selects } from '../policy/policy.ts';
import type { Violation } from '../validate/violation.ts';
import { byOperator, need, notReady, pass, type AdmissionDecision, type Facts } from './decision.ts';

export type WrittenReplicaSet = KubeObject & { readonly spec?: unknown };

export interface DeploymentInRelease {
  readonly deployment: Deployment;
  /** Name of its Rollout. Undefined if its record is invalid. */
  readonly rollout: string | undefined;
}

export interface ReplicaSetFacts extends Facts {
  readonly name: string;
  /** Undefined if it is absent or malformed. Not used for the subresource scale. */
  readonly old: WrittenReplicaSet | undefined;
  readonly next: WrittenReplicaSet | undefined;
  /** Deployments in the namespace with a release in progress, also if their controller finishes it after the last step. */
  readonly releases: readonly DeploymentInRelease[];
}

/**
 * Users of Kubernetes' own controllers, with and without separate ServiceAccounts. The garbage collector is trusted for deletions, because owner
 * references of these ReplicaSets cannot change either. But it can orphan other ReplicaSets (`--cascade=orphan`), which a held Deployment would
 * adopt.
 */
const NATIVE: ReadonlySet<string> = new Set([
  'system:kube-controller-manager',
  ...['deployment-controller', 'replicaset-controller', 'generic-garbage-collector', 'namespace-controller'].map(
    (name) => `system:serviceaccount:kube-system:${name}`,
  ),
]);

/** Needs one GET for a change of a ReplicaSet's scale in a namespace with a release in progress, and none otherwise. */
export function admitReplicaSet(facts: ReplicaSetFacts): AdmissionDecision {
  const { by, operation, subResource, old, next, releases } = facts;
  if (byOperator(facts)) return pass;
  const native = NATIVE.has(by.user);
  if (native && !isOrphaned(facts)) return pass;
  // While the caches are empty, no release is known. The API server refuses the same if no replica answers.
  if (facts.notReady !== undefined && !native && subResource === '' && mayBeOfRelease(facts))
    return notReady(facts.notReady);
  if (releases.length === 0) return pass;
  if (subResource === 'scale') return admitScaleOf(facts);
  if (subResource !== '') return pass;
  const owner = native
    ? undefined
    : [old, next].map((set) => set && ownerIn(releases, set)).find((release) => release !== undefined);
  if (owner !== undefined) return changesNothing(facts) ? pass : denied(ownControllersOnly(owner, facts));
  const adopts = next && releases.find(({ deployment }) => wouldAdopt(deployment, next))?.deployment;
  if (next === undefined || adopts === undefined || operation === 'DELETE') return pass;
  return denied(wouldBeAdopted(adopts, next));
}

const denied = (violation: Violation): AdmissionDecision => ({ verdict: 'Denied', violations: [violation] });

/** A Scale has no owner references. */
function admitScaleOf(facts: ReplicaSetFacts): AdmissionDecision {
  const { owner } = facts.answers;
  if (owner === undefined) return need({ ownerOf: facts.name });
  if (owner === 'NoAnswer') {
    return notReady('the API server did not answer which Deployment owns the ReplicaSet');
  }
  const name = owner === 'NobodyToAsk' ? undefined : owner.found;
  const release = facts.releases.find(({ deployment }) => deployment.metadata.name === name);
  return release === undefined ? pass : denied(ownControllersOnly(release, facts));
}

const changesNothing = ({ operation, old, next }: ReplicaSetFacts): boolean =>
  operation === 'UPDATE' && old !== undefined && next !== undefined && sameJson(essence(old), essence(next));

/** True if the ReplicaSet is one of a Deployment, and more changes than notes of other programs. */
const mayBeOfRelease = (facts: ReplicaSetFacts): boolean =>
  facts.operation === 'UPDATE' &&
  !changesNothing(facts) &&
  (facts.old?.metadata.ownerReferences ?? []).some(
    (ref) =>
      ref.controller === true &&
      ref.kind === 'Deployment' &&
      groupOf(ref.apiVersion) === groupOf(DEPLOYMENTS.apiVersion),
  );

const ownerIn = (
  releases: readonly DeploymentInRelease[],
  { metadata }: WrittenReplicaSet,
): DeploymentInRelease | undefined =>
  releases.find(({ deployment }) =>
    metadata.ownerReferences?.some((ref) => ref.controller === true && ref.uid === deployment.metadata.uid),
  );

const hasController = ({ metadata }: WrittenReplicaSet): boolean =>
  metadata.ownerReferences?.some((ref) => ref.controller === true) ?? false;

/** True if the edit removes the controller reference. The garbage collector retries and succeeds after the release. */
function isOrphaned({ operation, subResource, old, next }: ReplicaSetFacts): boolean {
  if (operation !== 'UPDATE' || subResource !== '') return false;
  return old !== undefined && next !== undefined && hasController(old) && !hasController(next);
}

/** The Deployment controller adopts ReplicaSets without a controller that match the selector. */
const wouldAdopt = ({ spec }: Deployment, set: WrittenReplicaSet): boolean =>
  !hasController(set) && selects(spec.selector, set.metadata.labels);

/** The object without parts that may always change: annotations of other programs, and fields that Kubernetes maintains. */
function essence({ metadata, spec }: WrittenReplicaSet): unknown {
  const { labels, ownerReferences, finalizers, annotations } = metadata;
  const native = Object.entries(annotations ?? {}).filter(([key]) =>
    /^(deployment\.kubernetes\.io|tranche\.dev)\//.test(key),
  );
  return { labels, ownerReferences, finalizers, spec, native: Object.fromEntries(native) };
}

function ownControllersOnly(
  { deployment, rollout }: DeploymentInRelease,
  { operation, name }: ReplicaSetFacts,
): Violation {
  const owner = deployment.metadata.name;
  return {
    field: operation === 'DELETE' ? 'metadata.name' : 'spec',
    value: name === '' ? owner : name,
    type: 'Forbidden',
    reason: `Deployment ${owner} has a release in progress, and only the Deployment controller may change its ReplicaSets`,
    remedy: `change the Deployment, or roll back with: kubectl tranche abort ${rollout ?? 'ROLLOUT'}`,
  };
}

const wouldBeAdopted = ({ metadata }: Deployment, set: WrittenReplicaSet): Violation => ({
  field: 'metadata.labels',
  value: set.metadata.labels,
  reason: `must not match the selector of Deployment ${metadata.name} during its release, because it would adopt this ReplicaSet`,
  remedy: 'use other labels, or wait until the release ends',
});
