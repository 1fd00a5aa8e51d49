// Requests by version as one line of text: `v1 ██████████▒▒▒▒▒ v2   v1 66.0 %  v2 34.0 %   100 requests/s   0 failed of 4210`. Pure.
import { byVersion, failed, inPercent, select, type Answer } from './counts.ts';

/** The bar is of the requests of the last seconds. */
const WINDOW_MS = 3000;
const WIDTH = 30;
const FILLS = ['█', '▒', '░', '▓'];

/** `versions`: in the order of the bar; others follow. `nowMs`: on the clock of the answers. */
export function barOf(answers: readonly Answer[], nowMs: number, versions: readonly string[]): string {
  const recent = select(newest(answers), { fromMs: Math.max(0, nowMs - WINDOW_MS) });
  const counts = byVersion(recent);
  const names = [...new Set([...versions, ...Object.keys(counts).sort()])].filter((name) => counts[name] !== undefined);
  const total = names.reduce((sum, name) => sum + counts[name]!, 0);
  const shares = names.map((name) => counts[name]! / total);
  const bar = cellsOf(shares)
    .map((cells, i) => FILLS[i % FILLS.length]!.repeat(cells))
    .join('');
  const words = names.map((name, i) => `${name} ${inPercent(shares[i]!)}`).join('  ');
  const perSecond = Math.round(recent.length / (Math.min(WINDOW_MS, Math.max(nowMs, 1)) / 1000));
  const problems = failed(answers).length;
  return [
    total === 0 ? ' '.repeat(WIDTH) : bar,
    words.padEnd(24),
    `${perSecond} requests/s`,
    `${problems} failed of ${answers.length}`,
  ].join('   ');
}

/** Enough for the window at the highest rate, so that a long run is not looked through each time. */
const newest = (answers: readonly Answer[]): readonly Answer[] => answers.slice(-2000);

/** Cells of the bar: at least one for each version that has answered, WIDTH in all. */
export function cellsOf(shares: readonly number[]): readonly number[] {
  const cells = shares.map((share) => Math.max(1, Math.round(share * WIDTH)));
  const widest = cells.indexOf(Math.max(...cells));
  const others = cells.reduce((sum, each, i) => (i === widest ? sum : sum + each), 0);
  return cells.map((each, i) => (i === widest ? WIDTH - others : each));
}
