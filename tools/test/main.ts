// `make test`: runs every suite and check, says where it is, and ends with one summary. `make test SUITES="docs e2e"` runs some of them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { findTool } from '../../test/support/tools.ts';
import { AT_ONCE, SUITES, suitesNamed, type Suite } from './suites.ts';
import { Tally } from './tally.ts';
import { failureText, progressText, summaryText, type Part } from './text.ts';

interface Running extends Part {
  startedAt: number | undefined;
  endedAt: number | undefined;
  readonly suite: Suite;
  stop?: () => void;
}

const terminal = Boolean(process.stdout.isTTY);
/** A terminal has one line that changes; a log gets a line now and then. */
const SAY_EVERY_MS = terminal ? 500 : 10_000;
const root = path.resolve(import.meta.dirname, '../..');

const wanted = (process.env['SUITES'] ?? '').split(/\s+/).filter((name) => name !== '');
const unknown = wanted.filter((name) => suitesNamed(name).length === 0);
if (unknown.length > 0) {
  console.error(`SUITES: no suite ${unknown.join(', ')}: write some of ${SUITES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const chosen =
  wanted.length === 0 ? SUITES : SUITES.filter((suite) => wanted.some((name) => suitesNamed(name).includes(suite)));
const parts = chosen.map((suite): Running => ({
  ...suite,
  suite,
  tally: new Tally(),
  startedAt: undefined,
  endedAt: undefined,
}));
const begun = Date.now();
const now = (): number => Date.now() - begun;

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    interrupted = true;
    for (const part of parts) part.stop?.();
  });

const clearLine = terminal ? '\r\x1b[K' : '';
const say = (text: string): boolean => process.stdout.write(`${clearLine}${text}\n`);
const sayProgress = (): void => {
  const text = progressText(parts, now());
  if (terminal) process.stdout.write(`${clearLine}${text.slice(0, process.stdout.columns - 1)}`);
  else say(text);
};

say(`running ${parts.map(({ name }) => name).join(', ')}`);
for (const tool of ['kubectl', 'helm'] as const)
  await findTool(tool).catch((error: Error) => {
    console.error(error.message);
    process.exit(2);
  });
const ticker = setInterval(sayProgress, SAY_EVERY_MS);
await Promise.all([
  ...parts.filter(({ suite }) => suite.yields).map(play),
  inTurn(
    parts.filter(({ suite }) => !suite.yields),
    AT_ONCE,
  ),
]);
clearInterval(ticker);
say('');
if (interrupted) process.exit(130);
for (const { name, tally } of parts) for (const failure of tally.failures) say(`${failureText(name, failure)}\n`);
say(summaryText(parts, now()));
process.exitCode = parts.some(({ tally }) => tally.failures.length > 0) ? 1 : 0;

/** Lets a process group have only the time that others leave. */
function giveWay(pid: number): void {
  const { PRIORITY_LOW } = constants.priority;
  setPriority(pid, PRIORITY_LOW);
  try {
    // Linux shares its cores between sessions first, and then by the priorities in each of them.
    writeFileSync(`/proc/${pid}/autogroup`, `${PRIORITY_LOW}`);
  } catch {
    // Not Linux, or without this.
  }
}

async function inTurn(queue: readonly Running[], atOnce: number): Promise<void> {
  const left = [...queue];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && !interrupted; next = left.shift()) await play(next);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Runs a part to its end, in a process group and with a temporary folder of its own. */
function play(part: Running): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), `tranche-test-${part.name}-`));
  // A cluster that happens to be set in the user's shell is never touched.
  const env = { ...process.env, TMPDIR: folder, KUBECONFIG: '', WEBHOOK_URL: '' };
  const child = spawn('npm', part.suite.npm, { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  if (part.suite.yields && child.pid !== undefined) giveWay(child.pid);
  part.startedAt = now();
  // To the whole group, as a terminal does: each program removes what it made.
  part.stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGINT');
  const hear = (line: string): void => {
    const failure = part.tally.hear(line);
    if (failure !== undefined) say(`✖ ${part.name}: ${failure.title}`);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', hear);
  return new Promise((resolve) => {
    const end = (code: number | null, signal: string | null): void => {
      delete part.stop;
      part.endedAt = now();
      for (const { title } of part.tally.end({ code, signal, left: readdirSync(folder) }, part.tests))
        if (!interrupted) say(`✖ ${part.name}: ${title}`);
      rmSync(folder, { recursive: true, force: true });
      resolve();
    };
    child.once('error', (error) => {
      hear(error.message);
      end(1, null);
    });
    child.once('close', end);
  });
}
