// The parts of watched objects that are cached: only fields that the program reads, and shared templates.
import { HELD } from '../api/keys.ts';
import type { Condition, KubeObject, Pod, PodTemplate, ReplicaSet, Workload } from '../api/types.ts';
import { sameJson } from '../engine/lib/template.ts';
import { withLazyField } from '../kube/lazy-json.ts';
import { freeze, dropUnusedFields } from '../kube/store.ts';

/**
 * Keeps the conditions with errors about creating objects. Outside a release the template, which is most of the object, is kept as text. During a
 * release it stays the same object while other fields change, because comparisons and digests are cached by object.
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

/** Conditions to keep. Progressing is kept only if no ReplicaSet could be created. */
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

/** Reuses the previous template object if it is equal. */
export function transformReplicaSet(set: ReplicaSet, before?: ReplicaSet): ReplicaSet {
  const { status, ...rest } = dropUnusedFields(set);
  return { ...rest, spec: sharing(set, before), ...(status ? { status: telling(status, WHY) } : {}) };
}

type Templated<S> = KubeObject & { readonly spec: S };

/** Objects with the same generation have the same spec. Otherwise the templates are compared. */
function sharing<S extends { readonly template: PodTemplate }>(now: Templated<S>, before: Templated<S> | undefined): S {
  if (!before) return now.spec;
  const { uid, generation } = now.metadata;
  const same = generation !== undefined && generation === before.metadata.generation && uid === before.metadata.uid;
  const { template } = before.spec;
  return same || sameJson(template, now.spec.template) ? freeze({ ...now.spec, template }) : now.spec;
}

/** Keeps the owners, the status and the labels of a Pod, a small part of it. */
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
