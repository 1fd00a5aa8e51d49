// The nodes of the cluster: plain objects that are always ready.
import type { Client, KubeObject } from '../../core/types.ts';
import { isAlreadyExists } from '../framework/controller.ts';
import { NODES, pathOf, timestamp } from '../framework/meta.ts';

const PODS_PER_NODE = '110';

/** Creates missing nodes: `n0`, `n1`, … */
export const createNodes = async (client: Client, count: number, nowMs: number): Promise<void> => {
  for (let i = 0; i < count; i++) {
    const node = nodeObject(i);
    try {
      const created = await client.request('POST', pathOf(NODES, undefined), { body: node });
      const status = nodeStatus(i, nowMs);
      await client.request('PUT', pathOf(NODES, undefined, node.metadata.name, 'status'), {
        body: { ...created, status },
      });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
};

const nodeObject = (i: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `n${i}`,
    labels: { 'kubernetes.io/hostname': `n${i}`, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
  },
  spec: {},
});

const nodeStatus = (i: number, nowMs: number): object => {
  const now = timestamp(nowMs);
  const resources = { cpu: '8', memory: '16Gi', pods: PODS_PER_NODE };
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [
      { type: 'InternalIP', address: `10.0.0.${i + 1}` },
      { type: 'Hostname', address: `n${i}` },
    ],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        message: 'the stand-in kubelet is ready',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: 'none',
      osImage: 'sandbox',
      containerRuntimeVersion: 'sandbox://1',
      kubeletVersion: 'v1.36.2',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  };
};
