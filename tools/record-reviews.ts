// Records the admission reviews that the embedded cluster sends when kubectl and Helm change Deployments, as test data for the webhook:
// `node tools/record-reviews.ts [FOLDER]` (default test/admission/fixtures).
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import type { ReviewRequest } from '@tranche/sandbox/admission';
import { endAll, run, temporaryFolder } from '../test/support/processes.ts';
import { findTool } from '../test/support/tools.ts';

const folder = process.argv[2] ?? fileURLToPath(new URL('../test/admission/fixtures', import.meta.url));
const SETTLED_MS = 700;

const deployment = (version: number, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'workload-demo', namespace: 'default' },
    spec: {
      replicas: 10,
      selector: { matchLabels: { app: 'demo' } },
      template: {
        metadata: { labels: { app: 'demo' } },
        spec: {
          containers: [
            {
              name: 'busybox',
              image: 'busybox:latest',
              command: ['/bin/sh', '-c', 'sleep 100d'],
              env: [{ name: 'VERSION', value: `version-${version}` }],
            },
          ],
        },
      },
      ...more,
    },
  });

const chartOf = (home: string): string => {
  const chart = path.join(home, 'chart');
  mkdirSync(path.join(chart, 'templates'), { recursive: true });
  writeFileSync(path.join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: demo\nversion: 0.1.0\n');
  writeFileSync(path.join(chart, 'values.yaml'), 'version: version-1\n');
  const manifest = deployment(0)
    .replace('version-0', '{{ .Values.version }}')
    .replace('"workload-demo","namespace":"default"', '"helm-demo"')
    .replaceAll('"app":"demo"', '"app":"helm-demo"');
  writeFileSync(path.join(chart, 'templates', 'deployment.yaml'), manifest);
  return chart;
};

/** A change: its name, the program, its arguments and its standard input. */
interface Action {
  name: string;
  client: string;
  tool: 'kubectl' | 'helm';
  args: string[];
  input?: string | undefined;
}

const kubectl = (name: string, client: string, args: string[], input?: string): Action => ({
  name,
  client,
  tool: 'kubectl',
  args,
  input,
});
const helm = (name: string, client: string, args: string[]): Action => ({ name, client, tool: 'helm', args });

const DEMO = 'deployment/workload-demo';
const patch = (type: string, body: unknown): string[] => ['patch', DEMO, '--type', type, '-p', JSON.stringify(body)];
const variable = (value: string): object => ({
  spec: { template: { spec: { containers: [{ name: 'busybox', env: [{ name: 'VERSION', value }] }] } } },
});

const actions = (chart: string): Action[] => [
  kubectl('01-kubectl-create', 'kubectl create (apply first time)', ['apply', '-f', '-'], deployment(1)),
  kubectl('02-kubectl-patch-strategic-env', 'kubectl patch strategic env', patch('strategic', variable('version-2'))),
  kubectl('03-kubectl-apply-changed', 'kubectl apply changed', ['apply', '-f', '-'], deployment(3)),
  kubectl('04-kubectl-set-image', 'kubectl set image', ['set', 'image', DEMO, 'busybox=busybox:1.36']),
  kubectl('05-kubectl-rollout-restart', 'kubectl rollout restart', ['rollout', 'restart', DEMO]),
  kubectl('06-kubectl-rollout-undo', 'kubectl rollout undo', ['rollout', 'undo', DEMO]),
  kubectl('07-kubectl-rollout-pause', 'kubectl rollout pause', ['rollout', 'pause', DEMO]),
  kubectl('08-kubectl-rollout-resume', 'kubectl rollout resume', ['rollout', 'resume', DEMO]),
  kubectl('09-kubectl-scale', 'kubectl scale (scale subresource)', ['scale', DEMO, '--replicas', '12']),
  kubectl('10-kubectl-label', 'kubectl label', ['label', DEMO, 'team=a']),
  kubectl('11-kubectl-annotate', 'kubectl annotate', ['annotate', DEMO, 'note=b']),
  kubectl(
    '12-kubectl-apply-server-side-changed',
    'kubectl apply --server-side changed',
    ['apply', '--server-side', '--force-conflicts', '-f', '-'],
    deployment(4),
  ),
  kubectl(
    '13-kubectl-apply-server-side-dry-run',
    'kubectl apply --server-side dry-run',
    ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'],
    deployment(5),
  ),
  kubectl('14-kubectl-replace', 'kubectl replace', ['replace', '-f', '-'], deployment(6)),
  kubectl('15-kubectl-set-env', 'kubectl set env', ['set', 'env', DEMO, 'FOO=bar']),
  kubectl('16-kubectl-set-resources', 'kubectl set resources', [
    'set',
    'resources',
    DEMO,
    '--limits=cpu=200m,memory=128Mi',
  ]),
  kubectl('17-kubectl-edit', 'kubectl edit (EDITOR=sed)', ['edit', DEMO]),
  kubectl(
    '18-kubectl-patch-json',
    'kubectl patch json',
    patch('json', [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'busybox:1.37' }]),
  ),
  kubectl(
    '19-kubectl-patch-merge',
    'kubectl patch merge',
    patch('merge', { spec: { template: { metadata: { annotations: { x: 'y' } } } } }),
  ),
  kubectl(
    '20-impersonated-user-apply',
    'impersonated user apply',
    ['apply', '-f', '-', '--as', 'alice', '--as-group', 'system:masters', '--as-group', 'dev'],
    deployment(8),
  ),
  kubectl('21-kubectl-delete', 'kubectl delete', ['delete', DEMO]),
  helm('22-helm-install', 'helm install', ['install', 'demo', chart]),
  helm('23-helm-upgrade', 'helm upgrade', ['upgrade', 'demo', chart, '--set', 'version=version-2']),
  helm('24-helm-upgrade-client-side', 'helm upgrade client-side', [
    ...['upgrade', 'demo', chart, '--set', 'version=version-3'],
    ...['--server-side=false'],
  ]),
  helm('25-helm-rollback', 'helm rollback', ['rollback', 'demo', '1', '--server-side=true', '--force-conflicts']),
  helm('26-helm-uninstall', 'helm uninstall', ['uninstall', 'demo']),
];

