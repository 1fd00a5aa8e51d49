// `make demo`: plays the walkthrough on the embedded cluster; every command, table and check is shown.
import { endAll, endAllOnSignals, wasInterrupted } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { asTyped, type Client } from './harness/client.ts';
import { lastWords, startCluster } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';
import { observe } from './observe.ts';
import { walkthrough, type Stage } from './walkthrough.ts';

const NAMESPACE = 'default';
/** Slow enough to see a batch grow, quick enough for a run without a terminal below a minute. */
const READY_MS = 1000;

const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
const paint = (code: number, text: string): string => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

endAllOnSignals();
try {
  await play();
} catch (error) {
  await reportAndExit(error);
}

async function play(): Promise<void> {
  // Fetched here when missing, before anything is started.
  await findTool('kubectl');
  await findTool('helm');
  const cluster = await startCluster({ readyMs: READY_MS, say: (text) => say(paint(2, `... ${text}`)) });
  say(`\nTo look on, or to play along, in another window:\n\n  export KUBECONFIG=${cluster.client.kubeconfig}`);
  const steps = walkthrough();
  const { stage, showTables } = showEverything(cluster.client);
  for (const [index, step] of steps.entries()) {
    await pause(`Press Enter for step ${index + 1} of ${steps.length} (Ctrl-C ends everything)`);
    say(`\n${paint(1, `${index + 1}. ${step.title}`)}\n`);
    await step.play(stage).catch((error: unknown) => {
      process.stderr.write(wasInterrupted() ? '' : `\n${lastWords(cluster)}\n`);
      throw error;
    });
    await showTables();
    const promises = step.promises.length > 0 ? ` (${step.promises.join(', ')})` : '';
    say(`\n${paint(32, `✓ as promised${promises}`)}`);
  }
  say(`\nAll ${steps.length} steps kept what the guide promises.`);
  await pause('Press Enter to end the embedded cluster and everything else');
  await endAll();
}

/** Prints commands as a person would type them, and the tables whenever they change. */
function showEverything(client: Client): { stage: Stage; showTables: () => Promise<void> } {
  let lastShown = '';
  const showTables = async () => {
    const table = await client.kubectl(['get', 'deployments,rollouts', '-n', NAMESPACE]);
    // Without the age, which would change every second.
    const news = table.replace(/ +\S+$/gm, '');
    if (news !== lastShown) say(`\n${table.trimEnd()}`);
    lastShown = news;
  };
  const stage: Stage = {
    namespace: NAMESPACE,
    async kubectl(args, input) {
      say(`${paint(36, '$')} ${asTyped('kubectl', args, input)}`);
      const { code, stdout, stderr } = await client.attempt('kubectl', args, { input });
      process.stdout.write(stderr + stdout);
      if (code !== 0) throw new Error(`kubectl ended with exit code ${code}`);
      return stdout;
    },
    async look() {
      await showTables();
      return observe(client, NAMESPACE);
    },
  };
  return { stage, showTables };
}

/** Waits for Enter where somebody is there to press it. Not readline: it would keep Ctrl-C to itself. */
async function pause(prompt: string): Promise<void> {
  if (!terminal) return;
  process.stdout.write(`\n${paint(2, prompt)} `);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.pause();
}
