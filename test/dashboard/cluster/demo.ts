// `make demo-dashboard`: opens the dashboard on an embedded cluster where releases go on by themselves, and some wait for you.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createApi } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { startCluster } from '../../e2e/harness/cluster.ts';
import { reportAndExit } from '../../e2e/harness/exit.ts';
import { endAll, endAllOnSignals, wasInterrupted } from '../../support/processes.ts';
import { APPS, approve, createWorld, get, release } from './world.ts';

/** Slow enough to see Pods start. */
const READY_MS = 1500;
const EVERY_MS = 12_000;

endAllOnSignals();
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

try {
  await play();
} catch (error) {
  await reportAndExit(error);
}

async function play(): Promise<void> {
  const { client } = await startCluster({ readyMs: READY_MS, say: (text) => say(`... ${text}`) });
  const connection = await connect({ type: 'kubeconfig', files: [client.kubeconfig] });
  const api = createApi({ connection, userAgent: 'demo', fieldManager: 'demo' });
  say('... creating six applications');
  await createWorld(api);
  const { web, ledger, indexer, queue, cart, api: mail } = APPS;
  await Promise.all([
    release(api, web, '2.4.0'),
    release(api, ledger, '5.1.0'),
    release(api, indexer, 'broken'),
    release(api, queue, '3.2.0'),
    release(api, cart, '1.9.0'),
    release(api, mail, '3.0.1'),
  ]);
  // The first of the two approvals that the policy asks for; the other one is not yours, so this release waits on.
  setTimeout(() => void approve(api, ledger).catch(() => undefined), EVERY_MS);
  const playing = setInterval(() => void playOn().catch(() => undefined), EVERY_MS);
  say('\nThe releases of cart and api go on by themselves. The others wait for you.\n');
  const program = path.join(import.meta.dirname, '../../../src/plugin.ts');
  const args = ['--disable-warning=ExperimentalWarning', program, 'dashboard', '-A', ...process.argv.slice(2)];
  const dashboard = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, KUBECONFIG: client.kubeconfig },
  });
  await new Promise((resolve) => dashboard.once('close', resolve));
  clearInterval(playing);
  api.close();
  if (!wasInterrupted()) await endAll();

  /** The next version of those that go on by themselves, as soon as the last one is done. */
  async function playOn(): Promise<void> {
    for (const app of [cart, mail]) {
      const { status } = await get(api, app);
      if (status?.phase === 'Healthy')
        await release(api, app, `2.${(status.history?.length ?? 0) + 1}.${Date.now() % 100}`);
    }
  }
}
