// `make demo`: plays the walkthrough on the embedded cluster. It shows every command and table, and what others do in another window.
import { endAll, endAllOnSignals, wasInterrupted } from '../support/processes.ts';
import { makePrograms } from '../support/programs.ts';
import { asTyped, type Client } from '../e2e/harness/client.ts';
import { lastWords, startCluster } from '../e2e/harness/cluster.ts';
import { reportAndExit } from '../e2e/harness/exit.ts';
import { glance } from '../e2e/observe.ts';
import { Player, type Stage } from './player.ts';
import { afterStep, atTheEnd, invitation, titleOf } from './words.ts';
import { walkthrough } from './walkthrough.ts';

const NAMESPACE = 'default';
/** Slow enough to see a batch grow, quick enough for a run without a terminal below a minute. */
const READY_MS = 1000;
/** While the demo waits for Enter. */
const LOOK_EVERY_MS = 300;

const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
const paint = (code: number, text: string): string => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);
let lines = 0;
const say = (text: string): void => {
  lines++;
  process.stdout.write(`${text}\n`);
};

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
  let kept = 0;
  for (const [index, step] of steps.entries()) {
    await pause(`Press Enter for step ${index + 1} of ${steps.length} (Ctrl-C ends everything)`, player);
    say(`\n${paint(1, titleOf(index + 1, step))}\n`);
    const isKept = await player.play(step).catch((error: unknown) => {
      process.stderr.write(wasInterrupted() ? '' : `\n${lastWords(cluster)}\n`);
      throw error;
    });
    if (isKept) kept++;
    say(`\n${paint(isKept ? 32 : 33, afterStep(step, isKept))}`);
  }
  say(`\n${atTheEnd(kept, steps.length)}`);
  await pause('Press Enter to end the embedded cluster and everything else', player);
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

/** Waits for Enter where somebody is there to press it, and shows what others do meanwhile. Not readline: it would keep Ctrl-C to itself. */
async function pause(prompt: string, player: Player): Promise<void> {
  if (!terminal) return;
  let isPressed = false;
  process.stdin.resume();
  const pressed = new Promise((resolve) => process.stdin.once('data', resolve)).then(() => (isPressed = true));
  for (let shownAt = -1; !isPressed;) {
    if (shownAt !== lines) process.stdout.write(`\n${paint(2, prompt)} `);
    shownAt = lines;
    await player.look();
    await Promise.race([pressed, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))]);
  }
  process.stdin.pause();
}
