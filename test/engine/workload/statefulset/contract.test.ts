// StatefulSets keep the contract of a workload kind.
import { CONTROLLER_REVISION_HASH } from '../../../../src/api/keys.ts';
import type { ControllerRevision, OwnerReference, Pod } from '../../../../src/api/types.ts';
import type { PartitionHeld } from '../../../../src/engine/workload/partition/hold.ts';
import type { PartitionProgress } from '../../../../src/engine/workload/partition/progress.ts';
import { EVERY as ALL, type Partitioned } from '../../../../src/engine/workload/partition/shape.ts';
import { statefulSetKind } from '../../../../src/engine/workload/statefulset/kind.ts';
import { digest, pod, template } from '../../build.ts';
import { contract, type Bench } from '../contract.ts';

const owner: OwnerReference = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  name: 'web',
  uid: 'uid-web',
  controller: true,
};
const partition = (rollingUpdate: object): object => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });

const revision = (version: string): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name: `web-${version}`, namespace: 'shop', uid: `uid-${version}`, ownerReferences: [owner] },
  revision: 1,
  data: { spec: { template: template(version) } },
});

/** The Pod of this ordinal. */
const podOf = (ordinal: number, version: string, available: boolean): Pod =>
  pod(`web-${ordinal}`, {
    ready: available ? 60 : null,
    labels: { [CONTROLLER_REVISION_HASH]: `web-${version}` },
    metadata: { ownerReferences: [owner] },
  });

const bench: Bench<Partitioned, PartitionHeld, PartitionProgress> = {
  kind: statefulSetKind,
  children: [],
  users: [
    { what: 'no partition', spec: partition({}) },
    { what: 'a partition of 0', spec: partition({ partition: 0 }) },
    { what: 'a partition of 3', spec: partition({ partition: 3 }) },
    { what: 'a partition that holds every Pod', spec: partition({ partition: ALL }), paused: true },
  ],
  workload: (version, replicas, { spec }) => ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: 'shop', uid: 'uid-web', resourceVersion: '100', generation: 5 },
    spec: { replicas, selector: {}, template: template(version), ...spec },
    status: { observedGeneration: 5, replicas, updateRevision: `web-${version}` },
  }),
  settled(workload, { updated, available, old }) {
    const version = digest(workload.spec.template);
    const { generation = 0 } = workload.metadata;
    const status = {
      observedGeneration: generation,
      replicas: updated + old,
      updateRevision: `web-${version}`,
      currentRevision: old === 0 ? `web-${version}` : 'web-v1',
    };
    // The Pods of the new version are those of the highest ordinals; the lowest of them come last.
    const pods = Array.from({ length: updated + old }, (_, i) =>
      podOf(i, i < old ? 'v1' : version, i < old || i >= old + updated - available),
    );
    const revisions = [...new Set(['v1', version])].map(revision);
    return { workload: { ...workload, status }, children: { replicaSets: [], pods, revisions } };
  },
  granted({ spec }) {
    const replicas = spec.replicas ?? 1;
    return Math.max(0, replicas - Number(spec.updateStrategy?.rollingUpdate?.partition ?? 0));
  },
};

contract('a StatefulSet', bench);
