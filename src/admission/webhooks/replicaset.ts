// The webhook for ReplicaSets: while a Deployment is held, its ReplicaSets are its own controller's and nobody else's.
import type { Deployment, KubeObject } from '../../api/types.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { isOperators } from '../../engine/admit/intercept.ts';
import { sameJson } from '../../engine/lib/template.ts';
import { selects } from '../../engine/policy/policy.ts';
import type { Violation } from '../../engine/validate/violation.ts';
import type { AdmissionDeps } from '../deps.ts';
import { pass, refuse, refuseNotReady, type Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

/**
 * Kubernetes' own, by ServiceAccount and, where the controller manager has no ServiceAccounts, by its own name. The garbage collector cannot
 * be misled: owner references of these ReplicaSets cannot be changed either. But it sets others free (`--cascade=orphan`), for these Deployments
 * to adopt.
 */
const NATIVE: ReadonlySet<string> = new Set([
  'system:kube-controller-manager',
  ...['deployment-controller', 'replicaset-controller', 'generic-garbage-collector', 'namespace-controller'].map(
    (name) => `system:serviceaccount:kube-system:${name}`,
  ),
]);

/** One GET for a change of a ReplicaSet's scale in a namespace with a release in flight; else none. */
export function validateReplicaSet(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const by = { user: request.userInfo?.username ?? '', fieldManager: request.options?.fieldManager ?? '' };
  if (isOperators(by, deps.operatorUser)) return pass;
  const native = NATIVE.has(by.user);
  if (native && !isOrphaned(request)) return pass;
  const held = deps.heldIn?.(request.namespace ?? '') ?? [];
  if (held.length === 0) return pass;
  if (request.subResource === 'scale') return judgeScale(request, deps, held);
  if (request.subResource) return pass;
  const [old, next] = [request.oldObject, request.object].map(asReplicaSet);
  const about = native
    ? undefined
    : [old, next].map((set) => set && ownerIn(held, set)).find((owner) => owner !== undefined);
  if (about !== undefined) return judge(request, about, old, next);
  const adopts = next && held.find((deployment) => wouldAdopt(deployment, next));
  if (next === undefined || adopts === undefined || request.operation === 'DELETE') return pass;
  return refuse('Denied', [adopted(adopts, next)]);
}

function judge(request: AdmissionRequest, deployment: Deployment, old?: Json, next?: Json): Answer {
  if (request.operation === 'UPDATE' && old && next && sameJson(essence(old), essence(next))) return pass;
  const { name } = deployment.metadata;
  return refuse('Denied', [
    {
      field: request.operation === 'DELETE' ? 'metadata.name' : 'spec',
      value: request.name ?? name,
      reason: `belongs to Deployment ${name}, which is in the middle of a release: its ReplicaSets change only by its own controller`,
      remedy: `change the Deployment, or roll back with: kubectl tranche abort ${rolloutOf(deployment)}`,
    },
  ]);
}

async function judgeScale(
  request: AdmissionRequest,
  deps: AdmissionDeps,
  held: readonly Deployment[],
): Promise<Answer> {
  try {
    const owner = await deps.ownerOfReplicaSet?.(request.namespace ?? '', request.name ?? '');
    const about = held.find(({ metadata }) => metadata.name === owner);
    return about === undefined ? pass : judge(request, about);
  } catch {
    return refuseNotReady('the API server did not say to which Deployment the ReplicaSet belongs');
  }
}

type Json = KubeObject & { readonly spec?: unknown };

function asReplicaSet(object: unknown): Json | undefined {
  const set = object as Partial<Json> | null | undefined;
  return typeof set === 'object' && set !== null && typeof set.metadata === 'object' ? (set as Json) : undefined;
}

const ownerIn = (held: readonly Deployment[], { metadata }: Json): Deployment | undefined =>
  held.find(({ metadata: { uid } }) =>
    metadata.ownerReferences?.some((ref) => ref.controller === true && ref.uid === uid),
  );

const hasController = ({ metadata }: Json): boolean =>
  metadata.ownerReferences?.some((ref) => ref.controller === true) ?? false;

/** The edit leaves it without a controller. The garbage collector tries again, and succeeds when the release has ended. */
function isOrphaned({ operation, subResource, oldObject, object }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || subResource) return false;
  const [old, next] = [oldObject, object].map(asReplicaSet);
  return old !== undefined && next !== undefined && hasController(old) && !hasController(next);
}

/** Kubernetes' controller adopts what its selector selects and nobody controls. */
const wouldAdopt = ({ spec }: Deployment, set: Json): boolean =>
  !hasController(set) && selects(spec.selector, set.metadata.labels);

/** Without what may change at any time: annotations of others, and what Kubernetes keeps. */
function essence({ metadata, spec }: Json): unknown {
  const { labels, ownerReferences, finalizers, annotations } = metadata;
  const native = Object.entries(annotations ?? {}).filter(([key]) =>
    /^(deployment\.kubernetes\.io|tranche\.dev)\//.test(key),
  );
  return { labels, ownerReferences, finalizers, spec, native: Object.fromEntries(native) };
}

const adopted = ({ metadata }: Deployment, set: Json): Violation => ({
  field: 'metadata.labels',
  value: set.metadata.labels,
  reason: `are selected by Deployment ${metadata.name}, which is in the middle of a release: it would adopt this ReplicaSet`,
  remedy: 'use other labels, or wait until the release ends',
});

/** For a command. */
const rolloutOf = (deployment: Deployment): string => readHeld(deployment)?.rollout ?? 'ROLLOUT';