const seen: ReviewRequest[] = [];

const start = (): Promise<Sandbox> =>
  startSandbox({
    readyMs: 20,
    inProcess: [
      {
        name: 'recorder.tranche.dev',
        phase: 'mutate',
        concerns: ({ group, resource, subresource, user }) =>
          group === 'apps' &&
          resource === 'deployments' &&
          subresource !== 'status' &&
          !user.username.startsWith('system:'),
        review(request) {
          seen.push(structuredClone(request));
          return { allowed: true };
        },
      },
    ],
  });

/** Resolves when nothing in the namespace has changed for a while. */
const settle = async ({ cluster }: Sandbox): Promise<void> => {
  for (let revision = -1, since = Date.now(); Date.now() - since < SETTLED_MS;) {
    if (cluster.store.revision !== revision) {
      revision = cluster.store.revision;
      since = Date.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const main = async (): Promise<void> => {
  const home = temporaryFolder('reviews');
  const kubeconfig = path.join(home, 'kubeconfig');
  const tools = { kubectl: await findTool('kubectl'), helm: await findTool('helm') };
  const sandbox = await start();
  writeFileSync(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    HOME: home,
    EDITOR: "sed -i 's/value: version-6/value: version-7/'",
  };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    for (const { name, client, tool, args, input } of actions(chartOf(home))) {
      seen.length = 0;
      const { code, stderr } = await run(tools[tool], args, { env, input });
      if (code !== 0) throw new Error(`${client}: ${tool} ${args.join(' ')} ended with ${code}: ${stderr}`);
      if (seen.length === 0) throw new Error(`${client}: no review was sent`);
      const reviews = seen.map((request) => ({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request }));
      writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify({ client, reviews }, null, 1)}\n`);
      console.log(`${name}: ${seen.length}`);
      await settle(sandbox);
    }
  } finally {
    await sandbox.close();
    await endAll();
  }
};

await main();
