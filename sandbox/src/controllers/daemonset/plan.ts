// Decides which Pods of a DaemonSet to create and delete: one per node, and the steps of a rolling update.
import type { KubeObject } from '../../core/types.ts';
import { isReady, isTerminating } from '../replicaset/pods.ts';
import { REVISION_LABEL } from '../framework/history.ts';
import { byScheduleAndAge, isAvailable, isUpdated, judge } from './pods.ts';

export interface Situation {
  daemonSet: KubeObject;
  /** The value of the hash label of updated Pods. */
  hash: string;
  nodes: readonly KubeObject[];
  /** By the name of the node. */
  pods: ReadonlyMap<string, readonly KubeObject[]>;
  nowMs: number;
}

export interface Plan {
  /** Names of nodes. */
  create: string[];
  delete: KubeObject[];
}

/** The Pods that nodes need or must not have. `failed` is asked whether a failed Pod may be deleted now. */
export const planNodes = (situation: Situation, failed: (pod: KubeObject, node: string) => boolean): Plan => {
  const plan: Plan = { create: [], delete: [] };
  for (const node of situation.nodes) planNode(situation, node, failed, plan);
  // No other controller deletes a pending Pod whose node is gone.
  for (const [name, pods] of situation.pods) {
    if (situation.nodes.some(({ metadata }) => metadata.name === name)) continue;
    plan.delete.push(...pods.filter((pod) => !pod.spec.nodeName && !isTerminating(pod)));
  }
  return plan;
};

const planNode = (
  { daemonSet, hash, pods, nowMs }: Situation,
  node: KubeObject,
  failed: (pod: KubeObject, node: string) => boolean,
  plan: Plan,
): void => {
  const { name } = node.metadata;
  const here = pods.get(name);
  const { start, stay } = judge(node, daemonSet);
  if (start && !here) plan.create.push(name);
  else if (!stay) plan.delete.push(...(here ?? []).filter((pod) => !isTerminating(pod)));
  if (!stay || !here) return;
  const living = here.filter((pod) => !isTerminating(pod));
  const ended = living.filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Succeeded');
  plan.delete.push(...ended.filter((pod) => failed(pod, name)));
  const running = living.filter((pod) => !ended.includes(pod)).sort(byScheduleAndAge);
  if (!allowsSurge(daemonSet)) {
    plan.delete.push(...running.slice(1));
    return;
  }
  if (running.length === 0 && start) plan.create.push(name);
  if (running.length <= 1) return;
  const fresh = running.find((pod) => pod.metadata.labels?.[REVISION_LABEL] === hash);
  const old = running.find((pod) => pod.metadata.labels?.[REVISION_LABEL] !== hash);
  plan.delete.push(...running.filter((pod) => pod !== fresh && pod !== old));
  if (fresh && old && (!isReady(old) || isAvailable(fresh, daemonSet, nowMs))) plan.delete.push(old);
};

/** A number or a percentage of the nodes, rounded up. */
const countOf = (value: number | string | undefined, nodes: number): number =>
  typeof value === 'string' ? Math.ceil((parseInt(value, 10) * nodes) / 100) : (value ?? 0);

const limitsOf = ({ spec }: KubeObject, nodes: number): { surge: number; unavailable: number } => {
  const { type, rollingUpdate = {} } = spec.updateStrategy;
  if (type !== 'RollingUpdate') return { surge: 0, unavailable: 0 };
  return { surge: countOf(rollingUpdate.maxSurge, nodes), unavailable: countOf(rollingUpdate.maxUnavailable, nodes) };
};

const allowsSurge = (daemonSet: KubeObject): boolean => limitsOf(daemonSet, 1).surge > 0;

/** The Pods of one node, without deleted ones. */
interface Pair {
  node: string;
  fresh?: KubeObject | undefined;
  old?: KubeObject | undefined;
  /** More than one Pod of a kind: planNodes removes the excess first. */
  crowded: boolean;
}

export const planRolling = (situation: Situation): Plan => {
  const { daemonSet, hash, nodes, pods } = situation;
  const wanted = nodes.filter((node) => judge(node, daemonSet).start).map(({ metadata }) => metadata.name);
  const pairs = [...new Set([...pods.keys(), ...wanted])].map((node): Pair => {
    const living = (pods.get(node) ?? []).filter((pod) => !isTerminating(pod));
    const fresh = living.filter((pod) => isUpdated(pod, daemonSet, hash));
    const old = living.filter((pod) => !isUpdated(pod, daemonSet, hash));
    return { node, fresh: fresh[0], old: old[0], crowded: fresh.length > 1 || old.length > 1 };
  });
  const { surge, unavailable } = limitsOf(daemonSet, wanted.length);
  return surge === 0 ? planReplacing(situation, pairs, unavailable) : planSurging(situation, pairs, surge, wanted);
};

/** Deletes old Pods that are not available, and others while fewer than `most` Pods are not available. planNodes replaces them. */
const planReplacing = ({ daemonSet, nowMs }: Situation, pairs: readonly Pair[], most: number): Plan => {
  const broken: KubeObject[] = [];
  const candidates: KubeObject[] = [];
  let unavailable = 0;
  for (const { fresh, old, crowded } of pairs) {
    if (crowded || Boolean(fresh) === Boolean(old)) unavailable++;
    else if (fresh) unavailable += isAvailable(fresh, daemonSet, nowMs) ? 0 : 1;
    else if (!isAvailable(old!, daemonSet, nowMs)) {
      broken.push(old!);
      unavailable++;
    } else if (unavailable < most) candidates.push(old!);
  }
  return { create: [], delete: [...broken, ...candidates.slice(0, Math.max(0, most - unavailable))] };
};

/** Creates a new Pod next to an old one on at most `most` nodes. planNodes deletes the old one when the new one is available. */
const planSurging = (
  { daemonSet, nowMs }: Situation,
  pairs: readonly Pair[],
  most: number,
  wanted: readonly string[],
): Plan => {
  const plan: Plan = { create: [], delete: [] };
  const candidates: string[] = [];
  const unwanted: KubeObject[] = [];
  let surging = 0;
  let available = 0;
  for (const { node, fresh, old, crowded } of pairs) {
    if (crowded) {
      surging++;
      continue;
    }
    const isWell = (pod: KubeObject | undefined): boolean => pod !== undefined && isAvailable(pod, daemonSet, nowMs);
    if (isWell(old ?? fresh)) available++;
    if (!old) continue;
    if (fresh) {
      if (!isWell(fresh)) surging++;
    } else if (!wanted.includes(node)) (isWell(old) ? unwanted : plan.delete).push(old);
    else if (!isWell(old)) plan.create.push(node);
    else if (surging < most) candidates.push(node);
  }
  // A Pod on a node that the DaemonSet no longer wants stays until others are available.
  plan.delete.push(...unwanted.slice(0, Math.max(0, available - wanted.length)));
  plan.create.push(...candidates.slice(0, Math.max(0, most - surging)));
  return plan;
};
