// `kubectl tranche analyze` and `lint --live` on a real Prometheus: their queries are PromQL, and a past release is judged.
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import type { KubeObject } from '../../src/api/types.ts';
import { formatTime } from '../../src/engine/lib/time.ts';
import { findPrometheus, startPrometheus, type RunningPrometheus } from '../support/prometheus.ts';
import { deployment, pod, replicaSet, rollout } from '../view/support.ts';
import { startFakeCluster, type FakeCluster } from './fake-cluster.ts';
import { runPlugin, type Result } from './support.ts';

const MINUTE = 60_000;
/** Ninety minutes of samples that ended two hours ago, so that Prometheus takes them for its past. */
const NOW = Math.floor((Date.now() - 120 * MINUTE) / MINUTE) * MINUTE;
const FROM = NOW - 90 * MINUTE;
/** When the release began. */
const START = NOW - 30 * MINUTE;
const SCRAPE_MS = 15_000;

/** A counter with a code and a histogram, of 10 requests a second. */
function samples(): string {
  const lines = { requests: [] as string[], buckets: [] as string[], counts: [] as string[] };
  const made = [
    ...['a', 'b', 'c'].map((end) => [`web-v1-${end}`, FROM, 0.01] as const),
    ['web-v2-a', START + MINUTE, 0.3] as const,
  ];
  for (const [name, from, share] of made)
    for (let at = from; at <= NOW; at += SCRAPE_MS) {
      const total = (at - from) / 100;
      const bad = Math.round(total * share);
      const of = `namespace="shop",pod="${name}"`;
      const time = at / 1000;
      lines.requests.push(
        `http_requests_total{${of},code="200"} ${total - bad} ${time}`,
        `http_requests_total{${of},code="500"} ${bad} ${time}`,
      );
      for (const [le, count] of [
        ['0.1', total - bad],
        ['0.5', total - bad],
        ['+Inf', total],
      ] as const)
        lines.buckets.push(`http_request_duration_seconds_bucket{${of},le="${le}"} ${count} ${time}`);
      lines.counts.push(`http_request_duration_seconds_count{${of}} ${total} ${time}`);
    }
  return `# TYPE http_requests_total gauge\n${[...lines.requests, ...lines.buckets, ...lines.counts].join('\n')}\n# EOF\n`;
}

const RATIO = { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total', limit: '5%', timesStable: 2 };
const latency = (seconds: number): object => ({
  name: `slow-${String(seconds).replace('.', '-')}`,
  ratio: { slowerThan: { histogram: 'http_request_duration_seconds', seconds }, limit: '5%' },
});

describe('kubectl tranche on a real Prometheus', function () {
  this.timeout(180_000);
  let server: RunningPrometheus;
  let fake: FakeCluster;

  before(async function () {
    const programs = await findPrometheus();
    if ('missing' in programs) {
      process.stderr.write(`    skipped: ${programs.missing}\n`);
      return this.skip();
    }
    server = await startPrometheus(programs, samples());
    fake = await startFakeCluster();
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [deployment()]);
    fake.objects.set('/apis/apps/v1/namespaces/shop/replicasets', [replicaSet('v1', 3, 1), replicaSet('v2', 1, 2)]);
    fake.objects.set('/api/v1/namespaces/shop/pods', [pod('v1', 'web-v1-a'), pod('v2', 'web-v2-a')]);
    const history = [
      { rolloutID: 'r2', revision: 'v2', startTime: formatTime(START), endTime: formatTime(NOW), outcome: 'Completed' },
      {
        rolloutID: 'r1',
        revision: 'v1',
        startTime: formatTime(FROM - 60 * MINUTE),
        endTime: formatTime(FROM - 30 * MINUTE),
        outcome: 'Completed',
      },
    ];
    const stored = rollout({ phase: 'Healthy', history }, {}, { creationTimestamp: formatTime(FROM) });
    fake.objects.set('/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts', [stored as KubeObject]);
  });
  after(async () => {
    await server?.stop();
    await fake?.close();
  });

  const run = (analysis: readonly object[], command: string, ...args: readonly string[]): Promise<Result> => {
    const steps = [{ replicas: 1, analysis: { seconds: 600 } }, { replicas: '100%' }];
    return runPlugin([command, ...args, '--address', server.url.href], {
      env: { KUBECONFIG: fake.kubeconfig },
      now: NOW,
      stdin: stringify(rollout({}, { strategy: { canary: { analysis, steps } } }, { creationTimestamp: undefined })),
    });
  };

  it('judges releases, and knows about when the first sample was', async () => {
    const { code, out } = await run(
      [{ name: 'errors', ratio: RATIO }, latency(0.5)],
      'analyze',
      '-f',
      '-',
      '--releases',
      '2',
    );
    assert.equal(code, 1, out);
    assert.match(out, /^1 +r2 .*Worse after \d+m?\d*s? +Worse after/m);
    assert.match(out, /^2 +r1 .*Unknown +Unknown/m);
    const [, first] = /no samples before about (\S+Z)/.exec(out)!;
    assert.ok(Math.abs(Date.parse(first!) - FROM) <= 15 * MINUTE, first);
  });

  it('measures false alarms in the time without a release', async () => {
    const { code, out } = await run(
      [{ name: 'errors', ratio: RATIO }],
      'analyze',
      '-f',
      '-',
      '--aa',
      '10',
      '--seed',
      '1',
      '-o',
      'json',
    );
    assert.equal(code, 0, out);
    const [check] = (JSON.parse(out) as { checks: { trials: number; alarms: number }[] }).checks;
    assert.deepEqual([check!.trials, check!.alarms], [10, 0]);
  });

  it('tries selectors, labels, buckets and expressions', async () => {
    const { out } = await run(
      [
        { name: 'errors', ratio: RATIO },
        { name: 'none', ratio: { ...RATIO, bad: 'http_requests_total{code="418"}' } },
        { name: 'missing', ratio: { ...RATIO, total: 'other_total' } },
        latency(0.5),
        latency(0.25),
        { name: 'sum', value: { query: 'count(http_requests_total{pod=~"{{workload}}-.*"})', max: 100 } },
        { name: 'several', value: { query: 'count by (pod) (http_requests_total)', max: 100 } },
      ],
      'lint',
      '--live',
      '-',
    );
    for (const expected of [
      /note: check errors: http_requests_total has values of 2 of 2 Pods now/,
      /note: check errors: http_requests_total\{code=~"5.."\} has values of 4 Pods now/,
      /warning: check none: .* has returned nothing in the last day/,
      /error: check missing: other_total returns nothing in namespace shop now/,
      /note: check slow-0-5: the histogram has a bucket of 0.5 seconds/,
      /error: check slow-0-25: the histogram has no bucket of 0.25 seconds; its buckets are 0.1, 0.5\n/,
      /note: check sum: the query returns 8 now, and must return at most 100/,
      /error: check several: the query returns 4 series/,
    ])
      assert.match(out, expected);
  });

  it('names the Pods of others that a selector finds', async () => {
    const workload = rollout({}, { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' } });
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [deployment('v2', { name: 'api' })]);
    const strategy = { canary: { analysis: [{ name: 'errors', ratio: RATIO }], steps: [{ replicas: 1 }] } };
    const stdin = stringify({ ...workload, spec: { ...workload.spec, strategy } });
    const { out } = await runPlugin(['lint', '--live', '-', '--address', server.url.href], {
      env: { KUBECONFIG: fake.kubeconfig },
      now: NOW,
      stdin,
    });
    assert.match(out, /error: .*not of Pods of api: its label pod names web-v\d-\w, web-/);
  });
});
