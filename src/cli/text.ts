// Tables, ages and numbers in the style of kubectl.
import type { Wait } from '../engine/steps/plan.ts';
import { oneLine, plain } from './paint.ts';

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

/** `45s`, `12m`, `3h`, `2d`; with a second unit while the first is small, as in kubectl. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return join(`${minutes}m`, seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return join(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 ? join(`${days}d`, hours % 24, 'h') : `${days}d`;
}

/** `5m ago`. */
export const ago = (ms: number): string => `${duration(ms)} ago`;

const join = (first: string, rest: number, unit: string): string => (rest === 0 ? first : `${first}${rest}${unit}`);

/** `[######----]` */
export function bar(done: number, all: number, width = 10): string {
  const full = all <= 0 ? width : Math.min(width, Math.floor((done * width) / all));
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}

/** The wait after a step, as a verb: `waits for approval`. */
export const describeWait = (wait: Wait): string =>
  wait === 'Approval'
    ? 'waits for approval'
    : wait === 'None'
      ? 'continues immediately'
      : `waits ${duration(wait.seconds * 1000)}${wait.approval ? ' and for approval' : ''}`;
