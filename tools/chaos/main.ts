// `make chaos [ONLY=fault] [RUNS=n] [SEED=s]`: plays the faults, and writes the report if all of them were played.
import { endAll, endAllOnSignals } from '../../test/support/processes.ts';
import { faults } from './faults/index.ts';
import { LANES, play } from './play.ts';
import { isGood, reportOf, tableOf, troublesOf, write } from './report.ts';

const { ONLY, RUNS, SEED } = process.env;

function whole(name: string, text: string | undefined, fallback: number | undefined): number | undefined {
  if (!text) return fallback;
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  process.stderr.write(`${name}: Invalid value: "${text}": must be an integer greater than 0\n`);
  process.exit(2);
}

endAllOnSignals();
const names = ONLY ? ONLY.split(',') : faults.map(({ name }) => name);
const unknown = names.filter((name) => !faults.some((fault) => fault.name === name));
if (unknown.length > 0) {
  const known = faults.map(({ name }) => name).join(', ');
  process.stderr.write(`ONLY: Unsupported value: "${unknown.join(', ')}": write one of ${known}\n`);
  process.exit(2);
}
const began = Date.now();
const say = (line: string): void =>
  void process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}\n`);
const seed = whole('SEED', SEED, Math.floor(Math.random() * 1_000_000))!;
say(`seed ${seed}`);
const runs = whole('RUNS', RUNS, undefined);
const chosen = faults
  .filter(({ name }) => names.includes(name))
  .map((fault) => ({ ...fault, runs: fault.runs.filter(({ short }) => short !== 'only') }));
const lanes = Math.min(LANES, chosen.length);
const outcomes = await play({ faults: chosen, seed, say, lanes, ...(runs && { runs }) });
await endAll();
const report = reportOf(outcomes, seed, (Date.now() - began) / 1000, lanes, runs);
process.stdout.write(`\n${tableOf(report)}\n\nFailures: ${troublesOf(report)}\n`);
if (!ONLY) {
  await write(report);
  process.stdout.write('\nThe report is in docs/reports/reliability.md.\n');
}
process.exit(isGood(report) ? 0 : 1);
