// Runs `kubectl tranche` in this process, against an embedded cluster where one is given, and compares what it prints with golden files.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { identityOf } from '../../src/app/config.ts';
import { runDrain } from '../../src/app/drain.ts';
import { runCli } from '../../src/cli/cli.ts';
import type { Io } from '../../src/cli/io.ts';
import { startCluster, startProgram, until, type TestCluster, type TestProgram } from '../main/cluster.ts';
import { render } from '../charts/render.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/processes.ts';

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Terminal {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly invocation?: string;
  readonly terminal?: boolean;
  /** Ctrl-C. */
  readonly signal?: AbortSignal;
  /** Milliseconds since the epoch; the real time if it does not matter. */
  readonly now?: number;
  /** Hears everything that was printed so far. */
  readonly hear?: (out: string) => void;
  /** Hears everything that was printed to standard error so far. */
  readonly hearErr?: (err: string) => void;
}

export async function runPlugin(args: readonly string[], terminal: Terminal = {}): Promise<Result> {
  let [out, err] = ['', ''];
  const hear = terminal.hear ?? ((): void => undefined);
  const hearErr = terminal.hearErr ?? ((): void => undefined);
  const io: Io = {
    out: (text) => hear((out += text)),
    data: (text) => hear((out += text)),
    err: (text) => hearErr((err += text)),
    env: terminal.env ?? {},
    invocation: terminal.invocation ?? 'kubectl tranche',
    terminal: terminal.terminal === true,
    columns: 120,
    rows: 60,
    now: () => terminal.now ?? Date.now(),
    stdin: async () => terminal.stdin ?? '',
    signal: terminal.signal ?? new AbortController().signal,
    async drain({ logger, version, ...job }) {
      const config = { ...job, gatewayApi: true, identity: identityOf('drain', {}) };
      return runDrain({ config, version, logger, signal: io.signal });
    },
  };
  const code = await runCli(args, io);
  return { code, out, err };
}

const FOLDER = fileURLToPath(new URL('golden', import.meta.url));

type Runs = readonly [asked: string, result: Result][];

/** What was asked, what it said, how it ended; names and times that differ each time made the same. UPDATE_GOLDEN=1 writes the file instead. */
export const golden = (name: string, ...runs: Runs): void => compare(name, runs, normalize);

/** The same to the letter. */
export const goldenExact = (name: string, ...runs: Runs): void => compare(name, runs, (text) => text);

function compare(name: string, runs: Runs, clean: (text: string) => string): void {
  const text = runs
    .map(
      ([asked, { code, out, err }]) =>
        `$ kubectl tranche ${asked}\n${out}${err === '' ? '' : `[stderr]\n${err}`}[exit code ${code}]\n`,
    )
    .join('\n');
  const file = `${FOLDER}/${name}.txt`;
  const actual = clean(text);
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  assert.equal(actual, readFileSync(file, 'utf8'));
}

