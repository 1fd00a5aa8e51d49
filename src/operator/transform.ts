// What is kept of the objects that are watched: what somebody reads, once.
import { HELD } from '../api/keys.ts';
import type { Condition, KubeObject, Pod, PodTemplate, ReplicaSet, Workload } from '../api/types.ts';
import { sameJson } from '../engine/lib/template.ts';
import { withLazyField } from '../kube/lazy-json.ts';
import { freeze, dropUnusedFields } from '../kube/store.ts';

/**
 * With the conditions that say why something cannot be made. The template is most of the rest: while no release is under way it is kept as text, and
 * during a release as the same object through all changes of other fields, since comparisons and digests are remembered by it.
 */
export function transformWorkload<W extends Workload>(workload: W, before?: W): W {
  const { spec, status, ...rest } = dropUnusedFields(workload);
  const held = rest.metadata.annotations?.[HELD] !== undefined;
  return {
    ...rest,
    spec: held ? sharing(workload, before) : withLazyField(spec, 'template'),
    status: telling(status, WHY),
  } as W;
}

/** Of a Deployment's, and of a ReplicaSet's: Progressing only where it says that no ReplicaSet could be made. */
const WHY = ({ type, reason }: Condition): boolean =>
  type === 'ReplicaFailure' || (type === 'Progressing' && reason === 'ReplicaSetCreateError');
const MAX_MESSAGE = 1_000;

function telling<S extends object & { readonly conditions?: readonly Condition[] }>(
  status: S | undefined,
  wanted: (condition: Condition) => boolean,
): S {
  const { conditions, ...rest } = status ?? ({} as S);
  const kept = conditions
    ?.filter(wanted)
    .map((condition) => freeze({ ...condition, message: short(condition.message) }));
  return { ...rest, ...(kept?.length ? { conditions: kept } : {}) } as unknown as S;
}

const short = (text = ''): string => text.slice(0, MAX_MESSAGE);

/** With the template of before, where it is the same. */
export function transformReplicaSet(set: ReplicaSet, before?: ReplicaSet): ReplicaSet {
  const { status, ...rest } = dropUnusedFields(set);
  return { ...rest, spec: sharing(set, before), ...(status ? { status: telling(status, WHY) } : {}) };
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
export function transformPod(pod: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels, ownerReferences } =
    pod.metadata;
  const { phase, reason, message, conditions, containerStatuses, initContainerStatuses } = pod.status ?? {};
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
    status: {
      phase,
      reason,
      ...(phase === 'Failed' && message ? { message: short(message) } : {}),
      conditions,
      containerStatuses,
      initContainerStatuses,
    },
  } as Pod;
}

const withoutAbsent = (metadata: object): KubeObject['metadata'] =>
  Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as KubeObject['metadata'];
