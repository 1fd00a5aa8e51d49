// Draws evidence and rates over time with plain characters.
import { short } from '../render/checks.ts';
import type { Moment } from './replay.ts';

export interface PlotOptions {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** Starts of steps. */
  readonly steps: readonly { readonly step: number; readonly at: number }[];
  /** Width of the terminal. */
  readonly columns: number;
}

const ROWS = 8;
/** Width of the labels at the left, with the axis. */
const MARGIN = 9;
const NARROWEST = 20;
const WIDEST = 100;

interface Point {
  readonly at: number;
  readonly value: number;
  readonly sign: string;
}

/** Lines of a plot with the evidence of each look on a logarithmic scale, and a line at `alarm`. Empty without evidence. */
export function plotEvidence(moments: readonly Moment[], alarm: number, options: PlotOptions): string[] {
  const points = moments.flatMap(({ at, evidence }): Point[] =>
    evidence === undefined ? [] : [{ at, value: Math.log10(Math.max(evidence, 1e-3)), sign: '*' }],
  );
  if (points.length === 0) return [];
  const top = Math.max(Math.log10(alarm) + 0.5, Math.min(highest(points), Math.log10(alarm) + 4));
  const bottom = Math.min(0, ...points.map(({ value }) => value)) - 0.2;
  return draw(points, { ...options, top, bottom, line: Math.log10(alarm), label: (value) => short(10 ** value) });
}

/** Lines of a plot with the rate of bad requests: `n` of the new version, `s` of the stable one. Empty without requests. */
export function plotRates(moments: readonly Moment[], options: PlotOptions): string[] {
  const points = [...ratesOf(moments, 'stable', 's', options), ...ratesOf(moments, 'fresh', 'n', options)];
  if (points.length === 0) return [];
  const top = Math.max(highest(points) * 1.1, 1e-4);
  return draw(points, { ...options, top, bottom: 0, line: undefined, label: (value) => `${short(100 * value)} %` });
}

const highest = (points: readonly Point[]): number =>
  points.reduce((most, { value }) => Math.max(most, value), -Infinity);

/** The rate within each column of the plot. */
function ratesOf(moments: readonly Moment[], arm: 'fresh' | 'stable', sign: string, options: PlotOptions): Point[] {
  const points: Point[] = [];
  let before = { total: 0, bad: 0 };
  for (const [index, moment] of moments.entries()) {
    const counts = moment[arm];
    const next = moments[index + 1];
    if (counts === undefined || (next && columnOf(next.at, options) === columnOf(moment.at, options))) continue;
    const total = counts.total - before.total;
    if (total > 0) points.push({ at: moment.at, value: (counts.bad - before.bad) / total, sign });
    before = counts;
  }
  return points;
}

const widthOf = ({ columns }: PlotOptions): number => Math.max(NARROWEST, Math.min(WIDEST, columns - MARGIN - 1));

function columnOf(at: number, options: PlotOptions): number {
  const { from, to } = options;
  const share = to > from ? (at - from) / (to - from) : 0;
  return Math.max(0, Math.min(widthOf(options) - 1, Math.floor(share * (widthOf(options) - 1))));
}

interface Scale extends PlotOptions {
  readonly top: number;
  readonly bottom: number;
  /** Value of a horizontal line. */
  readonly line: number | undefined;
  label(value: number): string;
}

function draw(points: readonly Point[], scale: Scale): string[] {
  const { top, bottom, line, from, to, steps } = scale;
  const width = widthOf(scale);
  const rowOf = (value: number): number =>
    Math.max(0, Math.min(ROWS - 1, Math.round(((top - value) / (top - bottom)) * (ROWS - 1))));
  const grid = Array.from({ length: ROWS }, () => Array.from({ length: width }, () => ' '));
  if (line !== undefined) grid[rowOf(line)]!.fill('-');
  for (const { at, value, sign } of points) grid[rowOf(value)]![columnOf(at, scale)] = sign;
  const axis = Array.from({ length: width }, () => '-');
  for (const { step, at } of steps)
    if (at >= from && at <= to)
      [...`${step}`].forEach((digit, index) => {
        const column = columnOf(at, scale) + index;
        if (column < width) axis[column] = digit;
      });
  const labelOf = (row: number): string => {
    if (line !== undefined && row === rowOf(line)) return scale.label(line);
    if (row === 0) return scale.label(top);
    return row === ROWS - 1 ? scale.label(bottom) : '';
  };
  const [start, end] = [clock(from), clock(to)];
  return [
    ...grid.map((cells, row) => `${labelOf(row).padStart(MARGIN - 2)} |${cells.join('')}`.trimEnd()),
    `${' '.repeat(MARGIN - 1)}+${axis.join('')}`,
    `${' '.repeat(MARGIN)}${start}${end.padStart(width - start.length)}`,
  ];
}

const clock = (at: number): string => `${new Date(at).toISOString().slice(11, 16)}Z`;
