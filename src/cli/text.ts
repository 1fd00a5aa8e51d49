// Tables, ages and numbers in the style of kubectl.
import { duration } from '../view/words.ts';
import { oneLine, plain } from './paint.ts';

export { describeWait, duration } from '../view/words.ts';

/** What `version` and `--version` print. */
export const versionText = (version: string): string => `kubectl-tranche ${version}`;

/** Aligns columns with three spaces between them. Lines have no trailing spaces. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(oneLine));
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, plain(cell).length)));
  const pad = (cell: string, width: number): string => cell + ' '.repeat(Math.max(0, width - plain(cell).length));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => pad(cell, widths[i] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** `5m ago`. */
export const ago = (ms: number): string => `${duration(ms)} ago`;

/** `[######----]` */
export function bar(done: number, all: number, width = 10): string {
  const full = all <= 0 ? width : Math.min(width, Math.floor((done * width) / all));
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}
