// A stand-in for scheduler and kubelet: binds each Pod to one node, reports it Ready after a while, and completes its deletion.
import type { KubeObject } from '@tranche/sandbox/types';
import { PODS, type Resource } from '../../../src/api/resources.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { pathOf } from '../../../src/kube/path.ts';

const NODES: Resource = { apiVersion: 'v1', kind: 'Node', plural: 'nodes', cluster: true };
const NODE = 'node-0';
/** Longer than any run. Without a heartbeat for some minutes, a node is not ready, and its Pods are evicted. */
const HEARTBEAT_MS = 10_000;

export interface KubeletOptions {
  /** Mean time from the binding of a Pod until it is Ready, and the share by which it may be shorter or longer. */
  readonly readyMs: number;
  readonly jitter: number;
  /** 0 to 1. */
  readonly random: () => number;
}

export interface Kubelet {
  /** Call it for each state of a Pod. */
  see(pod: KubeObject, isDeleted: boolean): void;
  stop(): void;
}

export async function startKubelet(api: ApiClient, { readyMs, jitter, random }: KubeletOptions): Promise<Kubelet> {
  await api.request({
    method: 'POST',
    path: pathOf(NODES),
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
  });
  await beat(api);
  await api.request({
    method: 'PATCH',
    path: pathOf(NODES, { name: NODE }),
    contentType: 'application/merge-patch+json',
    body: { spec: { taints: null } },
  });
  // A missed heartbeat is followed by another one.
  const heartbeat = setInterval(() => void beat(api).catch(() => undefined), HEARTBEAT_MS);
  /** What was done for a Pod, by its uid. */
  const done = new Map<string, Set<string>>();
  let pods = 0;

  const once = (pod: KubeObject, step: string, work: () => Promise<unknown>): void => {
    const uid = pod.metadata.uid!;
    const steps = done.get(uid) ?? new Set();
    if (steps.has(step)) return;
    done.set(uid, steps.add(step));
    // The Pod may have been deleted in the meantime.
    work().catch(() => undefined);
  };
  const at = (pod: KubeObject, subresource?: string): string =>
    pathOf(PODS, { namespace: pod.metadata.namespace, name: pod.metadata.name, subresource });

  return {
    see(pod, isDeleted) {
      if (isDeleted) return void done.delete(pod.metadata.uid!);
      if (pod.metadata.deletionTimestamp !== undefined)
        return once(pod, 'delete', () =>
          api.request({ method: 'DELETE', path: at(pod), body: { gracePeriodSeconds: 0 } }),
        );
      once(pod, 'bind', async () => {
        await api.request({ method: 'POST', path: at(pod, 'binding'), body: bindingOf(pod) });
        const ms = readyMs * (1 - jitter + 2 * jitter * random());
        await new Promise((resolve) => setTimeout(resolve, ms));
        await api.request({
          method: 'PATCH',
          path: at(pod, 'status'),
          contentType: 'application/merge-patch+json',
          body: { status: statusOf(pod, ++pods) },
        });
      });
    },
    stop: () => clearInterval(heartbeat),
  };
}

const beat = (api: ApiClient): Promise<unknown> => {
  const capacity = { cpu: '100000', memory: '100000Gi', pods: '1000000' };
  const ready = { type: 'Ready', status: 'True', reason: 'Bench', lastHeartbeatTime: new Date().toISOString() };
  return api.request({
    method: 'PATCH',
    path: pathOf(NODES, { name: NODE, subresource: 'status' }),
    contentType: 'application/merge-patch+json',
    body: { status: { conditions: [ready], allocatable: capacity, capacity } },
  });
};

const bindingOf = ({ metadata: { name } }: KubeObject): object => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name },
  target: { apiVersion: 'v1', kind: 'Node', name: NODE },
});

function statusOf({ spec }: KubeObject, number: number): object {
  const now = new Date().toISOString();
  const containers = spec.containers as readonly { readonly name: string; readonly image: string }[];
  return {
    phase: 'Running',
    startTime: now,
    podIP: `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`,
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      ...{ type, status: 'True', lastTransitionTime: now },
    })),
    containerStatuses: containers.map(({ name, image }) => ({
      ...{ name, image, imageID: image, ready: true, restartCount: 0, state: { running: { startedAt: now } } },
    })),
  };
}
