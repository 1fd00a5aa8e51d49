// Stand-in for OpenKruise's Advanced DaemonSet controller, for tests only: one Pod on each node, partition, paused, and surge.
import type { Pod } from '../../../src/api/types.ts';
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

interface DaemonStrategy {
  readonly rollingUpdateType?: string;
}

/** `nodes`: names of all nodes. */
export async function reconcileDaemonSet(scene: Scene, nodes: readonly string[]): Promise<void> {
  const { workload, now } = scene;
  const { updateStrategy, minReadySeconds = 0 } = workload.spec;
  const strategy = updateStrategy?.rollingUpdate ?? {};
  const update = await updateRevision(scene);
  const hash = shortOf(update.metadata.name);
  const isNew = (pod: Pod): boolean => pod.metadata.labels?.[HASH] === hash;
  const active = scene.pods.filter(isActive);
  const available = (pod: Pod): boolean => isAvailable(pod, minReadySeconds, now);
  const on = (node: string, pods: readonly Pod[] = active): Pod[] => pods.filter(({ spec }) => spec?.nodeName === node);
  await writeStatus(scene, 'daemonsets', {
    observedGeneration: workload.metadata.generation,
    desiredNumberScheduled: nodes.length,
    currentNumberScheduled: nodes.filter((node) => on(node).length > 0).length,
    updatedNumberScheduled: nodes.filter((node) => on(node).some(isNew)).length,
    numberReady: nodes.filter((node) => on(node).some((pod) => isAvailable(pod, 0, now))).length,
    numberAvailable: nodes.filter((node) => on(node).some(available)).length,
    daemonSetHash: hash,
  });
  for (const pod of active) await endInPlace(scene, pod);

  const create = (node: string): Promise<void> =>
    createPod(scene, update, `${workload.metadata.name}-${scene.suffix()}`, { label: hash, spec: { nodeName: node } });
  const empty = nodes.filter((node) => on(node, scene.pods).length === 0);
  for (const node of empty) await create(node);
  if (empty.length > 0 || strategy.paused === true || updateStrategy?.type === 'OnDelete') return;

  const partition = scaled(strategy.partition, nodes.length, 'floor');
  const maxSurge = scaled(strategy.maxSurge, nodes.length, 'ceil');
  const maxUnavailable = Math.max(maxSurge === 0 ? 1 : 0, scaled(strategy.maxUnavailable, nodes.length, 'ceil'));
  // Nodes that have a new Pod come first, and nodes whose Pod is on its way out.
  const rank = (node: string): number => (on(node).some(isNew) ? 0 : on(node).length === 0 ? 1 : 2);
  const chosen = nodes
    .toSorted()
    .toReversed()
    .toSorted((a, b) => rank(a) - rank(b))
    .slice(0, Math.max(0, nodes.length - partition));
  let busy = nodes.filter((node) => !on(node).some(available)).length;
  let surging = nodes.filter((node) => on(node).length > 1).length;
  for (const node of chosen) {
    const old = on(node).find((pod) => !isNew(pod));
    const fresh = on(node).find(isNew);
    if (old === undefined) continue;
    if (fresh !== undefined) {
      if (available(fresh)) await deletePod(scene, old);
      continue;
    }
    if (maxSurge > 0) {
      if (available(old) && surging++ >= maxSurge) continue;
      await create(node);
      continue;
    }
    if (available(old) && busy++ >= maxUnavailable) continue;
    const from = scene.revisions.find(({ metadata }) => shortOf(metadata.name) === old.metadata.labels?.[HASH]);
    const { rollingUpdateType } = strategy as DaemonStrategy;
    const inPlace = rollingUpdateType === 'InPlaceIfPossible' && from && differsInImages(from, update);
    if (inPlace) await updateInPlace(scene, old, update, hash);
    else await deletePod(scene, old);
  }
}
