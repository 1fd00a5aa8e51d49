// Workloads of OpenKruise as tests of the engine need them: objects of a shape, with Pods and revisions.
import { CONTROLLER_REVISION_HASH } from '../../../../src/api/keys.ts';
import type { ControllerRevision, OwnerReference, Pod } from '../../../../src/api/types.ts';
import type { Children } from '../../../../src/engine/snapshot.ts';
import type { PartitionHeld } from '../../../../src/engine/workload/partition/hold.ts';
import type { PartitionKind } from '../../../../src/engine/workload/partition/kind.ts';
import type { PartitionProgress } from '../../../../src/engine/workload/partition/progress.ts';
import { strategyOf, type Partitioned, type PartitionShape } from '../../../../src/engine/workload/partition/shape.ts';
import { digest, pod, template } from '../../build.ts';
import type { Bench, UserSettings } from '../contract.ts';

type PartitionBench = Bench<Partitioned, PartitionHeld, PartitionProgress>;

const ownerOf = ({ resource: { apiVersion, kind } }: PartitionShape): OwnerReference => ({
  apiVersion,
  kind,
  name: 'web',
  uid: 'uid-web',
  controller: true,
});

export const revisionOf = (shape: PartitionShape, version: string): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: {
    name: `web-${version}`,
    namespace: 'shop',
    uid: `uid-${version}`,
    ownerReferences: [ownerOf(shape)],
  },
  revision: 1,
  data: { spec: { template: template(version) } },
});

/** `label`: the value of the label with the hash. */
export const podOf = (shape: PartitionShape, name: string, label: string, available: boolean): Pod =>
  pod(name, {
    ready: available ? 60 : null,
    labels: { [CONTROLLER_REVISION_HASH]: label },
    metadata: { ownerReferences: [ownerOf(shape)] },
  });

export interface BenchOptions {
  readonly kind: PartitionKind;
  readonly shape: PartitionShape;
  readonly users: readonly UserSettings[];
  /** The status fields of its controller. */
  status(version: string, pods: number, old: number): object;
  /** The label of a Pod of the version. */
  label(version: string): string;
}

/** Of Pods web-0, web-1 and so on; the highest have the new version. */
export const benchOf = ({ kind, shape, users, status, label }: BenchOptions): PartitionBench => ({
  kind,
  children: [],
  users,
  workload: (version, replicas, { spec }) => ({
    apiVersion: shape.resource.apiVersion,
    kind: shape.resource.kind,
    metadata: { name: 'web', namespace: 'shop', uid: 'uid-web', resourceVersion: '100', generation: 5 },
    spec: { replicas, selector: {}, template: template(version), ...spec },
    status: { observedGeneration: 5, replicas, ...status(version, replicas, 0) },
  }),
  settled(workload, { updated, available, old }) {
    const version = digest(workload.spec.template);
    const { generation = 0 } = workload.metadata;
    const pods = Array.from({ length: updated + old }, (_, i) =>
      podOf(shape, `web-${i}`, label(i < old ? 'v1' : version), i < old || i >= old + updated - available),
    );
    const revisions = [...new Set(['v1', version])].map((one) => revisionOf(shape, one));
    const counted = { observedGeneration: generation, replicas: updated + old };
    return {
      workload: { ...workload, status: { ...counted, ...status(version, updated + old, old) } },
      children: { replicaSets: [], pods, revisions } satisfies Children,
    };
  },
  granted(workload) {
    const replicas = kind.replicas(workload);
    const { partition, paused } = strategyOf(shape, workload);
    return paused === true ? 0 : Math.max(0, replicas - shape.kept(partition ?? null, replicas));
  },
});
