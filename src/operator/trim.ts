// What is kept of the objects that are watched: what somebody reads, once.
import { HELD } from '../api/keys.ts';
import type { Deployment, KubeObject, Pod, PodTemplate, ReplicaSet } from '../api/types.ts';
import { sameJson } from '../engine/revision.ts';
import { packed } from '../kube/packed.ts';
import { freeze, trimBallast } from '../kube/store.ts';

/**
 * Without conditions, which nobody reads. The template is most of the rest: while no release is under way it is kept as text, and
 * during a release as the same object through all changes of other fields, since comparisons and digests are remembered by it.
 */
export function trimDeployment(deployment: Deployment, before?: Deployment): Deployment {
  const { spec, status, ...rest } = trimBallast(deployment);
  const { conditions: _, ...numbers } = status ?? {};
  const held = rest.metadata.annotations?.[HELD] !== undefined;
  return { ...rest, spec: held ? sharing(deployment, before) : packed(spec, 'template'), status: numbers };
}

/** With the template of before, where it is the same. */
export function trimReplicaSet(set: ReplicaSet, before?: ReplicaSet): ReplicaSet {
  return { ...trimBallast(set), spec: sharing(set, before) };
}

type Templated<S> = KubeObject & { readonly spec: S };

/** Of one generation all specs are the same; in another, the template is compared. */
function sharing<S extends { readonly template: PodTemplate }>(now: Templated<S>, before: Templated<S> | undefined): S {
  if (!before) return now.spec;
  const { uid, generation } = now.metadata;
  const same = generation !== undefined && generation === before.metadata.generation && uid === before.metadata.uid;
  const { template } = before.spec;
  return same || sameJson(template, now.spec.template) ? freeze({ ...now.spec, template }) : now.spec;
}

/** Of a Pod we read who owns it, how it is and its labels; most of its bytes are elsewhere. */
export function trimPod(pod: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels, ownerReferences } =
    pod.metadata;
  const { phase, reason, conditions, containerStatuses, initContainerStatuses } = pod.status ?? {};
  return {
    ...(pod.apiVersion ? { apiVersion: pod.apiVersion } : {}),
    ...(pod.kind ? { kind: pod.kind } : {}),
    metadata: withoutAbsent({
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      deletionTimestamp,
      labels,
      ownerReferences,
    }),
    status: { phase, reason, conditions, containerStatuses, initContainerStatuses },
  } as Pod;
}

const withoutAbsent = (metadata: object): KubeObject['metadata'] =>
  Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as KubeObject['metadata'];
