// Whole releases with real processes, a collector beside them, and everything that they log.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { TRACEPARENT } from '../../src/api/keys.ts';
import { start, type Service } from '../support/processes.ts';
import { startCollector, type Collector, type SentSpan } from './collector.ts';
import { NAMESPACE, startCluster, until, type TestCluster } from './cluster.ts';
import { Workload } from './workload.ts';

const REPLICA = fileURLToPath(new URL('replica.ts', import.meta.url));
const STEPS = [{ replicas: 1 }, { replicas: 2 }, { replicas: '100%' }];
const PARENT = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) };
/** In a header for the collector, in the environment of a container, in an annotation: none of them belongs into a log. */
const SECRETS = ['s3cret-header', 's3cret-variable', 's3cret-annotation'] as const;

interface Replica extends Service {
  readonly port: number;
  readonly metricsPort: number;
}

describe('the program with OpenTelemetry', () => {
  let cluster: TestCluster;
  let collector: Collector;
  let replica: Replica;
  const outputs: (() => string)[] = [];

  before(async () => {
    collector = await startCollector();
    cluster = await startCluster(undefined, { resolveService: () => ({ host: '127.0.0.1', port: replica.port }) });
    replica = await startReplica(collector.url);
  });
  after(async () => {
    await replica.stop();
    await cluster.close();
    await collector.close();
  });

  const startReplica = async (endpoint: string): Promise<Replica> => {
    const flags = ['--namespace', NAMESPACE, '--leader-elect', 'false', '--log-level', 'debug'];
    const service = await start('a replica', process.execPath, [REPLICA, cluster.kubeconfig, ...flags], {
      env: {
        PATH: process.env.PATH,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRETS[0]}`,
        OTEL_RESOURCE_ATTRIBUTES: 'k8s.cluster.name=here',
      },
      ready: (output) => output.includes('"message":"ready"'),
    });
    outputs.push(service.output);
    const [, port, metricsPort] = /"webhookPort":(\d+),"metricsPort":(\d+)/.exec(service.output())!;
    return { ...service, port: Number(port), metricsPort: Number(metricsPort) };
  };

  const spansOf = ({ name }: Workload): SentSpan[] =>
    collector.spans.filter(({ attributes }) => attributes['k8s.deployment.name'] === name);
  const rootOf = async (workload: Workload): Promise<SentSpan> => {
    const found = (): SentSpan | undefined => spansOf(workload).find(({ name }) => name === 'release');
    await until(
      () => found() !== undefined,
      () => `no release among ${spansOf(workload).map(({ name }) => name)}`,
      30,
    );
    return found()!;
  };
  const healthy = (workload: Workload): Promise<void> =>
    workload.until(
      'completed',
      async () => (await workload.rollout()).status?.history?.[0]?.outcome === 'Completed',
      60,
    );

  it('tells a release as one trace, though it is killed in the middle', async () => {
    const workload = new Workload(cluster.api, 'traced');
    await workload.create(4, STEPS);
    await workload.release('v2');
    await workload.untilPaused(1);
    await until(
      () => spansOf(workload).length === 2,
      () => JSON.stringify(spansOf(workload)),
    );
    replica.kill('SIGKILL');
    replica = await startReplica(collector.url);
    await workload.approve();
    await workload.untilPaused(2);
    await workload.approve();
    await healthy(workload);
    const root = await rootOf(workload);
    const spans = spansOf(workload);
    assert.deepEqual(
      spans.map(({ name }) => name),
      [
        'admission',
        'step 1/3: upgrade',
        'step 1/3: wait for approval',
        'step 2/3: upgrade',
        'step 2/3: wait for approval',
        'step 3/3: upgrade',
        'give back',
        'release',
      ],
    );
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
    for (const span of spans) assert.equal(span.parentSpanId, span === root ? undefined : root.spanId, span.name);
    assert.equal(root.attributes['tranche.outcome'], 'Completed');
    assert.equal(root.resource['service.name'], 'tranche');
    assert.equal(root.resource['k8s.cluster.name'], 'here');
    assert.notEqual(spans[0]!.resource['service.instance.id'], root.resource['service.instance.id'], 'two processes');
    assert.ok(collector.headers.every((headers) => headers['x-key'] === SECRETS[0]));
  });

  it('makes it a part of the pipeline’s trace', async () => {
    const workload = new Workload(cluster.api, 'pipeline');
    await workload.create(2, [{ replicas: '100%' }]);
    const traceparent = `00-${PARENT.traceId}-${PARENT.spanId}-01`;
    await workload.patch({
      metadata: { annotations: { [TRACEPARENT]: traceparent, note: SECRETS[2] } },
      spec: {
        template: {
          spec: { containers: [{ name: 'app', image: 'app:v2', env: [{ name: 'KEY', value: SECRETS[1] }] }] },
        },
      },
    });
    await healthy(workload);
    const { traceId, parentSpanId } = await rootOf(workload);
    assert.deepEqual({ traceId, spanId: parentSpanId }, PARENT);
  });

  it('releases all the same where no collector answers, and counts what is dropped', async () => {
    replica.kill('SIGKILL');
    const gone = await startCollector();
    await gone.close();
    replica = await startReplica(gone.url);
    const workload = new Workload(cluster.api, 'unheard');
    await workload.create(2, [{ replicas: '100%' }]);
    await workload.release('v2');
    await healthy(workload);
    let metrics = '';
    await until(
      async () => {
        metrics = await (await fetch(`http://127.0.0.1:${replica.metricsPort}/metrics`)).text();
        return /^tranche_spans_dropped_total\{why="failed"\} [1-9]/m.test(metrics);
      },
      () => metrics,
      60,
    );
    assert.match(replica.output(), /"level":"warn","message":"cannot send traces/);
    assert.doesNotMatch(replica.output(), /"level":"error"/);
    replica.kill('SIGKILL');
    replica = await startReplica(collector.url);
  });

  it('logs one JSON line an event, each about a request with its id, and nothing of what is secret', () => {
    const text = outputs.map((output) => output()).join('');
    for (const secret of SECRETS) assert.ok(!text.includes(secret), secret);
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.ok(lines.length > 50);
    for (const line of lines) {
      assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT/);
      assert.match(String(line['level']), /^(error|warn|info|debug)$/);
      if (line['message'] === 'admission') assert.match(String(line['request']), /^[0-9a-f-]{36}$/);
      if (line['message'] === 'release' || line['message'] === 'written')
        assert.match(String(line['key']), /^default\//);
      assert.ok(!('spec' in line) && !('metadata' in line) && !JSON.stringify(line).includes('"containers"'));
    }
    assert.ok(lines.some((line) => line['message'] === 'admission' && line['verdict'] === 'Held'));
  });
});
