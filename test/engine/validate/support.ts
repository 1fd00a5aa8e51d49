// Rollouts with any strategy, and Deployments of any size, for table tests.
import type { Deployment, Rollout } from '../../../src/api/types.ts';

export const ref = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
export const rollout = (
  strategy: unknown,
  more: { ref?: object; annotations?: Record<string, string> } = {},
): Rollout => ({
  metadata: { name: 'demo', namespace: 'default', ...(more.annotations && { annotations: more.annotations }) },
  spec: { workloadRef: { ...ref, ...more.ref }, strategy: strategy as Rollout['spec']['strategy'] },
});
export const steps = (...replicas: unknown[]): Rollout =>
  canary({ steps: replicas.map((value) => ({ replicas: value })) });
export const canary = (fields: object): Rollout => rollout({ canary: { steps: [{ replicas: 1 }], ...fields } });
export const step = (fields: object): Rollout => canary({ steps: [{ replicas: 1, ...fields }] });
export const sized = (replicas: number, type = 'RollingUpdate'): Deployment => ({
  metadata: { name: 'web' },
  spec: { replicas, selector: {}, template: {}, strategy: { type } },
});
