// What a world needs to know about each kind of workload. The scenarios of this folder run over all of them: a new kind adds one entry.
import type { VirtualCluster } from '@tranche/sandbox/virtual';
import { daemonSetKind } from '../../../src/engine/workload/daemonset/kind.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import type { WorkloadKind } from '../../../src/engine/workload/kind.ts';
import { statefulSetKind } from '../../../src/engine/workload/statefulset/kind.ts';
import { advancedDaemonSetKind } from '../../../src/engine/workload/advanced-daemonset/kind.ts';
import { advancedStatefulSetKind } from '../../../src/engine/workload/advanced-statefulset/kind.ts';
import { cloneSetKind } from '../../../src/engine/workload/cloneset/kind.ts';
import { installKruise } from '../../support/kruise/virtual.ts';
import type { World, WorldOptions } from '../world.ts';

export interface KindFixture {
  readonly kind: WorkloadKind;
  /** Options of each world of the kind, such as the number of nodes, or a right that the kind needs. */
  readonly options?: Partial<WorldOptions>;
  /** Flags of the program without which a step of the kind waits for a person. */
  readonly flags?: readonly string[];
  /** The spec of a workload with this many Pods, without selector and template. */
  spec(replicas: number): object;
  /** Adds the API and the controllers of the kind to a cluster without them, before it starts. */
  install?(cluster: VirtualCluster): void;
  /** Changes the number of Pods. Default: by the scale subresource. */
  resize?(world: World, replicas: number): Promise<unknown>;
  /** Parts of the spec with settings of its user in the borrowed fields. The first is the usual one. */
  readonly users: readonly { readonly what: string; readonly spec: object }[];
  /** The change of the spec by which its user pauses a release. Absent: only the Rollout pauses it. */
  readonly pause?: object;
  /** The change of the spec by which a user whom no webhook sees ends the hold. */
  readonly loosen: object;
  /** The spec that OpenKruise leaves in a release with this many Pods of the new version, if the kind can be taken over so. */
  left?(updated: number, replicas: number): object;
  /** True if a broken Pod of an abandoned version stays after a rollback until somebody deletes it. */
  readonly keepsBroken?: true;
}

/** The partition that holds every Pod. */
const ALL = 2_147_483_647;
const partition = (value: number): object => ({ updateStrategy: { rollingUpdate: { partition: value } } });

export const FIXTURES: readonly KindFixture[] = [
  {
    kind: deploymentKind,
    spec: (replicas) => ({ replicas }),
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'limits of its own',
        spec: {
          minReadySeconds: 1,
          progressDeadlineSeconds: 300,
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: '10%' } },
        },
      },
    ],
    pause: { paused: true },
    loosen: { paused: false },
  },
  {
    kind: statefulSetKind,
    spec: (replicas) => ({ replicas, serviceName: 'demo' }),
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'a partition of its own',
        spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      },
      { what: 'Parallel', spec: { podManagementPolicy: 'Parallel' } },
    ],
    pause: partition(ALL),
    loosen: partition(0),
    left: (updated, replicas) => partition(replicas - updated),
    keepsBroken: true,
  },
  {
    kind: daemonSetKind,
    options: { nodes: 6, evicts: true },
    flags: ['--evict-daemonset-pods=true'],
    spec: () => ({}),
    resize: resizeNodes,
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'a limit of its own',
        spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '40%', maxSurge: 0 } } },
      },
    ],
    loosen: { updateStrategy: { type: 'RollingUpdate' } },
    left: () => ({ updateStrategy: { type: 'OnDelete' } }),
  },
  {
    kind: cloneSetKind,
    spec: (replicas) => ({ replicas, updateStrategy: { maxUnavailable: 1 } }),
    install: installKruise(cloneSetKind),
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'a partition of its own, and surge',
        spec: { updateStrategy: { partition: '20%', maxSurge: 1, maxUnavailable: 0 } },
      },
      { what: 'updates in place', spec: { updateStrategy: { type: 'InPlaceIfPossible', paused: false } } },
    ],
    pause: { updateStrategy: { paused: true } },
    loosen: { updateStrategy: { partition: 0 } },
    left: (updated, replicas) => ({ updateStrategy: { partition: replicas - updated } }),
  },
  {
    kind: advancedStatefulSetKind,
    spec: (replicas) => ({ replicas }),
    install: installKruise(advancedStatefulSetKind),
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'a partition of its own',
        spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
      },
      { what: 'reserved ordinals', spec: { reserveOrdinals: [1], podManagementPolicy: 'Parallel' } },
    ],
    pause: { updateStrategy: { rollingUpdate: { paused: true } } },
    loosen: partition(0),
    left: (updated, replicas) => partition(replicas - updated),
    keepsBroken: true,
  },
  {
    kind: advancedDaemonSetKind,
    options: { nodes: 6 },
    spec: () => ({}),
    install: installKruise(advancedDaemonSetKind),
    resize: resizeNodes,
    users: [
      { what: 'defaults', spec: {} },
      {
        what: 'a partition of its own',
        spec: { updateStrategy: { rollingUpdate: { partition: '20%', maxUnavailable: 2 } } },
      },
      { what: 'surge', spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } },
    ],
    pause: { updateStrategy: { rollingUpdate: { paused: true } } },
    loosen: partition(0),
    left: (updated, replicas) => partition(replicas - updated),
  },
];

/** The nodes of a world are n0, n1, n2, … */
async function resizeNodes({ virtual }: World, wanted: number): Promise<void> {
  const { client, cluster } = virtual;
  const names = cluster.store.list('/nodes', undefined).map(({ metadata }) => metadata.name);
  for (let i = 0; names.length < wanted; i++) {
    const name = `n${i}`;
    if (names.includes(name)) continue;
    names.push(name);
    await client.request('POST', '/api/v1/nodes', { body: { apiVersion: 'v1', kind: 'Node', metadata: { name } } });
  }
  for (const name of names.slice(wanted)) await client.request('DELETE', `/api/v1/nodes/${name}`);
}

/** Throws if the kind has no fixture. */
export function fixtureOf(kind: WorkloadKind): KindFixture {
  const found = FIXTURES.find((one) => one.kind === kind);
  if (!found)
    throw new Error(`${kind.resource.kind} of ${kind.resource.apiVersion} has no fixture: add one to FIXTURES`);
  return found;
}
