// DaemonSets keep the contract of a workload kind.
import type { DaemonSet, Pod } from '../../../../src/api/types.ts';
import type { DaemonHeld } from '../../../../src/engine/workload/daemonset/hold.ts';
import { daemonSetKind } from '../../../../src/engine/workload/daemonset/kind.ts';
import type { DaemonProgress } from '../../../../src/engine/workload/daemonset/progress.ts';
import { digest } from '../../build.ts';
import { contract, type Bench } from '../contract.ts';
import { makeSet, podsOf, revision } from './build.ts';

const rolling = (rollingUpdate?: object): object => ({
  updateStrategy: { type: 'RollingUpdate', ...(rollingUpdate && { rollingUpdate }) },
});

const bench: Bench<DaemonSet, DaemonHeld, DaemonProgress> = {
  kind: daemonSetKind,
  children: [],
  evicts: true,
  users: [
    { what: 'the default limits', spec: rolling({ maxUnavailable: 1, maxSurge: 0 }) },
    { what: 'a percentage', spec: rolling({ maxUnavailable: '25%', maxSurge: 0 }) },
    { what: 'surge Pods', spec: rolling({ maxUnavailable: 0, maxSurge: 1 }) },
    { what: 'no limits', spec: rolling() },
  ],
  workload(version, replicas, { spec }) {
    const set = makeSet(replicas, version);
    return { ...set, spec: { ...set.spec, ...spec } };
  },
  settled(workload, { updated, available, old }) {
    const version = digest(workload.spec.template);
    const { generation = 0 } = workload.metadata;
    const words = Array.from({ length: updated + old }, (_, i) =>
      i < old ? 'v1' : `${version}${i >= old + available ? '!' : ''}`,
    );
    const pods: readonly Pod[] = words.length === 0 ? [] : podsOf(words.join(' '));
    const status = { observedGeneration: generation, desiredNumberScheduled: updated + old };
    const revisions = [...new Set(['v1', version])].map((one) => revision(one));
    return { workload: { ...workload, status }, children: { replicaSets: [], pods, revisions } };
  },
  granted: ({ spec }) => (spec.updateStrategy?.type === 'OnDelete' ? 0 : 10),
};

contract('a DaemonSet', bench);
