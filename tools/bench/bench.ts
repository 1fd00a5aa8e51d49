// What a bench is: it runs and gives numbers (kept as JSON), and it says in words, tables and plots what numbers mean. To add one: write
// a Bench, and add it to the list in main.ts.
import type { Machine } from './machine.ts';

export interface BenchContext {
  /** Minutes less, and numbers that prove only that the bench works. */
  readonly quick: boolean;
  /** How long the user wants it to run (SECONDS=...), where a bench can be long or short. */
  readonly seconds: number | undefined;
  /** A line for whoever waits; at least one a minute. */
  readonly progress: (line: string) => void;
}

/**
 * One of the benches. `Data` is what was measured: plain JSON, a few kilobytes (it is committed), units in names.
 * `run` rejects when it cannot measure; a number that misses its goal is no failure but for a leak (see `failure`).
 */
export interface Bench<Data> {
  readonly name: string;
  readonly title: string;
  run(context: BenchContext): Promise<Data>;
  /** Pure: the same data give the same page. Older data may be given, so the page can be made again without measuring. */
  describe(data: Data): readonly Section[];
  /** Why the run as a whole has failed; undefined when it has not. The results are written in both cases. */
  failure?(data: Data): string | undefined;
}

/** What is kept of a run: docs/reports/performance/NAME.json. */
export interface Report<Data = unknown> {
  readonly bench: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly data: Data;
}

/** A part of the page, in this order: heading, text, table, goals, plots, and what comes after. */
export interface Section {
  readonly heading: string;
  /** Paragraphs of Markdown. */
  readonly text?: readonly string[];
  readonly table?: Table;
  readonly goals?: readonly Goal[];
  readonly plots?: readonly Plot[];
  readonly after?: readonly string[];
}

/** Numbers are written by `shown` of text.ts: three digits that count, and no more. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What was promised, what was measured, and whether that is enough. */
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
  /** With its unit: `requests per second`, `RSS (MiB)`. */
  readonly name: string;
  readonly log?: boolean;
  readonly min?: number;
  readonly max?: number;
}

export interface Series {
  readonly name: string;
  /** By x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** For what was not measured: a goal, an ideal, a fitted line. */
  readonly dashed?: boolean;
}
