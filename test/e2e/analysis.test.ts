// Releases that look at their own numbers, on a cluster with its own controllers: a good version, bad ones, a source that is down, a killed program.
import assert from 'node:assert/strict';
import { PODS, ROLLOUTS } from '../../src/api/resources.ts';
import type { Deployment, Pod, Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { CountingSource } from '../support/counting-source.ts';
import { RELEASE_NAMESPACE } from './harness/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

const FAST = { intervalSeconds: 5, warmUpSeconds: 0 };
const errorsOf = (source: string): object => ({
  name: 'errors',
  source,
  ...FAST,
  ratio: { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total', limit: '2%', timesStable: 2 },
});
/** The Deployment itself has the id of the release, and a condition. */
const available = {
  name: 'available',
  ...FAST,
  condition: { apiVersion: 'apps/v1', kind: 'Deployment', ok: 'Available' },
};

describe('A release with checks', function () {
  this.timeout(300_000);
  let namespace: string;
  let source: CountingSource;
  let name: string;
  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    theCluster().client.kubectl([...args, ...(args[0] === 'apply' ? [] : ['-n', namespace])], { input });
  const get = <T>(what: string): Promise<T> =>
    theCluster().client.json<T>(['get', ...what.split(' '), '-n', namespace]);
  const rollout = (): Promise<Rollout> => theCluster().client.get<Rollout>(ROLLOUTS, namespace, 'web');

  const deployment = (): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'nginx:1', env: [{ name: 'BAD', value: '0' }] }] },
      },
    },
  });
  const manifest = (canary: object): object => ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: { canary } },
  });
  const steps = [{ replicas: 1, analysis: { seconds: 15 } }, { replicas: '100%' }];
  const apply = (object: object): Promise<string> => kubectl(['apply', '-f', '-'], JSON.stringify(object));
  /** A version that fails so many per cent of its requests. */
  const release = (bad: number, version = bad): Promise<string> =>
    kubectl(['set', 'env', 'deployment/web', `BAD=${bad}`, `VERSION=${version}`]);

  async function reached(what: string, is: (rollout: Rollout) => boolean, seconds = 120): Promise<Rollout> {
    let last: Rollout | undefined;
    await until(
      async () => is((last = await rollout())),
      () => `${what}: ${JSON.stringify(last?.status)}`,
      seconds,
    );
    return last!;
  }
  async function begin(canary: object): Promise<void> {
    await apply(deployment());
    await apply(manifest({ steps, analysis: [errorsOf(name), available], ...canary }));
    await reached('Healthy', ({ status }) => status?.phase === 'Healthy');
    await until(
      async () => (await get<Deployment>('deployment web')).status?.availableReplicas === 4,
      () => 'the Pods are not available',
      60,
    );
  }
  const outcome = ({ status }: Rollout): string | undefined => status?.history?.[0]?.outcome;
  const verdicts = ({ status }: Rollout): unknown => status?.history?.[0]?.analysis;

  before(async () => {
    namespace = await makeNamespace('analysis');
    name = namespace;
    const badOf = (pod: Pod): number => {
      const [container] = (pod.spec as { containers: { env?: { name: string; value?: string }[] }[] }).containers;
      return Number(container?.env?.find((one) => one.name === 'BAD')?.value ?? 0) / 100;
    };
    const list = (): Promise<{ items: Pod[] }> => theCluster().client.get(PODS, namespace);
    source = await CountingSource.start(async () => (await list()).items, badOf);
    await apply({
      apiVersion: 'tranche.dev/v1alpha1',
      kind: 'MetricSource',
      metadata: { name },
      spec: {
        prometheus: { url: source.url },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      },
    });
  });
  after(async () => {
    await theCluster().client.kubectl(['delete', 'metricsources.tranche.dev', name]);
    await source.stop();
  });
  afterEach(async () => {
    await source.down();
    await source.listen();
    await kubectl(['delete', 'rollouts.rollouts.kruise.io,deployments.apps', '--all']);
  });

  it('a good version goes through by itself, and nothing is asked before and after', async () => {
    await begin({});
    assert.equal(source.asked, 0);
    await release(0, 2);
    const done = await reached('it is completed', (one) => outcome(one) === 'Completed');
    assert.notEqual((verdicts(done) as { errors: string }).errors, 'Worse');
    assert.equal((verdicts(done) as { available: string }).available, 'Fine');
    const { asked } = source;
    assert.ok(asked >= 4, `${asked} requests`);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    assert.equal(source.asked, asked);
  });

  it('a bad version is stopped at its first step and rolled back by itself', async () => {
    await begin({ onFailure: 'Rollback' });
    await release(30);
    const done = await reached('it has ended', (one) => outcome(one) !== undefined);
    assert.equal(outcome(done), 'Failed');
    assert.equal((verdicts(done) as { errors: string }).errors, 'Worse');
    assert.deepEqual(
      done.status?.history?.[0]?.steps?.map(({ step }) => step),
      [1],
    );
    const env = (await get<Deployment>('deployment web')).spec.template.spec?.['containers'] as { env: object[] }[];
    assert.deepEqual(env[0]?.env[0], { name: 'BAD', value: '0' });
  });

  it('is held otherwise, survives a killed program, and goes on when a person says so', async () => {
    await begin({});
    await release(40);
    const isStopped = ({ status }: Rollout): boolean =>
      status?.conditions?.some(
        ({ type, reason, status: is }) => type === 'Stalled' && is === 'True' && reason === 'AnalysisFailed',
      ) === true;
    const stopped = await reached('it is stopped', isStopped);
    assert.match(
      stopped.status?.message ?? '',
      /^step 1\/2 stopped: check errors shows that the new version is worse \(new version: \d+ of \d+ requests bad/,
    );
    await theCluster().killProgram();
    await theCluster().client.kubectl(['delete', 'lease', 'tranche', '-n', RELEASE_NAMESPACE]);
    await theCluster().startProgram();
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const still = await rollout();
    assert.ok(isStopped(still), JSON.stringify(still.status));
    assert.equal(still.status?.canaryStatus?.canaryReplicas, 1);
    await kubectl([
      ...['patch', 'rollouts.rollouts.kruise.io/web', '--subresource=status', '--type=merge', '-p'],
      '{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}',
    ]);
    const done = await reached('it is completed', (one) => outcome(one) === 'Completed');
    assert.equal((verdicts(done) as { errors: string }).errors, 'Worse');
    const events = await kubectl(['get', 'events', '-o', 'jsonpath={.items[*].reason}']);
    assert.match(events, /AnalysisOverridden/);
  });

  it('waits while its source is down, says so, and ends as if nothing had been', async () => {
    await begin({});
    await release(0, 3);
    await reached('it is watched', ({ status }) => status?.currentStepState === 'StepMetricsAnalysis');
    await source.down();
    const waiting = await reached('it says so', ({ status }) =>
      /connection refused, since/.test(status?.message ?? ''),
    );
    assert.equal(waiting.status?.canaryStatus?.analysis?.[0]?.verdict, 'Unknown');
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    assert.equal((await rollout()).status?.canaryStatus?.currentStepIndex, 1, 'its time is over, and it still waits');
    await source.listen();
    await reached('it is completed', (one) => outcome(one) === 'Completed');
  });

  it('a check that cannot be judged is refused, with the field and the position', async () => {
    const bad = { ...errorsOf(name), ratio: { bad: 'rate(http_requests_total[1m])', total: 'a{b=', limit: '1%' } };
    const refused = await apply(manifest({ steps, analysis: [bad] })).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.match(refused, /spec\.strategy\.canary\.analysis\[0\]\.ratio\.bad: Invalid value: .*must be one selector/);
    assert.match(refused, /spec\.strategy\.canary\.analysis\[0\]\.ratio\.total: .*at character \d+/);
  });
});
