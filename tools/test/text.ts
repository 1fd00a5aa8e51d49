// What `make test` prints: where it is, each failure, and one summary. Pure.
import type { Failure, Tally } from './tally.ts';

export interface Part {
  readonly name: string;
  readonly tests: boolean;
  readonly tally: Tally;
  /** Undefined: it waits. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
}

export const clockOf = (ms: number): string => {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

/** One line: the parts that run, and how many wait. */
export function progressText(parts: readonly Part[], elapsedMs: number): string {
  const running = parts.filter((part) => part.startedAt !== undefined && part.endedAt === undefined).map(stateOf);
  const waiting = parts.filter((part) => part.startedAt === undefined).length;
  const failed = sum(parts, (tally) => tally.failures.length);
  return [
    `${clockOf(elapsedMs).padStart(5)}  ${running.join(', ')}`,
    ...(waiting > 0 ? [`${waiting} to come`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join('; ');
}

const stateOf = ({ name, tests, tally: { total, passed, failures } }: Part): string =>
  tests && total !== undefined ? `${name} ${passed + failures.length}/${total}` : name;

export const failureText = (part: string, { title, text }: Failure): string =>
  `✖ ${part}: ${title}\n${text.replace(/^(?=.)/gm, '    ')}`;

/** The table of all parts, and the sum as its last line. */
export function summaryText(parts: readonly Part[], elapsedMs: number): string {
  const rows = parts.map(({ name, tests, tally, startedAt = 0, endedAt = 0 }) => [
    name,
    ...(tests
      ? [tally.passed, tally.failures.length, tally.skipped].map(String)
      : [tally.failures.length === 0 ? 'ok' : 'failed', '', '']),
    clockOf(endedAt - startedAt),
  ]);
  const table = [['', 'passed', 'failed', 'skipped', 'time'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('   ')
      .trimEnd(),
  );
  return [...lines, '', sumText(parts, elapsedMs)].join('\n');
}

function sumText(parts: readonly Part[], elapsedMs: number): string {
  const suites = parts.filter(({ tests }) => tests);
  const skipped = sum(suites, (tally) => tally.skipped);
  return [
    `${sum(suites, ({ passed }) => passed)} passed`,
    `${sum(parts, ({ failures }) => failures.length)} failed`,
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ]
    .join(', ')
    .concat(` in ${clockOf(elapsedMs)}`);
}

const sum = (parts: readonly Part[], of: (tally: Tally) => number): number =>
  parts.reduce((total, { tally }) => total + of(tally), 0);
