// The numbers of a DaemonSet, counted from its Pods. The status gives the number of nodes, and can otherwise only forbid evictions.
import { CONTROLLER_REVISION_HASH } from '../../../api/keys.ts';
import type { ControllerRevision, DaemonSet, Pod } from '../../../api/types.ts';
import { nodesOf } from '../../lib/replicas.ts';
import { sameTemplate } from '../../lib/template.ts';
import { earliestAfter, parseTime } from '../../lib/time.ts';
import { stableDigest } from '../../release/stable.ts';
import type { Children } from '../../snapshot.ts';
import { SEEN_MS, type Evictions } from '../eviction.ts';
import type { Counted, Progress, ProgressFacts, Version, WorkloadKind } from '../kind.ts';
import { isAlive, isFailed, isOwnedBy, readySince } from '../pods.ts';
import { revisionOf, templateIn } from '../revisions.ts';
import { isHolding, readHeld, type DaemonHeld } from './hold.ts';
import * as messages from './messages.ts';

export interface DaemonProgress extends Progress {
  readonly workload: DaemonSet;
  readonly held: DaemonHeld | undefined;
  readonly missing: NonNullable<Progress['missing']>;
  /** Pods of the new version, and nodes that get one next: their Pod is gone or terminating. */
  readonly granted: number;
  /** Nodes that have or should have a Pod. */
  readonly nodes: number;
  /** Nodes without an available Pod. */
  readonly unavailable: number;
  /** Pods of old versions, in the order in which they are replaced: those that are not Ready first, then the newest. */
  readonly replaceable: readonly Replaceable[];
  /** When the next Pod of the step was due at the earliest, in milliseconds. */
  readonly dueAt: number;
  /** When evictions may follow without a change of an object, in milliseconds. */
  readonly newsAt: number | undefined;
  /** This process does not know yet what the one before has evicted. */
  readonly isNew: boolean;
  readonly evicts: boolean;
  readonly evictions: Evictions | undefined;
}

interface Replaceable {
  readonly pod: Pod;
  readonly isReady: boolean;
  readonly isAvailable: boolean;
}

export function progressOf(
  kind: WorkloadKind,
  { now, rollout, digest, evicts, evictions }: ProgressFacts,
  workload: DaemonSet,
  children: Children,
): DaemonProgress {
  const { spec, status, metadata } = workload;
  const replicas = nodesOf(workload);
  const minReadySeconds = spec.minReadySeconds ?? 0;
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const all = children.pods.filter((pod) => isOwnedBy(pod, workload));
  const alive = oldestOfNodes(all.filter(isAlive));
  const availableFrom = (pod: Pod): number | undefined => {
    const since = isGoing(pod) ? undefined : readySince(pod, now);
    return since === undefined ? undefined : since + minReadySeconds * 1000;
  };
  const isAvailable = (pod: Pod): boolean => (availableFrom(pod) ?? Infinity) <= now;
  const versions = (children.revisions ?? [])
    .filter((one) => isOwnedBy(one, workload))
    .toSorted((a, b) => b.revision - a.revision)
    .map((revision): Version => {
      const hash = hashOf(revision);
      const pods = alive.filter((pod) => revisionOf(pod) === hash);
      return {
        revision: hash,
        template: templateIn(revision),
        replicas: pods.length,
        available: pods.filter(isAvailable).length,
        keeper: revision,
        number: String(revision.revision),
        created: revision.metadata.creationTimestamp ?? '',
        maker: `DaemonSet ${metadata.name}`,
        conditions: status?.conditions,
      };
    });
  const newVersion = versions.find(({ template }) => sameTemplate(template, spec.template));
  const record = readHeld(workload);
  const held = record && {
    ...record,
    rollout: rollout.metadata.name,
    stable: stableDigest(record, rollout, spec.template, versions, digest),
  };
  const stableRevision = rollout.status?.canaryStatus?.stableRevision;
  const stableVersion =
    (held && versions.find(({ template }) => digest(template) === held.stable)) ??
    versions.find(({ revision }) => revision === stableRevision);
  const isNew = (pod: Pod): boolean => newVersion !== undefined && revisionOf(pod) === newVersion.revision;
  const pods = alive.filter(isNew);
  const old = alive.filter((pod) => !isNew(pod));
  // Nodes that keep a Pod, although they should not run a new one, are not in the number of nodes.
  const running = all.filter(({ status: { phase } = {} }) => phase !== 'Failed' && phase !== 'Succeeded').length;
  const nodes = Math.max(replicas + (status?.numberMisscheduled ?? 0), running);
  // The Pod of a node that is gone stays for a while, and hides a node without a Pod. Neither what was evicted nor the status forgets that one.
  const filled = new Set(alive.map(({ spec: { nodeName } = {} }) => nodeName));
  const emptied = evictions?.emptied?.filter(({ node, at }) => at + SEEN_MS > now && !filled.has(node)) ?? [];
  const mistaken = old.filter((pod) => isMistaken(pod, workload));
  const scheduledOld = (status?.currentNumberScheduled ?? 0) - (status?.updatedNumberScheduled ?? 0) + mistaken.length;
  const granted = Math.max(
    nodes - old.length,
    pods.length + emptied.length,
    status?.currentNumberScheduled === undefined ? 0 : replicas - scheduledOld,
  );
  const available = alive.filter(isAvailable).length;
  const unavailable = Math.max(
    nodes - available,
    alive.length - available + emptied.length,
    status?.numberUnavailable ?? 0,
  );
  const quietUntil = (evictions?.startedAt ?? -Infinity) + QUIET_MS;
  // Pods that others create on nodes that should not run one are not part of a step.
  const updated = Math.min(pods.length, status?.updatedNumberScheduled ?? Infinity);
  const readyTimes = pods.map((pod) => readySince(pod, now) ?? 0);
  const stepAt = parseTime(rollout.status?.canaryStatus?.lastUpdateTime) ?? 0;
  return {
    kind,
    now,
    workload,
    held,
    replicas,
    minReadySeconds,
    newVersion,
    oldVersions: versions.filter((version) => version !== newVersion),
    stableVersion,
    updated,
    old: old.length,
    pods,
    failed: all.filter((pod) => isNew(pod) && isFailed(pod)),
    available: Math.min(updated, pods.filter(isAvailable).length),
    availableAt: earliestAfter(now, pods.map(availableFrom)),
    oldAvailableAt: earliestAfter(now, old.map(availableFrom)),
    unsettled: !seen
      ? 'the DaemonSet controller to observe the last change'
      : newVersion === undefined
        ? 'the DaemonSet controller to create the revision of the new version'
        : undefined,
    stopped: isHolding(workload),
    moving: held !== undefined && granted > pods.length,
    missing: {
      pods: seen ? Math.max(0, replicas - all.length) : 0,
      // A Pod is evicted when those before it are available.
      sinceMs: Math.max(0, evictions?.lastAt ?? 0, ...readyTimes),
    },
    granted,
    nodes,
    unavailable,
    newsAt: earliestAfter(now, [...emptied.map(({ at }) => at + SEEN_MS), quietUntil]),
    isNew: quietUntil > now,
    replaceable: old
      .map((pod) => ({
        pod,
        isReady: !isGoing(pod) && readySince(pod, now) !== undefined,
        isAvailable: isAvailable(pod),
      }))
      .toSorted(byUrgency),
    dueAt: Math.min(now, Math.max(stepAt, ...readyTimes.map((at) => (at === 0 ? 0 : at + minReadySeconds * 1000)))),
    // During a hold they are evicted like others.
    remark: held === undefined && mistaken.length > 0 ? messages.mistaken(mistaken) : undefined,
    evicts: evicts === true,
    evictions,
  };
}

