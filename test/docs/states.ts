// A Deployment and its Rollout in every state that a release can be in, as the API server shows them: what GitOps tools look at.
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { deploymentPath, rolloutPath, type Playground } from '../cli/support.ts';

export type Manifest = Readonly<Record<string, unknown>>;

export interface Snapshot {
  readonly state: string;
  readonly deployment: Deployment;
  readonly rollout: Rollout;
}

/** What is in Git: with every field that Tranche borrows, or with none of them. */
export const desiredDeployment = (namespace: string, image: string, borrowed: object = BORROWED): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace, labels: { app: 'web' } },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    ...borrowed,
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
  },
});

export const BORROWED = {
  paused: false,
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } },
  minReadySeconds: 1,
  progressDeadlineSeconds: 300,
};

const desiredRollout = (namespace: string, canary: object): Manifest => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'web', namespace },
  spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: { canary } },
});

const STEPS = [{ replicas: 2 }, { replicas: '100%' }];

/** Plays releases side by side, one namespace each, and takes a picture in each state. */
export async function playStates(playground: Playground): Promise<Snapshot[]> {
  const scenes = Object.entries(SCENES).map(async ([namespace, scene]) => {
    const player = new Player(playground, namespace);
    await scene(player);
    return player.snapshots;
  });
  return (await Promise.all(scenes)).flat();
}

const SCENES: Readonly<Record<string, (player: Player) => Promise<void>>> = {
  async 'gitops-waits'(player) {
    await player.begin({ steps: STEPS });
    await player.see('at rest', ({ status }) => status?.phase === 'Healthy');
    const [{ rollout }] = player.snapshots as [Snapshot];
    // The webhook's answer: what stands there before the operator can look.
    const deployment = await player.release('web:v2');
    player.snapshots.push({ state: 'held, the operator has not seen it', deployment, rollout });
    await player.see('waiting for approval', stepIs('StepPaused'));
    await player.patchRollout({ spec: { strategy: { paused: true } } });
    await player.see('frozen', ({ status }) => progressing(status) === 'Paused');
    await player.patchRollout({ spec: { strategy: { paused: false } } });
    await player.reaches(({ status }) => progressing(status) === 'InRolling');
    await player.approve();
    await player.see('done', ended('Completed'));
    await player.release('web:v3');
    await player.reaches(stepIs('StepPaused'));
    await player.release('web:v2');
    await player.see('rolled back by a person', ended('RolledBack'));
    await player.patchRollout({ spec: { disabled: true } });
    await player.see('disabled', ({ status }) => status?.phase === 'Disabled');
  },
  async 'gitops-timed'(player) {
    await player.begin({ steps: [{ replicas: 2, pause: { duration: 3600 } }, { replicas: '100%' }] });
    await player.release('web:v2');
    await player.see('waiting for its time', stepIs('StepPaused'));
  },
  async 'gitops-stalls'(player) {
    await player.begin({ stepDeadlineSeconds: 4, steps: STEPS });
    await player.release('web:broken');
    await player.see('moving', ({ status }, { spec }) => status?.phase === 'Progressing' && spec.paused !== true);
    await player.see('stalled', ({ status }) => isTrue(status, 'Stalled'));
  },
  async 'gitops-fails'(player) {
    await player.begin({ stepDeadlineSeconds: 1, onFailure: 'Rollback', steps: STEPS });
    await player.release('web:broken');
    // A missed deadline rolls back half a minute later.
    await player.see('failed, rolled back by onFailure', ended('Failed'), 80);
  },
  async 'gitops-window'(player) {
    await player.begin({ steps: STEPS });
    await player.release('web:v2');
    await player.reaches(stepIs('StepPaused'));
    await player.post('/apis/tranche.dev/v1alpha1/releasepolicies', closed(player.namespace));
    await player.seesPolicy();
    await player.approve();
    await player.see('waiting for a window', ({ status }) => isTrue(status, 'PolicyBlocked'));
  },
  async 'gitops-alone'(player) {
    const { namespace } = player;
    await player.post('/api/v1/namespaces', namespaceOf(namespace));
    const deployment = desiredDeployment(namespace, 'web:v1') as unknown as Deployment;
    await player.post(collection(rolloutPath(namespace)), desiredRollout(namespace, { steps: STEPS }));
    let rollout = await player.rollout();
    await until(
      async () => isTrue((rollout = await player.rollout()).status, 'Stalled'),
      () => JSON.stringify(rollout.status),
    );
    const { status: _, ...fresh } = rollout;
    const { metadata } = rollout;
    const deletionTimestamp = '2026-01-01T09:00:00Z';
    player.snapshots.push(
      { state: 'no Deployment', deployment, rollout },
      { state: 'new, without a status', deployment, rollout: fresh },
      { state: 'being deleted', deployment, rollout: { ...rollout, metadata: { ...metadata, deletionTimestamp } } },
      {
        state: 'changed, the operator has not seen it',
        deployment,
        rollout: { ...rollout, metadata: { ...metadata, generation: 99 } },
      },
    );
  },
};

