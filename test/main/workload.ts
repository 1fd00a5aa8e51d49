// A Deployment, a Rollout for it, and what tests of whole processes ask about them.
import { rolloutIdOf } from '../../src/engine/release/release-id.ts';
import type { Deployment, ReplicaSet, Rollout } from '../../src/api/types.ts';
import type { Api } from '../../src/kube/api.ts';
import { until } from './cluster.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const ROLLOUTS = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';

export class Workload {
  private readonly api: Api;
  readonly name: string;

  constructor(api: Api, name: string) {
    this.api = api;
    this.name = name;
  }

  /** Made, and enrolled by whoever leads. */
  async create(replicas: number, steps: readonly object[], canary: object = {}): Promise<void> {
    await this.createDeployment(replicas);
    await this.createRollout(steps, canary);
    await this.until('Healthy', async () => (await this.rollout()).status?.phase === 'Healthy');
  }

  private async createDeployment(replicas: number): Promise<void> {
    const { name } = this;
    const labels = { app: name };
    const spec = { containers: [{ name: 'app', image: 'app:v1' }] };
    await this.api.request({
      method: 'POST',
      path: DEPLOYMENTS,
      body: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'default' },
        spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      },
    });
  }

  async createRollout(steps: readonly object[], canary: object = {}): Promise<void> {
    const { name } = this;
    const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name };
    await this.api.request({
      method: 'POST',
      path: ROLLOUTS,
      body: {
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        metadata: { name, namespace: 'default' },
        spec: { workloadRef, strategy: { canary: { ...canary, steps } } },
      },
    });
  }

  release(version: string): Promise<unknown> {
    return this.patch({ spec: { template: { spec: { containers: [{ name: 'app', image: `app:${version}` }] } } } });
  }

  async patch(body: object): Promise<Deployment> {
    const contentType = 'application/strategic-merge-patch+json';
    return (await this.api.request({
      method: 'PATCH',
      path: `${DEPLOYMENTS}/${this.name}`,
      contentType,
      body,
    })) as Deployment;
  }

  approve(): Promise<unknown> {
    const body = { status: { canaryStatus: { currentStepState: 'StepReady' } } };
    const contentType = 'application/merge-patch+json';
    return this.api.request({ method: 'PATCH', path: `${ROLLOUTS}/${this.name}/status`, contentType, body });
  }

  untilPaused(step: number, seconds?: number): Promise<void> {
    const paused = async (): Promise<boolean> => {
      const [canary, id] = [(await this.rollout()).status?.canaryStatus, rolloutIdOf(await this.deployment())];
      // Not the pause of a release before.
      const isThis = canary?.observedRolloutID === id;
      return isThis && canary?.currentStepIndex === step && canary.currentStepState === 'StepPaused';
    };
    return this.until(`step ${step} done`, paused, seconds);
  }

  async until(what: string, condition: () => Promise<boolean>, seconds?: number): Promise<void> {
    let last = '';
    const look = async (): Promise<boolean> => {
      last = JSON.stringify([(await this.rollout()).status, (await this.deployment()).metadata.annotations]);
      return condition();
    };
    await until(look, () => `${what}: ${last}`, seconds);
  }

  deployment(): Promise<Deployment> {
    return this.api.request({ method: 'GET', path: `${DEPLOYMENTS}/${this.name}` }) as Promise<Deployment>;
  }

  async replicaSets(): Promise<ReplicaSet[]> {
    const path = '/apis/apps/v1/namespaces/default/replicasets';
    const query = { labelSelector: `app=${this.name}` };
    return ((await this.api.request({ method: 'GET', path, query })) as { items: ReplicaSet[] }).items;
  }

  rollout(): Promise<Rollout> {
    return this.api.request({ method: 'GET', path: `${ROLLOUTS}/${this.name}` }) as Promise<Rollout>;
  }
}
