// Builders for the tests of DaemonSets: a DaemonSet, its revisions and Pods on nodes.
import { CONTROLLER_REVISION_HASH, HELD } from '../../../../src/api/keys.ts';
import type { ControllerRevision, DaemonSet, OwnerReference, Pod, Rollout } from '../../../../src/api/types.ts';
import type { Children } from '../../../../src/engine/snapshot.ts';
import { heldAnnotations } from '../../../../src/engine/workload/daemonset/hold.ts';
import { daemonSetKind as kind } from '../../../../src/engine/workload/daemonset/kind.ts';
import type { DaemonProgress } from '../../../../src/engine/workload/daemonset/progress.ts';
import type { Goal, ProgressFacts } from '../../../../src/engine/workload/kind.ts';
import { asDigest } from '../../../support/digests.ts';
import { ago, digest, NOW, pod, template } from '../../build.ts';

const owner: OwnerReference = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  name: 'agent',
  uid: 'uid-agent',
  controller: true,
};

export const makeSet = (
  nodes: number,
  version: string,
  updateStrategy: object = { type: 'RollingUpdate' },
): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'shop', uid: 'uid-agent', resourceVersion: '100', generation: 5 },
  spec: { selector: {}, template: template(version), updateStrategy },
  status: { observedGeneration: 5, desiredNumberScheduled: nodes },
});

/** Held by a release of v2, whose stable version is v1. */
export function held(nodes: number, rollingUpdate: object = {}): DaemonSet {
  const set = makeSet(nodes, 'v2', { type: 'OnDelete', rollingUpdate });
  const record = { v: 1, rollout: 'agent', user: { type: 'RollingUpdate' }, stable: asDigest('v1') } as const;
  return { ...set, metadata: { ...set.metadata, annotations: { ...heldAnnotations(record) } } };
}

export const revision = (version: string, number = Number(version.slice(1)), hash = version): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: {
    name: `agent-${hash}`,
    namespace: 'shop',
    uid: `uid-${hash}`,
    labels: { [CONTROLLER_REVISION_HASH]: hash },
    ownerReferences: [owner],
  },
  revision: number,
  data: { spec: { template: { ...template(version), $patch: 'replace' } } },
});

/** "v1 v1! v2 v1x -": one node each. "!" is not Ready, "~" is Ready since 5 s, "x" is terminating, "*" is being evicted, "-" has no Pod. Older ones come first. */
export const podsOf = (text: string): Pod[] =>
  text.split(' ').flatMap((word, i): Pod[] => {
    if (word === '-') return [];
    const sign = /\W$|x$/.exec(word)?.[0] ?? '';
    const made = pod(`agent-${i}`, {
      ready: sign === '!' ? null : sign === '~' ? 5 : 600,
      labels: { [CONTROLLER_REVISION_HASH]: word.replace(sign, '') },
      metadata: {
        namespace: 'shop',
        ownerReferences: [owner],
        creationTimestamp: ago(1000 - i),
        ...(sign === 'x' && { deletionTimestamp: ago(1) }),
      },
    });
    if (sign !== '*') return [made];
    const target = { type: 'DisruptionTarget', status: 'True' };
    return [{ ...made, status: { ...made.status, conditions: [...(made.status?.conditions ?? []), target] } }];
  });

export const children = (pods: readonly Pod[]): Children => ({
  replicaSets: [],
  pods,
  revisions: [revision('v1'), revision('v2')],
});

export const goal = (target: number, more: Partial<Goal> = {}): Goal => ({
  target,
  tolerated: 0,
  keeps: false,
  last: false,
  goesOn: false,
  young: false,
  ...more,
});

const rollout = { metadata: { name: 'agent', namespace: 'shop' }, spec: {} } as Rollout;

export const progressOf = (set: DaemonSet, pods: readonly Pod[], more: Partial<ProgressFacts> = {}): DaemonProgress =>
  kind.progress({ now: NOW, rollout, digest, evicts: true, ...more }, set, children(pods));

export const isHeld = (set: DaemonSet): boolean => set.metadata.annotations?.[HELD] !== undefined;
