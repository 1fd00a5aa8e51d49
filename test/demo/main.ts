// `make demo`: plays the walkthrough on the embedded cluster. It shows every command and table, and what others do in another window.
import { endAll, endAllOnSignals, wasInterrupted } from '../support/processes.ts';
import { makePrograms } from '../support/programs.ts';
import { asTyped, type Client } from '../e2e/harness/client.ts';
import { lastWords, startCluster } from '../e2e/harness/cluster.ts';
import { reportAndExit } from '../e2e/harness/exit.ts';
import { glance } from '../e2e/observe.ts';
import { Player, type Stage } from './player.ts';
import { paint, pause, say, terminal } from './terminal.ts';
import { afterStep, atTheEnd, invitation, titleOf } from './words.ts';
import { walkthrough } from './walkthrough.ts';

const NAMESPACE = 'default';
/** Slow enough to see a batch grow, quick enough for a run without a terminal below a minute. */
const READY_MS = 1000;

endAllOnSignals();
try {
  await play();
} catch (error) {
  await reportAndExit(error);
}

async function play(): Promise<void> {
  // Fetched here when missing, before anything is started.
  const programs = await makePrograms();
  const cluster = await startCluster({ readyMs: READY_MS, say: (text) => say(paint(2, `... ${text}`)) });
  say(`\n${invitation(programs, cluster.client.kubeconfig)}`);
  const steps = walkthrough(NAMESPACE);
  const player = new Player(stageOn(cluster.client));
  const look = () => player.look();
  let kept = 0;
  for (const [index, step] of steps.entries()) {
    await pause(`Press Enter for step ${index + 1} of ${steps.length} (Ctrl-C ends everything)`, look);
    say(`\n${paint(1, titleOf(index + 1, step))}\n`);
    const isKept = await player.play(step).catch((error: unknown) => {
      process.stderr.write(wasInterrupted() ? '' : `\n${lastWords(cluster)}\n`);
      throw error;
    });
    if (isKept) kept++;
    say(`\n${paint(isKept ? 32 : 33, afterStep(step, isKept))}`);
  }
  say(`\n${atTheEnd(kept, steps.length)}`);
  await pause('Press Enter to end the embedded cluster and everything else', look);
  await endAll();
}

/** Prints commands as a person would type them, and the tables whenever they change. */
function stageOn(client: Client): Stage {
  let lastSeen = '';
  let lastShown = '';
  const showTables = async (): Promise<void> => {
    const table = await client.kubectl(['get', 'deployments,rollouts', '-n', NAMESPACE]);
    // The age is left out, because it changes every second.
    const news = table.replace(/ +\S+$/gm, '');
    if (news !== lastShown && news !== '') say(`\n${table.trimEnd()}`);
    lastShown = news;
  };
  return {
    namespace: NAMESPACE,
    patienceSeconds: terminal ? Infinity : 20,
    say: (text) => say(paint(33, text)),
    async kubectl(args, input) {
      say(`${paint(36, '$')} ${asTyped('kubectl', args, input)}`);
      const { code, stdout, stderr } = await client.attempt('kubectl', args, { input });
      process.stdout.write(stderr + stdout);
      if (code !== 0) throw new Error(`kubectl ended with exit code ${code}`);
      return stdout;
    },
    async look() {
      const seen = await glance(client, NAMESPACE);
      const news = JSON.stringify([seen.deployment?.status, seen.rollout?.status]);
      if (news !== lastSeen) await showTables();
      lastSeen = news;
      return seen;
    },
  };
}
