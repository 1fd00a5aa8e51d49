// The parts of watched objects that are cached: only fields that the program reads, and shared templates.
import { HELD, KRUISE_IN_PLACE } from '../api/keys.ts';
import type {
  Condition,
  ContainerState,
  ContainerStatus,
  KubeObject,
  Pod,
  PodTemplate,
  ReplicaSet,
  Workload,
} from '../api/types.ts';
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

/** The conditions of a Pod that the engine reads. */
const OF_PODS = new Set(['Ready', 'PodScheduled', 'DisruptionTarget', 'InPlaceUpdateReady']);

/** Keeps the owners, the node and the labels of a Pod, and of its status what the engine reads: a small part of it. */
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
      annotations: updateInPlaceOf(pod),
      ownerReferences,
    }),
    ...(pod.spec?.nodeName && { spec: { nodeName: pod.spec.nodeName } }),
    status: withoutAbsent({
      phase,
      reason,
      message: phase === 'Failed' && message ? short(message) : undefined,
      conditions: conditions
        ?.filter(({ type }) => OF_PODS.has(type))
        .map(({ type, status, reason: why, lastTransitionTime }) =>
          withoutAbsent({ type, status, reason: why, lastTransitionTime }),
        ),
      containerStatuses: troubled(containerStatuses),
      initContainerStatuses: troubled(initContainerStatuses),
    }),
  };
}

/** Of the annotations of a Pod, the last update in place, without what it updated. */
function updateInPlaceOf({ metadata }: Pod): Readonly<Record<string, string>> | undefined {
  const [time] = /"updateTimestamp":"[^"]{1,40}"/.exec(metadata.annotations?.[KRUISE_IN_PLACE] ?? '') ?? [];
  return time === undefined ? undefined : { [KRUISE_IN_PLACE]: `{${time}}` };
}

/** The containers that wait, have ended or were started again, with the reasons. Of the others there is nothing to tell. */
function troubled(statuses: readonly ContainerStatus[] | undefined): ContainerStatus[] | undefined {
  const found = statuses
    ?.filter(({ restartCount = 0, state }) => restartCount > 0 || state?.waiting || state?.terminated)
    .map(({ name, restartCount, state, lastState }) =>
      withoutAbsent({ name, restartCount, state: reasonsOf(state), lastState: reasonsOf(lastState) }),
    );
  return found?.length ? found : undefined;
}

const reasonsOf = (state: ContainerState | undefined): ContainerState | undefined =>
  state && {
    ...(state.waiting && { waiting: reasonOf(state.waiting) }),
    ...(state.terminated && {
      terminated: withoutAbsent({ reason: state.terminated.reason, finishedAt: state.terminated.finishedAt }),
    }),
  };

const reasonOf = ({ reason }: { readonly reason?: string }): { readonly reason?: string } =>
  reason === undefined ? {} : { reason };

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

const withoutAbsent = <T extends object>(fields: T): Present<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
