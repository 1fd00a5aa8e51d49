// Messages about a DaemonSet for status.message and events.
import type { DaemonSet, Pod } from '../../../api/types.ts';
import { namespaceFlag, pods } from '../../lib/text.ts';
import { namesOf } from '../eviction.ts';

export const evicted = ({ metadata: { name } }: Pod, step: number, target: number): string =>
  `Pod ${name} was evicted, so that the DaemonSet controller creates it with the new version (${step} of ${pods(target)})`;

const MOST = 3;

/** The operator may not evict Pods. `due`: the Pods that may be replaced now. `since`: a time. */
export function asks(due: readonly Pod[], since: string): string {
  const [first] = due;
  const names = due.slice(0, MOST).map(({ metadata }) => metadata.name);
  return (
    `somebody to delete ${namesOf(due, MOST)} since ${since}: the operator may not evict Pods of DaemonSets; set the value daemonSets.evictPods ` +
    `of the chart, or run: kubectl delete pod ${names.join(' ')}${first ? namespaceFlag(first) : ''}`
  );
}

export const refused = ({ metadata: { name } }: Pod, said: string, since: string): string =>
  `the eviction of Pod ${name}, refused since ${since}: ${said}`;

export const unavailable = (count: number, replicas: number, max: number): string =>
  `available Pods: ${count} of ${pods(replicas)} ${count === 1 ? 'is' : 'are'} not available, and maxUnavailable is ${max}`;

/** `uncounted`: Pods with the new version that the DaemonSet controller does not count. */
export const pending = (uncounted: number): string =>
  uncounted === 0
    ? 'Pods'
    : `the DaemonSet controller to count ${pods(uncounted)} with the new version; if it never does, delete those on nodes that should not run a Pod of it`;

/** Pods that no controller updates. */
export function mistaken(old: readonly Pod[]): string {
  const [first] = old;
  const names = old.slice(0, MOST).map(({ metadata }) => metadata.name);
  return (
    `the DaemonSet controller takes ${namesOf(old, MOST)} for updated, because an earlier DaemonSet of this name created ` +
    `${old.length === 1 ? 'it' : 'them'}: run: kubectl delete pod ${names.join(' ')}${first ? namespaceFlag(first) : ''}`
  );
}

export const surplus = (count: number): string =>
  `${pods(count)} beyond the step ${count === 1 ? 'has' : 'have'} the new version, because a Pod that is created during a release starts with it`;

export const noNodes =
  'no node should run a Pod of the DaemonSet: nothing to release; the release completes when there are nodes and its Pods are available';

export const surges = ({ metadata: { name } }: DaemonSet): string =>
  `tranche: spec.updateStrategy.rollingUpdate.maxSurge of DaemonSet ${name} has no effect during a release: each old Pod ends before the new one ` +
  `starts; maxUnavailable applies, and is at least 1`;
