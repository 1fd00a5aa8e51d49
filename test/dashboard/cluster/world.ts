// Applications in several states of a release, for the demo and the pictures in the documentation.
import type { KubeObject, Rollout } from '../../../src/api/types.ts';
import type { Api } from '../../../src/kube/api.ts';

export interface App {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly steps: readonly object[];
  readonly kind?: 'StatefulSet';
  readonly image: string;
}

const REGISTRY = 'registry.example';
const approved = (...shares: readonly (string | number)[]): object[] => shares.map((replicas) => ({ replicas }));
const timed = (seconds: number, ...shares: readonly string[]): object[] =>
  shares.map((replicas) => ({ replicas, pause: { duration: seconds } }));

export const APPS = {
  web: {
    namespace: 'shop',
    name: 'web',
    replicas: 10,
    steps: approved('10%', '50%', '100%'),
    image: `${REGISTRY}/shop/web:2.3.9`,
  },
  cart: {
    namespace: 'shop',
    name: 'cart',
    replicas: 12,
    steps: timed(8, '25%', '50%', '75%', '100%'),
    image: `${REGISTRY}/shop/cart:1.8.1`,
  },
  ledger: {
    namespace: 'payments',
    name: 'ledger',
    replicas: 8,
    steps: approved(1, '50%', '100%'),
    image: `${REGISTRY}/payments/ledger:5.0.2`,
  },
  indexer: {
    namespace: 'search',
    name: 'indexer',
    replicas: 6,
    steps: approved(2, '100%'),
    image: `${REGISTRY}/search/indexer:0.9.0`,
  },
  queue: {
    namespace: 'mail',
    name: 'queue',
    replicas: 5,
    steps: approved(1, '100%'),
    kind: 'StatefulSet',
    image: `${REGISTRY}/mail/queue:3.1.0`,
  },
  api: {
    namespace: 'mail',
    name: 'api',
    replicas: 4,
    steps: timed(0, '50%', '100%'),
    image: `${REGISTRY}/mail/api:3.0.0`,
  },
} as const satisfies Record<string, App>;

const PLURALS = { Deployment: 'deployments', StatefulSet: 'statefulsets' } as const;
const kindOf = ({ kind }: App): 'Deployment' | 'StatefulSet' => kind ?? 'Deployment';
const workloadsIn = (app: App): string => `/apis/apps/v1/namespaces/${app.namespace}/${PLURALS[kindOf(app)]}`;
const rolloutsIn = ({ namespace }: App): string => `/apis/rollouts.kruise.io/v1beta1/namespaces/${namespace}/rollouts`;

const post = (api: Api, path: string, body: object): Promise<unknown> => api.request({ method: 'POST', path, body });

const templateOf = ({ name }: App, image: string): object => ({
  metadata: { labels: { app: name } },
  spec: { containers: [{ name, image }] },
});

/** Creates the applications, and a policy for `payments`: two people must approve. Resolves when all of them are at rest. */
export async function createWorld(api: Api, apps: readonly App[] = Object.values(APPS)): Promise<void> {
  for (const name of new Set(apps.map(({ namespace }) => namespace)))
    await post(api, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await post(api, '/apis/tranche.dev/v1alpha1/releasepolicies', {
    apiVersion: 'tranche.dev/v1alpha1',
    kind: 'ReleasePolicy',
    metadata: { name: 'two-people' },
    spec: {
      match: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'payments' } } },
      approval: { required: 2 },
    },
  });
  for (const app of apps) {
    const { namespace, name, replicas, steps, image } = app;
    const metadata = { name, namespace };
    const selector = { matchLabels: { app: name } };
    const more = kindOf(app) === 'StatefulSet' ? { serviceName: name, podManagementPolicy: 'Parallel' } : {};
    const spec = { replicas, selector, template: templateOf(app, image), ...more };
    await post(api, workloadsIn(app), { apiVersion: 'apps/v1', kind: kindOf(app), metadata, spec });
    await post(api, rolloutsIn(app), {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata,
      spec: { workloadRef: { apiVersion: 'apps/v1', kind: kindOf(app), name }, strategy: { canary: { steps } } },
    });
  }
  for (const app of apps) await reaches(api, app, ({ status }) => (status?.completedVersions ?? []).length > 0);
}

/** Puts another tag in place. With `broken`, its Pods never start. */
export const release = (api: Api, app: App, tag: string): Promise<unknown> =>
  api.request({
    method: 'PATCH',
    path: `${workloadsIn(app)}/${app.name}`,
    contentType: 'application/strategic-merge-patch+json',
    body: { spec: { template: templateOf(app, app.image.replace(/:[^:]*$/, `:${tag}`)) } },
  });

export const approve = (api: Api, app: App): Promise<unknown> =>
  api.request({
    method: 'PATCH',
    path: `${rolloutsIn(app)}/${app.name}/status`,
    contentType: 'application/merge-patch+json',
    body: { status: { canaryStatus: { currentStepState: 'StepReady' } } },
  });

export const get = async (api: Api, app: App): Promise<Rollout> =>
  (await api.request({ method: 'GET', path: `${rolloutsIn(app)}/${app.name}` })) as Rollout & KubeObject;

export async function reaches(
  api: Api,
  app: App,
  condition: (rollout: Rollout) => boolean,
  seconds = 60,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const rollout = await get(api, app);
    if (condition(rollout)) return;
    if (Date.now() > deadline)
      throw new Error(`${app.name} did not get there within ${seconds} s: ${JSON.stringify(rollout.status)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const waits = (api: Api, app: App, step: number): Promise<void> =>
  reaches(
    api,
    app,
    ({ status }) =>
      status?.canaryStatus?.currentStepIndex === step && status.canaryStatus.currentStepState === 'StepPaused',
  );

export const ends = (api: Api, app: App, outcome: string): Promise<void> =>
  reaches(api, app, ({ status }) => status?.phase === 'Healthy' && status.history?.[0]?.outcome === outcome);
