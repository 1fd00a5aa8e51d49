// metrics.k8s.io, as metrics-server serves it. The numbers are those of containers that do not exist (behaviour.ts).
import type { Cluster } from '../cluster.ts';
import { collectionOf, resource } from '../core/resources.ts';
import { newUid, timestamp } from '../core/names.ts';
import type { KubeObject } from '../core/types.ts';
import { behaviourOf, usageOf } from './behaviour.ts';
import type { Serving } from './index.ts';

const GROUP = 'metrics.k8s.io';
const VERSION = 'v1beta1';
const WINDOW = '15s';

/** The role of metrics-server's manifest: who may view may read metrics. */
const READER = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: {
    name: 'system:aggregated-metrics-reader',
    labels: Object.fromEntries(
      ['admin', 'edit', 'view'].map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']),
    ),
  },
  rules: [{ apiGroups: [GROUP], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
};

/** Adds the group to the cluster. `serving`: where CPU follows the requests. */
export function startMetricsApi({ store, registry, clock }: Cluster, serving: Serving | undefined): void {
  const roles = collectionOf(registry.findKind('rbac.authorization.k8s.io', 'v1', 'ClusterRole')!);
  const now = (): string => timestamp(clock.now());
  const metadata = { ...READER.metadata, uid: newUid(() => clock.random()), creationTimestamp: now() };
  store.commit(roles, undefined, { ...READER, metadata });
  registry.add(
    resource(GROUP, VERSION, 'PodMetrics', 'pods', {
      singular: '',
      verbs: ['get', 'list'],
      computed: (namespace) =>
        store.list('/pods', namespace).flatMap((pod) => {
          const containers = usages(pod, clock.now(), serving);
          return containers.length === 0 ? [] : [podMetrics(pod, now(), containers)];
        }),
    }),
  );
}

function podMetrics({ metadata }: KubeObject, now: string, containers: readonly object[]): KubeObject {
  const { name, namespace, labels } = metadata;
  return {
    kind: 'PodMetrics',
    apiVersion: `${GROUP}/${VERSION}`,
    metadata: { name, namespace: namespace!, creationTimestamp: now, ...(labels ? { labels } : {}) },
    timestamp: now,
    window: WINDOW,
    containers,
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly state?: { readonly running?: { readonly startedAt: string } };
}

/** Of the running containers. metrics-server needs two measurements first; here they have one at once. */
function usages({ metadata, status }: KubeObject, nowMs: number, serving: Serving | undefined): object[] {
  return ((status?.containerStatuses ?? []) as ContainerStatus[]).flatMap(({ name, image, state }) => {
    if (!state?.running) return [];
    const runningMs = nowMs - Date.parse(state.running.startedAt);
    const { cpuNanocores, memoryBytes } =
      serving?.usageOf(metadata.uid!, name) ??
      usageOf(behaviourOf(image).behaviour, { pod: metadata.name, runningMs, requestsPerSecond: 0 });
    const usage = { cpu: `${cpuNanocores}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` };
    return [{ name, usage }];
  });
}