/** A new process evicts nothing before the DaemonSet controller has seen what the process before has evicted. */
const QUIET_MS = 5_000;

/** An eviction or preemption of the Pod has begun, and its deletion follows. */
const isGoing = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: state }) => type === 'DisruptionTarget' && state === 'True') === true;

const byUrgency = (a: Replaceable, b: Replaceable): number =>
  Number(a.isReady) - Number(b.isReady) ||
  Number(a.isAvailable) - Number(b.isAvailable) ||
  createdAt(b.pod) - createdAt(a.pod) ||
  (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1);

const createdAt = ({ metadata }: Pod): number => parseTime(metadata.creationTimestamp) ?? 0;

/** The DaemonSet controller keeps the oldest Pod of a node, and deletes the others. */
function oldestOfNodes(pods: readonly Pod[]): readonly Pod[] {
  const kept = new Map<string | Pod, Pod>();
  for (const pod of pods.toSorted((a, b) => createdAt(a) - createdAt(b))) {
    const node = pod.spec?.nodeName ?? pod;
    if (!kept.has(node)) kept.set(node, pod);
  }
  return [...kept.values()];
}

/**
 * True for a Pod of an old version that the DaemonSet controller takes for an updated one. It also compares a number that starts again at 1 with each
 * DaemonSet, and Pods of one that was deleted with --cascade=orphan keep theirs.
 */
const isMistaken = ({ metadata: { labels } }: Pod, { metadata: { annotations } }: DaemonSet): boolean =>
  labels?.[GENERATION_LABEL] !== undefined && labels[GENERATION_LABEL] === annotations?.[GENERATION];

const GENERATION = 'deprecated.daemonset.template.generation';
const GENERATION_LABEL = 'pod-template-generation';

/** Pods have the hash of their revision in a label. */
const hashOf = ({ metadata }: ControllerRevision): string =>
  metadata.labels?.[CONTROLLER_REVISION_HASH] ?? metadata.name;

/** The numbers of Pods in the status of a DaemonSet. */
export const countedNodes = ({ status }: DaemonSet): Counted => ({
  replicas: status?.currentNumberScheduled ?? 0,
  updatedReplicas: status?.updatedNumberScheduled ?? 0,
  readyReplicas: status?.numberReady ?? 0,
  availableReplicas: status?.numberAvailable ?? 0,
});
