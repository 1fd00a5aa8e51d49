// The interface of a benchmark: it measures data (stored as JSON), and describes them in text, tables and plots. To add one, write a Bench and
// add it to the list in main.ts.
import type { Machine } from './machine.ts';

export interface BenchContext {
  /** A short run. Its numbers only show that the bench works. */
  readonly quick: boolean;
  /** Duration from SECONDS=..., for benches with a variable duration. */
  readonly seconds: number | undefined;
  /** Prints a progress line, at least once a minute. */
  readonly progress: (line: string) => void;
}

/**
 * A benchmark. `Data` is plain JSON of a few kilobytes, because it is committed. Names contain units. `run` rejects if it cannot measure.
 * A missed goal is not a failure, except for a leak (see `failure`).
 */
export interface Bench<Data> {
  readonly name: string;
  readonly title: string;
  run(context: BenchContext): Promise<Data>;
  /** Pure: the same data give the same page. Accepts data of older versions, so that the page can be generated without measuring. */
  describe(data: Data): readonly Section[];
  /** Why the run has failed, or undefined. The results are written in both cases. */
  failure?(data: Data): string | undefined;
}

/** The stored results of a run: docs/reports/performance/NAME.json. */
export interface Report<Data = unknown> {
  readonly bench: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly data: Data;
}

/** A part of the page: heading, text, table, goals, plots, and text after them, in this order. */
export interface Section {
  readonly heading: string;
  /** Markdown paragraphs. */
  readonly text?: readonly string[];
  readonly table?: Table;
  readonly goals?: readonly Goal[];
  readonly plots?: readonly Plot[];
  readonly after?: readonly string[];
}

/** Numbers are formatted by `shown` in text.ts, with three significant digits. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** A goal, the measured value, and whether the goal is met. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface Plot {
  /** docs/reports/performance/FILE.svg. */
  readonly file: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Axis {
  /** Name with unit, e.g. `requests per second` or `RSS (MiB)`. */
  readonly name: string;
  readonly log?: boolean;
  readonly min?: number;
  readonly max?: number;
}

export interface Series {
  readonly name: string;
  /** Sorted by x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** For lines that are not measurements: a goal, an ideal, a fit. */
  readonly dashed?: boolean;
}
