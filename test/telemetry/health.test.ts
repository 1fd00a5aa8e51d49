import assert from 'node:assert/strict';
import { createHealthServer } from '../../src/telemetry/health.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

async function get(
  port: number,
  path: string,
  method = 'GET',
): Promise<{ code: number; body: string; type: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { code: response.status, body: await response.text(), type: response.headers.get('content-type') };
}

describe('the health port', () => {
  it('is alive at once, and ready when nothing is missing; until then it says what is', async () => {
    const problems: Record<string, string | undefined> = { certificates: 'not issued yet', webhooks: undefined };
    const checks = { certificates: () => problems['certificates'], webhooks: () => problems['webhooks'] };
    const server = createHealthServer({ checks, metrics: createMetrics({ version: '1.2.3' }) });
    const port = await server.listen(0, '127.0.0.1');
    try {
      assert.equal((await get(port, '/healthz')).code, 200);
      const before = await get(port, '/readyz');
      assert.deepEqual([before.code, before.body], [503, 'not ready\n- certificates: not issued yet\n']);
      problems['certificates'] = undefined;
      assert.deepEqual(await get(port, '/readyz?verbose'), {
        code: 200,
        body: 'ok\n',
        type: 'text/plain; charset=utf-8',
      });
      assert.equal((await get(port, '/')).code, 404);
      assert.equal((await get(port, '/healthz', 'POST')).code, 405);
    } finally {
      await server.close();
    }
  });

  it('shows the metrics', async () => {
    const metrics = createMetrics({ version: '1.2.3' });
    const server = createHealthServer({ checks: {}, metrics });
    const port = await server.listen(0, '127.0.0.1');
    try {
      metrics.admission('mutate', 'held', 0.004);
      metrics.reconcile('release', 'done', 0.2);
      metrics.watchQueue('release', () => 7);
      metrics.budgetMove('hold');
      metrics.bypass();
      metrics.policy('windows', 'denied');
      metrics.approval();
      metrics.watchRestart('deployments', 'gone');
      metrics.watchDrift('deployments', 2);
      metrics.eventDropped('rate');
      metrics.certificateExpiry('serving', 1_800_000_000_500);
      metrics.leader(true);
      const { body, type } = await get(port, '/metrics');
      assert.match(type!, /^text\/plain; version=0\.0\.4/);
      for (const line of [
        'tranche_admission_requests_total{webhook="mutate",verdict="held"} 1',
        'tranche_admission_duration_seconds_bucket{le="0.005",webhook="mutate"} 1',
        'tranche_reconciles_total{controller="release",result="done"} 1',
        'tranche_reconcile_duration_seconds_count{controller="release"} 1',
        'tranche_queue_depth{controller="release"} 7',
        'tranche_budget_moves_total{move="hold"} 1',
        'tranche_bypasses_total 1',
        'tranche_policy_findings_total{rule="windows",outcome="denied"} 1',
        'tranche_approvals_total 1',
        'tranche_watch_restarts_total{resource="deployments",reason="gone"} 1',
        'tranche_watch_drift_objects_total{resource="deployments"} 2',
        'tranche_events_dropped_total{why="rate"} 1',
        'tranche_certificate_expiry_timestamp_seconds{certificate="serving"} 1800000000',
        'tranche_leader 1',
        `tranche_build_info{version="1.2.3",node="${process.version}"} 1`,
      ]) {
        assert.ok(body.includes(`${line}\n`), line);
      }
    } finally {
      await server.close();
    }
  });

  it('says so when its port is taken', async () => {
    const first = createHealthServer({ checks: {}, metrics: createMetrics({ version: '1' }) });
    const port = await first.listen(0, '127.0.0.1');
    const second = createHealthServer({ checks: {}, metrics: createMetrics({ version: '1' }) });
    await assert.rejects(second.listen(port, '127.0.0.1'), { code: 'EADDRINUSE' });
    await first.close();
  });
});
