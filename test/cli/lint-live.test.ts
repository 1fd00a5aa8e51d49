// `kubectl tranche lint --live`: the checks of Rollouts, tried on a cluster with metrics.
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import type { KubeObject } from '../../src/api/types.ts';
import { deployment, NOW, pod, replicaSet, rollout } from '../view/support.ts';
import { startFakeCluster, type CountedPod, type FakeCluster } from './fake-cluster.ts';
import { goldenExact, runPlugin, type Result } from './support.ts';

const RATIO = { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total', limit: '1%' };
const counted = (name: string, bad = 0.1): CountedPod => ({
  name,
  from: NOW - 3_600_000,
  to: NOW,
  perSecond: 10,
  bad: () => bad,
});
const ROLLOUTS = '/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts';
const METRICS = '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods';
const SOURCES = '/apis/tranche.dev/v1alpha1/metricsources';

describe('kubectl tranche lint --live', () => {
  let fake: FakeCluster;

  beforeEach(async () => {
    fake = await startFakeCluster();
    fake.pods = [counted('web-v2-a'), counted('web-v2-b')];
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [deployment()]);
    fake.objects.set('/apis/apps/v1/namespaces/shop/replicasets', [replicaSet('v2', 2, 2)]);
    fake.objects.set('/api/v1/namespaces/shop/pods', [pod('v2', 'web-v2-a'), pod('v2', 'web-v2-b')]);
    fake.objects.set(SOURCES, [
      {
        metadata: { name: 'main' },
        spec: { prometheus: { service: { namespace: 'monitoring', name: 'prometheus', port: 9090 } } },
      } as unknown as KubeObject,
    ]);
    fake.objects.set(ROLLOUTS, []);
  });
  afterEach(() => fake.close());

  const written = (...analysis: object[]) => {
    const steps = [{ replicas: 1, analysis: { seconds: 60 } }, { replicas: '100%' }];
    return rollout({}, { strategy: { canary: { analysis, steps } } });
  };
  const lint = (analysis: readonly object[], ...args: readonly string[]): Promise<Result> =>
    runPlugin(['lint', '--live', '-', ...args], {
      env: { KUBECONFIG: fake.kubeconfig },
      now: NOW,
      stdin: stringify(written(...analysis)),
    });

  it('says of each query what it returns, with the line of the check', async () => {
    fake.values.set('queue_depth', ['12']);
    const usage = { cpu: '100m', memory: '10Mi' };
    fake.objects.set(
      METRICS,
      ['web-v2-a', 'web-v2-b'].map(
        (name) =>
          ({ metadata: { name, namespace: 'shop' }, containers: [{ name: 'app', usage }] }) as unknown as KubeObject,
      ),
    );
    const result = await lint([
      { name: 'errors', ratio: RATIO },
      {
        name: 'slow',
        ratio: { slowerThan: { histogram: 'http_request_duration_seconds', seconds: 0.5 }, limit: '1%' },
      },
      { name: 'queue', value: { query: 'max(queue_depth)', max: 1000 } },
      { name: 'memory', pods: { resource: 'memory', timesStable: 2 } },
      { name: 'score', source: 'main', value: { web: { path: '/x', jsonPath: '{.score}' }, min: 1 } },
    ]);
    assert.equal(result.code, 0);
    goldenExact('lint-live', ['lint --live -', result]);
  });

  const cases: readonly (readonly [string, object, () => void, RegExp, number])[] = [
    [
      'nothing',
      { ratio: { ...RATIO, total: 'nothing' } },
      () => undefined,
      /error: .*nothing returns nothing in namespace shop now/,
      1,
    ],
    [
      'counters without a label for the Pod',
      { ratio: RATIO },
      () => (fake.podLabel = false),
      /error: .*has no label pod: write podLabel/,
      1,
    ],
    [
      'counters of other workloads',
      { ratio: RATIO },
      () => (fake.pods = [counted('api-v1-x')]),
      /error: .*not of Pods of web: its label pod names api-v1-x/,
      1,
    ],
    [
      'counters of Pods that are gone',
      { ratio: RATIO },
      () => (fake.pods = [counted('web-v1-x')]),
      /warning: .*0 of 2 Pods now: it names web-v1-x, and the Pods are web-v2-a, web-v2-b/,
      0,
    ],
    [
      'no bad request',
      { ratio: RATIO },
      () => (fake.pods = [counted('web-v2-a', 0)]),
      /warning: .*has returned nothing in the last day/,
      0,
    ],
    [
      'a bucket that does not exist',
      { ratio: { slowerThan: { histogram: 'http_request_duration_seconds', seconds: 0.25 }, limit: '1%' } },
      () => undefined,
      /error: .*no bucket of 0.25 seconds; its buckets are 0.1, 0.5, 1\n/,
      1,
    ],
    [
      'several numbers',
      { value: { query: 'queue_depth', max: 1 } },
      () => fake.values.set('queue_depth', ['1', '2']),
      /error: .*returns 2 series/,
      1,
    ],
    [
      'no number',
      { value: { query: 'queue_depth', max: 1 } },
      () => fake.values.set('queue_depth', ['NaN']),
      /warning: .*returns NaN now/,
      0,
    ],
    ['nothing at all', { value: { query: 'other', max: 1 } }, () => undefined, /warning: .*returns nothing now/, 0],
    [
      'a value that is bad now',
      { value: { query: 'queue_depth', max: 1 } },
      () => fake.values.set('queue_depth', ['2']),
      /warning: .*returns 2 now, and must return at most 1/,
      0,
    ],
    [
      'no metrics API',
      { pods: { resource: 'memory', timesStable: 2 } },
      () => undefined,
      /error: .*metrics.k8s.io is not served by this cluster/,
      1,
    ],
    ['no kind', { condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete' } }, () => undefined, /error: /, 1],
    [
      'no MetricSource',
      { source: 'other', ratio: RATIO },
      () => undefined,
      /error: .*no MetricSource other; existing ones: main/,
      1,
    ],
    [
      'no Deployment',
      { ratio: RATIO },
      () => fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', []),
      /error: .*no Deployment web in namespace shop/,
      1,
    ],
    ['a source that fails', { ratio: RATIO }, () => (fake.status = 503), /error: .*the source answered 503/, 1],
  ];
  for (const [what, check, change, expected, code] of cases)
    it(`says what is wrong: ${what}`, async () => {
      change();
      const result = await lint([{ name: 'one', ...check }]);
      assert.match(result.out, expected);
      assert.equal(result.code, code, result.out);
      if (code === 0) assert.equal((await lint([{ name: 'one', ...check }], '--strict')).code, 1);
    });

  it('tries the Rollouts of the namespace if there is no file', async () => {
    fake.objects.set(ROLLOUTS, [written({ name: 'errors', ratio: RATIO }) as KubeObject]);
    const { code, out, err } = await runPlugin(['lint', '--live'], { env: { KUBECONFIG: fake.kubeconfig }, now: NOW });
    assert.equal(code, 0, err);
    assert.match(out, /^rollout\/web: note: check errors: http_requests_total has values of 2 of 2 Pods now$/m);
    assert.match(err, /^1 check tried on the cluster, 0 objects checked: 0 errors, 0 warnings$/m);
  });

  it('tries nothing of a file with errors, and sends nothing without --live', async () => {
    const broken = await lint([{ name: 'errors', ratio: { ...RATIO, total: 'sum(' } }]);
    assert.equal(broken.code, 1);
    const env = { KUBECONFIG: fake.kubeconfig };
    await runPlugin(['lint', '-'], { env, now: NOW, stdin: stringify(written({ name: 'errors', ratio: RATIO })) });
    assert.deepEqual(
      fake.asked.filter((one) => one.includes('query_range')),
      [],
    );
    for (const args of [[], ['--address', 'http://x', '-'], ['--token-file', 'x', '-']])
      assert.equal((await runPlugin(['lint', ...args], { env, stdin: '' })).code, 2, args.join(' '));
  });

  it('lets nothing that an object says reach the terminal', async () => {
    fake.pods = [counted('web\x1b[2J\x07-v1-x')];
    const { out, err } = await lint([{ name: 'errors', ratio: RATIO }]);
    assert.match(out, /error: /);
    assert.doesNotMatch(out + err, /[\x1b\x07]/);
  });
});
