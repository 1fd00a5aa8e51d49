// Stand-in for OpenKruise's CloneSet controller, for tests only: revisions, partition, paused, surge, and updates in place.
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
  shortOf,
  updateInPlace,
  updateRevision,
  writeStatus,
  type Scene,
} from './common.ts';

/** The Pods that keep the old version: percentages round up, and one below 100% leaves a Pod to update. */
export function keptBy(partition: number | string | undefined, replicas: number): number {
  const kept = scaled(partition, replicas, 'ceil');
  const leavesOne = typeof partition === 'string' && partition !== '100%' && replicas > 1 && kept === replicas;
  return Math.min(replicas, leavesOne ? replicas - 1 : kept);
}

/** One look: it scales, or updates, never both. */
export async function reconcileCloneSet(scene: Scene): Promise<void> {
  const { workload, now } = scene;
  const { replicas = 1, minReadySeconds = 0, updateStrategy: strategy = {} } = workload.spec;
  const update = await updateRevision(scene);
  const current = scene.revisions.find(({ metadata }) => metadata.name === workload.status?.currentRevision) ?? update;
  const pods = scene.pods.filter(isActive);
  const fresh = pods.filter((pod) => isOf(pod, update));
  const stale = pods.filter((pod) => !isOf(pod, update));
  const available = (pod: Pod): boolean => isAvailable(pod, minReadySeconds, now);
  const partition = keptBy(strategy.partition, replicas);
  const maxSurge = strategy.paused === true ? 0 : scaled(strategy.maxSurge, replicas, 'ceil');
  const maxUnavailable = scaled(strategy.maxUnavailable ?? '20%', replicas, maxSurge === 0 ? 'ceil' : 'floor');
  const isCurrent = fresh.length === pods.length && pods.length === replicas;
  await writeStatus(scene, 'clonesets', {
    observedGeneration: workload.metadata.generation,
    replicas: pods.length,
    readyReplicas: pods.filter((pod) => isAvailable(pod, 0, now)).length,
    availableReplicas: pods.filter(available).length,
    updatedReplicas: fresh.length,
    updateRevision: update.metadata.name,
    currentRevision: isCurrent ? update.metadata.name : current.metadata.name,
  });
  for (const pod of pods) await endInPlace(scene, pod);

  const toUpdate = Math.max(0, Math.min(stale.length - partition, replicas - partition - fresh.length));
  const isLeft = stale.length > partition && fresh.length < replicas - partition;
  const surge = isLeft ? Math.min(maxSurge, stale.length - partition, replicas - partition - fresh.length) : 0;
  const wanted = replicas + surge;
  if (pods.length < wanted) {
    let old = Math.max(0, partition - stale.length);
    for (let i = pods.length; i < wanted; i++) {
      const revision = old-- > 0 ? current : update;
      await createPod(scene, revision, `${workload.metadata.name}-${scene.suffix()}`, {
        label: revision.metadata.name,
      });
    }
    return;
  }
  const unavailable = pods.filter((pod) => !available(pod)).length;
  if (pods.length > wanted) {
    const surplus = Math.min(pods.length - wanted, Math.max(0, stale.length - partition));
    const order = (list: readonly Pod[]): Pod[] => list.toSorted((a, b) => Number(available(a)) - Number(available(b)));
    const chosen = [...order(stale).slice(0, surplus), ...order(fresh), ...order(stale).slice(surplus)];
    let ready = Math.max(0, maxUnavailable + pods.length - replicas - unavailable);
    for (const pod of chosen.slice(0, pods.length - wanted)) {
      if (available(pod) && ready-- <= 0) continue;
      await deletePod(scene, pod);
    }
    return;
  }
  if (strategy.paused === true || strategy.type === 'OnDelete' || toUpdate === 0) return;
  const limit = maxUnavailable + pods.length - replicas;
  const broken = fresh.filter((pod) => !available(pod)).length;
  const first = stale.toSorted((a, b) => Number(available(a)) - Number(available(b)));
  let [down, taken] = [unavailable, 0];
  for (const pod of first.slice(0, toUpdate)) {
    if (broken + taken >= limit) break;
    if (available(pod)) {
      if (down >= limit) break;
      down += 1;
    }
    taken += 1;
    await replace(scene, pod, update, strategy.type);
  }
}

async function replace(scene: Scene, pod: Pod, to: ControllerRevision, type: string | undefined): Promise<void> {
  const from = scene.revisions.find((one) => isOf(pod, one));
  const inPlace = type === 'InPlaceIfPossible' || type === 'InPlaceOnly';
  if (inPlace && from !== undefined && differsInImages(from, to)) await updateInPlace(scene, pod, to, to.metadata.name);
  else if (type !== 'InPlaceOnly') await deletePod(scene, pod);
}

const isOf = (pod: Pod, revision: ControllerRevision): boolean =>
  shortOf(pod.metadata.labels?.[HASH] ?? '') === shortOf(revision.metadata.name);