class Player {
  readonly snapshots: Snapshot[] = [];
  readonly namespace: string;
  readonly #api: Playground['cluster']['api'];

  constructor(playground: Playground, namespace: string) {
    this.#api = playground.cluster.api;
    this.namespace = namespace;
  }

  async begin(canary: object): Promise<void> {
    const { namespace } = this;
    await this.post('/api/v1/namespaces', namespaceOf(namespace));
    await this.post(collection(deploymentPath(namespace)), desiredDeployment(namespace, 'web:v1'));
    await this.post(collection(rolloutPath(namespace)), desiredRollout(namespace, canary));
    await this.reaches(({ status }) => status?.phase === 'Healthy');
  }

  async release(image: string): Promise<Deployment> {
    const template = { spec: { containers: [{ name: 'app', image }] } };
    return (await this.#patch(deploymentPath(this.namespace), { spec: { template } })) as Deployment;
  }

  approve(): Promise<unknown> {
    const body = { status: { canaryStatus: { currentStepState: 'StepReady' } } };
    return this.#patch(`${rolloutPath(this.namespace)}/status`, body);
  }

  patchRollout(body: object): Promise<unknown> {
    return this.#patch(rolloutPath(this.namespace), body);
  }

  #patch(path: string, body: object): Promise<unknown> {
    const contentType = 'application/merge-patch+json';
    return this.#api.request({ method: 'PATCH', path, contentType, body });
  }

  /** The operator has counted what the policy matches. */
  async seesPolicy(): Promise<void> {
    const path = `/apis/tranche.dev/v1alpha1/releasepolicies/${this.namespace}`;
    let policy: { status?: object } = {};
    await until(
      async () => (policy = (await this.#api.request({ method: 'GET', path })) as typeof policy).status !== undefined,
      () => JSON.stringify(policy),
    );
  }

  post(path: string, body: object): Promise<unknown> {
    return this.#api.request({ method: 'POST', path, body });
  }

  async rollout(): Promise<Rollout> {
    const path = rolloutPath(this.namespace);
    return (await this.#api.request({ method: 'GET', path })) as Rollout;
  }

  async #read(): Promise<Omit<Snapshot, 'state'>> {
    const path = deploymentPath(this.namespace);
    const deployment = (await this.#api.request({ method: 'GET', path })) as Deployment;
    return { deployment, rollout: await this.rollout() };
  }

  async reaches(condition: Condition, seconds?: number): Promise<Omit<Snapshot, 'state'>> {
    let last = await this.#read();
    await until(
      async () => condition((last = await this.#read()).rollout, last.deployment),
      () => JSON.stringify([last.rollout.status, last.deployment.spec]),
      seconds,
    );
    return last;
  }

  async see(state: string, condition: Condition, seconds?: number): Promise<void> {
    this.snapshots.push({ state, ...(await this.reaches(condition, seconds)) });
  }
}

type Condition = (rollout: Rollout, deployment: Deployment) => boolean;
type Status = Rollout['status'];

const closed = (namespace: string): object => ({
  apiVersion: 'tranche.dev/v1alpha1',
  kind: 'ReleasePolicy',
  metadata: { name: namespace },
  spec: {
    match: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
    windows: { deny: [{ schedule: '0 0 * * *', durationSeconds: 86_399 }] },
  },
});

const namespaceOf = (name: string): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const collection = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const conditionOf = (status: Status, type: string) => status?.conditions?.find((one) => one.type === type);
const isTrue = (status: Status, type: string): boolean => conditionOf(status, type)?.status === 'True';
const progressing = (status: Status): string | undefined => conditionOf(status, 'Progressing')?.reason;
const stepIs =
  (state: string): Condition =>
  ({ status }) =>
    status?.phase === 'Progressing' && status.canaryStatus?.currentStepState === state;
const ended =
  (outcome: string): Condition =>
  ({ status }) =>
    status?.phase === 'Healthy' && status.history?.[0]?.outcome === outcome;
