// Drives continuous releases: some are approved, rolled back or replaced by a newer version, and some Rollouts are deleted and created again.
import { ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import type { Api } from '../../../src/kube/api.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const ROLLOUTS = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';
const REPLICAS = 4;
const STEPS = [{ replicas: 1 }, { replicas: '50%', pause: { duration: 1 } }, { replicas: '100%' }];

/** Of this many releases of a Deployment, one is rolled back, one is replaced, and after one the Rollout is created again. */
const EVERY = { rollback: 7, replace: 5, renew: 11 } as const;

interface Workload {
  readonly name: string;
  /** Number of versions so far. */
  version: number;
  /** The version that runs while there is no release. */
  stable: number;
  /** The version of the current release, or undefined. */
  release: string | undefined;
  /** Number of ended releases. */
  ended: number;
}

export interface Drive {
  /** Number of ended releases, with any result. */
  readonly ended: number;
  /** Advances each Deployment. */
  tick(): Promise<void>;
}

export async function startDrive(api: Api, count: number): Promise<Drive> {
  const workloads = Array.from({ length: count }, (_, i): Workload => {
    return { name: `soak-${i}`, version: 1, stable: 1, release: undefined, ended: 0 };
  });
  for (const { name } of workloads) {
    await api.request({ method: 'POST', path: DEPLOYMENTS, body: deploymentOf(name) });
    await api.request({ method: 'POST', path: ROLLOUTS, body: rolloutOf(name) });
  }
  return {
    get ended() {
      return workloads.reduce((sum, workload) => sum + workload.ended, 0);
    },
    async tick() {
      const { items } = (await api.request({ method: 'GET', path: ROLLOUTS })) as { items: Rollout[] };
      const byName = new Map(items.map((rollout) => [rollout.metadata.name, rollout]));
      // After a conflict, the next tick tries again.
      await Promise.allSettled(workloads.map((workload) => act(api, workload, byName.get(workload.name))));
    },
  };
}

async function act(api: Api, workload: Workload, rollout: Rollout | undefined): Promise<void> {
  const { name } = workload;
  if (rollout === undefined) {
    await api.request({ method: 'POST', path: ROLLOUTS, body: rolloutOf(name) });
    return;
  }
  const { status } = rollout;
  if (rollout.metadata.deletionTimestamp !== undefined || status?.phase === undefined) return;
  const canary = status.canaryStatus;
  if (status.phase === 'Healthy') {
    const about = canary?.observedRolloutID ?? '';
    if (workload.release !== undefined && about !== workload.release && about !== `rollback-${workload.release}`)
      return;
    const ran = workload.release !== undefined;
    if (ran) {
      workload.ended++;
      if (about === workload.release) workload.stable = workload.version;
      workload.release = undefined;
    }
    if (ran && workload.ended % EVERY.renew === 0) {
      await api.request({ method: 'DELETE', path: `${ROLLOUTS}/${name}` });
      return;
    }
    await release(api, workload, ++workload.version);
  } else if (canary?.currentStepState === 'StepPaused' && canary.currentStepIndex === 1) {
    if (workload.version % EVERY.rollback === 0) await release(api, workload, workload.stable);
    else if (workload.version % EVERY.replace === 0) await release(api, workload, ++workload.version);
    else await approve(api, name);
  }
}

async function release(api: Api, workload: Workload, version: number): Promise<void> {
  const body = { spec: { template: { spec: { containers: [{ name: 'app', image: `app:v${version}` }] } } } };
  const contentType = 'application/strategic-merge-patch+json';
  const path = `${DEPLOYMENTS}/${workload.name}`;
  const { metadata } = (await api.request({ method: 'PATCH', path, contentType, body })) as Deployment;
  workload.release = metadata.labels?.[ROLLOUT_ID];
}

const approve = (api: Api, name: string): Promise<unknown> =>
  api.request({
    method: 'PATCH',
    path: `${ROLLOUTS}/${name}/status`,
    contentType: 'application/merge-patch+json',
    body: { status: { canaryStatus: { currentStepState: 'StepReady' } } },
  });

function deploymentOf(name: string): object {
  const labels = { app: name };
  const spec = { containers: [{ name: 'app', image: 'app:v1' }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: REPLICAS,
      revisionHistoryLimit: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
    },
  };
}

const rolloutOf = (name: string): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name, namespace: 'default' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: { canary: { steps: STEPS } },
  },
});