/** Names that chance gives, times, and what the width of both does to tables. */
function normalize(text: string): string {
  const seen = new Map<string, string>();
  const named = (kind: string) => (found: string) => {
    if (!seen.has(found)) seen.set(found, `${kind}${seen.size + 1}`);
    return seen.get(found)!;
  };
  return text
    .replace(/\b(web|api)-([bcdf-hj-np-tv-z2456789]{6,10})-[bcdf-hj-np-tv-z2456789]{5}\b/g, '$1-HASH-POD')
    .replace(/(?<=\b(?:web|api)-|\(|  )(?=[a-z]*\d)[bcdf-hj-np-tv-z2456789]{8,10}\b/g, named('HASH'))
    .replace(/\b[0-9a-f]{16}\b/g, named('RELEASE'))
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replace(/^\d\d:\d\d:\d\d(?= )/gm, 'CLOCK')
    .replace(/\b\d+[smhd](?:\d+[smh])?\b(?= ago|$|   )/gm, 'AGE')
    .replace(/(since|began|duration:|another|expires in) \d+[smhd](?:\d+[smhd])?\b/g, '$1 AGE')
    .replace(/\b[\w-]+_[0-9a-f]{8}\b/g, 'IDENTITY')
    .replace(/127\.0\.0\.1:\d+/g, 'HOST')
    .replace(/\bErrImagePull\b/g, 'ImagePullBackOff')
    .replace(/(?<=[^\s│├└─]) {3,}/g, '   ');
}

export interface Playground {
  readonly cluster: TestCluster;
  readonly program: TestProgram;
  /** With the kubeconfig of the cluster. */
  tranche(...args: readonly string[]): Promise<Result>;
  /** A kubeconfig of somebody who may read everything in this namespace that a release is made of, and change nothing. */
  viewer(namespace: string): Promise<string>;
  /** A kubeconfig of somebody with the chart's ClusterRole tranche-approver in this namespace, and no other right. */
  approver(namespace: string): Promise<string>;
  /** A kubeconfig of somebody with Kubernetes' ClusterRole edit in this namespace, and no other right. */
  editor(namespace: string): Promise<string>;
  stop(): Promise<void>;
}

/** The chart's roles for people. */
const USER_ROLES = new Set(['tranche-view', 'tranche-edit', 'tranche-approver']);

/** An embedded cluster with the chart on it and the operator at work. `flags`: further flags of the program. */
export async function startPlayground(...flags: readonly string[]): Promise<Playground> {
  const url = `https://127.0.0.1:${await freePort()}`;
  const cluster = await startCluster(url);
  for (const body of await render())
    if (body.kind === 'ClusterRole' && USER_ROLES.has(body.metadata.name))
      await cluster.api.request({ method: 'POST', path: '/apis/rbac.authorization.k8s.io/v1/clusterroles', body });
  const program = startProgram(cluster.kubeconfig, '--webhook-url', url, ...flags);
  await program.ready();
  return {
    cluster,
    program,
    tranche: (...args) => runPlugin(args, { env: { KUBECONFIG: cluster.kubeconfig } }),
    viewer: (namespace) => makeViewer(cluster, namespace),
    approver: (namespace) =>
      makeUser(cluster, namespace, 'approver', { kind: 'ClusterRole', name: 'tranche-approver' }),
    editor: (namespace) => makeUser(cluster, namespace, 'editor', { kind: 'ClusterRole', name: 'edit' }),
    async stop() {
      await program.stop();
      await cluster.close();
    },
  };
}

async function makeViewer(cluster: TestCluster, namespace: string): Promise<string> {
  const rules = [
    {
      apiGroups: ['*'],
      resources: ['rollouts', 'deployments', 'replicasets', 'pods'],
      verbs: ['get', 'list', 'watch'],
    },
  ];
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'viewer', namespace },
    rules,
  };
  await cluster.api.request({ method: 'POST', path: `${RBAC(namespace)}/roles`, body: role });
  return makeUser(cluster, namespace, 'viewer', { kind: 'Role', name: 'viewer' });
}

const RBAC = (namespace: string): string => `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;

/** A kubeconfig of a ServiceAccount with this role and no other. */
export async function makeUser(
  { api, sandbox }: Pick<TestCluster, 'api' | 'sandbox'>,
  namespace: string,
  name: string,
  role: { readonly kind: 'Role' | 'ClusterRole'; readonly name: string },
): Promise<string> {
  const metadata = { name, namespace };
  const post = (path: string, body: object): Promise<unknown> => api.request({ method: 'POST', path, body });
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await post(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  await post(`${RBAC(namespace)}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...role },
    subjects: [{ kind: 'ServiceAccount', ...metadata }],
  });
  const { status } = (await post(`${accounts}/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  })) as { status: { token: string } };
  const config = parse(sandbox.kubeconfig) as Record<string, unknown>;
  const file = path.join(temporaryFolder(name), 'kubeconfig');
  await writeFile(file, stringify({ ...config, users: [{ name: 'admin', user: { token: status.token } }] }), {
    mode: 0o600,
  });
  return file;
}

export const rolloutPath = (namespace: string, name = 'web'): string =>
  `/apis/rollouts.kruise.io/v1beta1/namespaces/${namespace}/rollouts/${name}`;
export const deploymentPath = (namespace: string, name = 'web'): string =>
  `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;

export const deployment = (namespace: string, image: string, replicas = 4): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
  },
});

