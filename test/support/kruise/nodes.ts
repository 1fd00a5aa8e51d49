// Nodes for DaemonSets, for tests only: a cluster may have fewer than a test needs. They report that they are ready until they are removed.
import type { Client } from '../../e2e/harness/client.ts';

const HEARTBEAT_MS = 10_000;

/** Adds nodes until there are so many. Returns how to remove them. */
export async function keepNodes(client: Client, count: number): Promise<() => Promise<void>> {
  const { items } = await client.json<{ items: unknown[] }>(['get', 'nodes']);
  const names = Array.from({ length: Math.max(0, count - items.length) }, (_, i) => `tranche-e2e-${i}`);
  const beat = async (): Promise<void> => {
    for (const name of names) {
      const now = new Date().toISOString();
      const ready = { type: 'Ready', status: 'True', reason: 'Test', message: '', lastHeartbeatTime: now };
      const patch = JSON.stringify({ status: { conditions: [ready] } });
      await client.kubectl(['patch', 'node', name, '--subresource=status', '--type=merge', '-p', patch]);
    }
  };
  for (const name of names) {
    const node = JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
    await client.kubectl(['apply', '-f', '-'], { input: node });
  }
  await beat();
  const timer = setInterval(() => void beat().catch(() => undefined), HEARTBEAT_MS);
  return async () => {
    clearInterval(timer);
    if (names.length > 0) await client.kubectl(['delete', 'node', ...names, '--ignore-not-found']);
  };
}
