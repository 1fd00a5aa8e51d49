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

  it('stays ready while something is in doubt, and says what', async () => {
    const doubts = { caches: () => 'the Rollouts may be out of date: connect ECONNREFUSED', other: () => undefined };
    const server = createHealthServer({ checks: {}, doubts, metrics: createMetrics({ version: '1.2.3' }) });
    const port = await server.listen(0, '127.0.0.1');
    try {
      const { code, body } = await get(port, '/readyz');
      assert.deepEqual([code, body], [200, 'ok\n- caches: the Rollouts may be out of date: connect ECONNREFUSED\n']);
    } finally {
      await server.close();
    }
  });

  it('shows the metrics', async () => {
    const metrics = createMetrics({ version: '1.2.3' });
    const server = createHealthServer({ checks: {}, metrics });
    const port = await server.listen(0, '127.0.0.1');
    try {
      metrics.leader(true);
      const { body, type } = await get(port, '/metrics');
      assert.match(type!, /^text\/plain; version=0\.0\.4/);
      assert.match(body, /^tranche_leader 1$/m);
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