export const rollout = (
  namespace: string,
  steps: readonly object[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }],
  canary: object = {},
): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'web', namespace },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { ...canary, steps } },
  },
});

export const POLICIES = '/apis/tranche.dev/v1alpha1/releasepolicies';

/** Flags to act as another user, who may do everything but is in this group. */
export const as = (user: string, group = 'release-managers'): string[] => [
  ...['--as', user, '--as-group', group, '--as-group', 'system:masters'],
];

/** A namespace with a Deployment `web` that runs v1 and a Rollout that knows it. */
export class Stage {
  readonly namespace: string;
  private readonly playground: Playground;

  private constructor(playground: Playground, namespace: string) {
    this.playground = playground;
    this.namespace = namespace;
  }

  static async open(
    playground: Playground,
    namespace: string,
    made: { rollout?: object; replicas?: number } = {},
  ): Promise<Stage> {
    const stage = new Stage(playground, namespace);
    await stage.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await stage.post(
      `/apis/apps/v1/namespaces/${namespace}/deployments`,
      deployment(namespace, 'web:v1', made.replicas),
    );
    await stage.post(
      `/apis/rollouts.kruise.io/v1beta1/namespaces/${namespace}/rollouts`,
      made.rollout ?? rollout(namespace),
    );
    await stage.reaches(({ status }) => status?.phase === 'Healthy');
    return stage;
  }

  post(path: string, body: object): Promise<unknown> {
    return this.playground.cluster.api.request({ method: 'POST', path, body });
  }

  async rollout(): Promise<Rollout> {
    return (await this.playground.cluster.api.request({ method: 'GET', path: rolloutPath(this.namespace) })) as Rollout;
  }

  async deployment(): Promise<Deployment> {
    return (await this.playground.cluster.api.request({
      method: 'GET',
      path: deploymentPath(this.namespace),
    })) as Deployment;
  }

  /** Which image the Deployment has. */
  async image(): Promise<unknown> {
    const { containers } = (await this.deployment()).spec.template.spec as { containers: { image: string }[] };
    return containers[0]?.image;
  }

  patch(path: string, body: object): Promise<unknown> {
    return this.playground.cluster.api.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body,
    });
  }

  /** Puts another image in place; with the tag `broken` its Pods never start. */
  async release(image: string): Promise<void> {
    const template = { spec: { containers: [{ name: 'app', image }] } };
    await this.patch(deploymentPath(this.namespace), { spec: { template } });
  }

  /** A policy for this namespace: two release managers must approve, and not the author. */
  async needsTwo(name: string): Promise<void> {
    await this.post(POLICIES, {
      apiVersion: 'tranche.dev/v1alpha1',
      kind: 'ReleasePolicy',
      metadata: { name },
      spec: {
        match: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': this.namespace } } },
        approval: { required: 2, groups: ['release-managers'], notAuthor: true },
      },
    });
  }

  /** Waits until the first version counts as completed: all its Pods are available. */
  whole(): Promise<void> {
    return this.reaches(({ status }) => (status?.completedVersions ?? []).length > 0);
  }

  async reaches(condition: (rollout: Rollout) => boolean, seconds = 20): Promise<void> {
    let last: Rollout | undefined;
    await until(
      async () => condition((last = await this.rollout())),
      () => JSON.stringify(last?.status),
      seconds,
    );
  }

  waits(step: number): Promise<void> {
    return this.reaches(
      ({ status }) =>
        status?.phase === 'Progressing' &&
        status.canaryStatus?.currentStepIndex === step &&
        status.canaryStatus.currentStepState === 'StepPaused',
    );
  }

  ends(outcome: string): Promise<void> {
    return this.reaches(({ status }) => status?.phase === 'Healthy' && status.history?.[0]?.outcome === outcome);
  }

  tranche(...args: readonly string[]): Promise<Result> {
    return this.playground.tranche(...args, '-n', this.namespace);
  }
}
