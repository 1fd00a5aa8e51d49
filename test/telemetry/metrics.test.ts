import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';

/** Whatever there is to count, counted once. */
const COUNT: Readonly<Record<Exclude<keyof Metrics, 'text' | 'contentType'>, (metrics: Metrics) => void>> = {
  admission: (metrics) => metrics.admission('mutate', 'Held', 0.004),
  reconcile: (metrics) => metrics.reconcile('rollout', 'done', 0.2),
  watchQueue: (metrics) => metrics.watchQueue('rollout', () => 7),
  budgetMove: (metrics) => metrics.budgetMove('hold'),
  bypass: (metrics) => metrics.bypass(),
  look: (metrics) => metrics.look('seen'),
  watchChecks: (metrics) => metrics.watchChecks(() => [{ namespace: 'shop', verdict: 'Fine' }]),
  policy: (metrics) => metrics.policy('windows', 'denied'),
  approval: (metrics) => metrics.approval(),
  watchRestart: (metrics) => metrics.watchRestart('deployments', 'gone'),
  watchDrift: (metrics) => metrics.watchDrift('deployments', 2),
  release(metrics) {
    metrics.release('shop', 'Completed', 100);
    metrics.release('shop', 'RolledBack', 50);
  },
  step: (metrics) => metrics.step(20),
  approvalWait: (metrics) => metrics.approvalWait(90),
  eventDropped: (metrics) => metrics.eventDropped('rate'),
  spansDropped: (metrics) => metrics.spansDropped('full', 3),
  certificateExpiry: (metrics) => metrics.certificateExpiry('serving', 1_800_000_000_500),
  leader: (metrics) => metrics.leader(true),
};

async function exposition(): Promise<string> {
  const metrics = createMetrics({ version: '1.2.3' });
  for (const count of Object.values(COUNT)) count(metrics);
  return metrics.text();
}

/** `tranche_x{a,b} histogram` for each of ours, by its samples. */
function shapes(text: string): string[] {
  const kinds = new Map([...text.matchAll(/^# TYPE (tranche_\w+) (\w+)$/gm)].map(([, name, kind]) => [name!, kind!]));
  const labels = new Map<string, Set<string>>();
  for (const [, sample = '', set = ''] of text.matchAll(/^(tranche_\w+)(?:\{(.*)\})? /gm)) {
    const name = kinds.has(sample) ? sample : sample.replace(/_(bucket|sum|count)$/, '');
    const known = labels.get(name) ?? new Set();
    for (const [, label] of set.matchAll(/(\w+)="/g)) if (label !== 'le') known.add(label!);
    labels.set(name, known);
  }
  assert.deepEqual(
    [...kinds.keys()].filter((name) => !labels.has(name)),
    [],
    'nothing counts these',
  );
  return [...labels].map(([name, set]) => `${name}{${[...set].sort().join()}} ${kinds.get(name)}`).sort();
}

describe('the metrics', () => {
  it('are those of the table in docs/operations.md, with their labels, and no others', async () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(tranche_\w+)` +\| ([^|]*) \| (.*?) *\|$/gm)];
    const documented = rows.map(([, name, labels = '', meaning = '']) => {
      const set = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label!);
      // Histograms and summaries say so; of the others the name tells.
      const kind = /\b(histogram|summary)\b/.exec(meaning)?.[1] ?? (name!.endsWith('_total') ? 'counter' : 'gauge');
      return `${name}{${set.sort().join()}} ${kind}`;
    });
    assert.deepEqual(documented.toSorted(), shapes(await exposition()));
  });

  it('carry their unit in their name, and nothing but counters ends with _total', async () => {
    for (const shape of shapes(await exposition())) {
      const [, name = '', kind = ''] = /^(\w+)\{.*\} (\w+)$/.exec(shape)!;
      assert.equal(name.endsWith('_total'), kind === 'counter', shape);
      if (kind === 'histogram' || kind === 'summary') assert.match(name, /_seconds$/);
    }
  });

  it('count', async () => {
    const text = await exposition();
    for (const line of [
      'tranche_admission_requests_total{webhook="mutate",verdict="Held"} 1',
      'tranche_admission_duration_seconds_bucket{le="0.005",webhook="mutate"} 1',
      'tranche_reconciles_total{controller="rollout",result="done"} 1',
      'tranche_reconcile_duration_seconds_count{controller="rollout"} 1',
      'tranche_queue_depth{controller="rollout"} 7',
      'tranche_budget_moves_total{move="hold"} 1',
      'tranche_bypasses_total 1',
      'tranche_policy_findings_total{rule="windows",outcome="denied"} 1',
      'tranche_approvals_total 1',
      'tranche_watch_restarts_total{resource="deployments",reason="gone"} 1',
      'tranche_watch_drift_objects_total{resource="deployments"} 2',
      'tranche_releases_total{outcome="Completed"} 1',
      'tranche_release_duration_seconds_sum{outcome="RolledBack"} 50',
      'tranche_step_duration_seconds_bucket{le="30"} 1',
      'tranche_approval_wait_seconds_sum 90',
      'tranche_dora_deployments_total{namespace="shop"} 1',
      'tranche_dora_lead_time_seconds_sum{namespace="shop"} 100',
      'tranche_dora_failures_total{namespace="shop"} 1',
      'tranche_dora_restore_seconds_sum{namespace="shop"} 50',
      'tranche_events_dropped_total{why="rate"} 1',
      'tranche_spans_dropped_total{why="full"} 3',
      'tranche_certificate_expiry_timestamp_seconds{certificate="serving"} 1800000000',
      'tranche_leader 1',
      `tranche_build_info{version="1.2.3",node="${process.version}"} 1`,
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });

  it('tell 500 namespaces apart, and count all further ones as one', async () => {
    const metrics = createMetrics({ version: '1' });
    for (let i = 0; i < 600; i++) metrics.release(`ns-${i}`, 'Completed', 1);
    const lines = (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith('tranche_dora_deployments_total{'));
    assert.equal(lines.length, 501);
    assert.ok(lines.includes('tranche_dora_deployments_total{namespace="(others)"} 100'));
  });

  it('of Node do not include those that wake an idle program 100 times a second', async () => {
    const text = await exposition();
    const lag = [...text.matchAll(/^# TYPE (nodejs_eventloop_\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(lag, ['nodejs_eventloop_lag_seconds', 'nodejs_eventloop_active_seconds_total']);
    assert.match(text, /^nodejs_eventloop_active_seconds_total \d/m);
  });
});
