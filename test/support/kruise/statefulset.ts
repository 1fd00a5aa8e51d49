// Stand-in for OpenKruise's Advanced StatefulSet controller, for tests only: partition, paused, reserved ordinals, and unordered updates.
import type { ControllerRevision, Pod } from '../../../src/api/types.ts';
import {
  createPod,
  deletePod,
  differsInImages,
  endInPlace,
  HASH,
  isActive,
  isAvailable,
  scaled,
  updateInPlace,
  updateRevision,
  writeStatus,
  type Scene,
} from './common.ts';

/** The ordinals that have a Pod, the lowest first. Reserved ones are left out. */
export function ordinalsOf(replicas: number, reserved: readonly number[] = []): number[] {
  const ordinals: number[] = [];
  for (let ordinal = 0; ordinals.length < replicas; ordinal++) if (!reserved.includes(ordinal)) ordinals.push(ordinal);
  return ordinals;
}

export async function reconcileStatefulSet(scene: Scene): Promise<void> {
  const { workload, now } = scene;
  const { replicas = 1, updateStrategy, podManagementPolicy, reserveOrdinals } = workload.spec;
  const strategy = updateStrategy?.rollingUpdate ?? {};
  const name = workload.metadata.name;
  const update = await updateRevision(scene);
  const current = scene.revisions.find(({ metadata }) => metadata.name === workload.status?.currentRevision) ?? update;
  const available = (pod: Pod): boolean =>
    pod.metadata.deletionTimestamp === undefined && isAvailable(pod, strategy.minReadySeconds ?? 0, now);
  const isNew = (pod: Pod): boolean => pod.metadata.labels?.[HASH] === update.metadata.name;
  const ordinals = ordinalsOf(replicas, reserveOrdinals);
  const podAt = new Map(scene.pods.map((pod) => [pod.metadata.name, pod]));
  const wanted = ordinals.map((ordinal) => podAt.get(`${name}-${ordinal}`));
  const present = wanted.filter((pod) => pod !== undefined);
  const active = present.filter(isActive);
  const isDone = active.length === replicas && active.every(isNew) && active.every((pod) => isAvailable(pod, 0, now));
  await writeStatus(scene, 'statefulsets', {
    observedGeneration: workload.metadata.generation,
    replicas: active.length,
    readyReplicas: active.filter((pod) => isAvailable(pod, 0, now)).length,
    availableReplicas: active.filter(available).length,
    updatedReplicas: active.filter(isNew).length,
    updateRevision: update.metadata.name,
    currentRevision: isDone ? update.metadata.name : current.metadata.name,
  });
  for (const pod of active) await endInPlace(scene, pod);

  const partition = Number(strategy.partition ?? 0);
  const ordered = podManagementPolicy !== 'Parallel';
  const labelOf = (index: number): ControllerRevision => {
    if (strategy.unorderedUpdate === undefined) return index < partition ? current : update;
    return active.filter((pod) => !isNew(pod)).length < partition ? current : update;
  };
  for (const [index, pod] of wanted.entries()) {
    if (pod === undefined) {
      const revision = labelOf(index);
      await createPod(scene, revision, `${name}-${ordinals[index]}`, { label: revision.metadata.name });
      return;
    }
    if (ordered && !isAvailable(pod, 0, now)) return;
    if (ordered && pod.metadata.deletionTimestamp !== undefined) return;
  }
  const condemned = scene.pods.filter((pod) => !present.includes(pod) && pod.metadata.deletionTimestamp === undefined);
  for (const pod of condemned) await deletePod(scene, pod);
  if (condemned.length > 0 || strategy.paused === true || updateStrategy?.type === 'OnDelete') return;

  const most = Math.max(0, replicas - partition);
  const from = present.toReversed();
  const order =
    strategy.unorderedUpdate === undefined
      ? from
      : from.toSorted((a, b) => Number(isNew(b) || !isActive(b)) - Number(isNew(a) || !isActive(a)));
  const limit = Math.max(1, scaled(strategy.maxUnavailable ?? 1, replicas, 'floor'));
  let down = present.filter((pod) => !available(pod)).length;
  for (const pod of order.slice(0, most)) {
    if (isNew(pod) || !isActive(pod)) continue;
    if (available(pod)) {
      if (down >= limit) return;
      down += 1;
    }
    const old = scene.revisions.find(({ metadata }) => metadata.name === pod.metadata.labels?.[HASH]);
    const inPlace = strategy.podUpdatePolicy === 'InPlaceIfPossible' && old && differsInImages(old, update);
    if (inPlace) await updateInPlace(scene, pod, update, update.metadata.name);
    else await deletePod(scene, pod);
  }
}
