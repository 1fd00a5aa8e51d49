// The four figures of DORA, from the histories of Rollouts.
//
// A history has the last ten releases, so an older release is unknown. Times that contradict each other, such as an end before its start, are not used.
import type { HistoryEntry } from '../api/types.ts';
import { medianOf, secondsBetween } from '../engine/steps/plan.ts';
import { parseTime } from '../engine/lib/time.ts';

export type History = readonly HistoryEntry[];

/** A figure, and the number of releases that it is computed from. */
export interface Measured {
  readonly value: number;
  readonly over: number;
}

export interface ReleaseFigures {
  /** Releases that have ended. */
  readonly ended: number;
  /** Start of the first one, in milliseconds since the epoch. */
  readonly since: number | undefined;
  /** Median time from the change to the last Pod of completed releases, in seconds. */
  readonly leadTime: Measured | undefined;
  /** Completed releases per week. */
  readonly frequency: Measured | undefined;
  /** Share of releases that failed, in percent. */
  readonly failureRate: Measured | undefined;
  /** Median time from the start of a release that failed to the end of its rollback, in seconds. */
  readonly timeToRestore: Measured | undefined;
}

/** Fewer releases say nothing. Failures are rare: each of them counts. */
export const LEAST = 3;
/** The operator keeps this number of releases. */
const KEPT = 10;
const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

const UNDONE = new Set(['RolledBack', 'Failed']);
const isCompleted = ({ outcome }: HistoryEntry): boolean => outcome === 'Completed';

/** `histories`: of one or more Rollouts, newest release first. `now`: milliseconds since the epoch. */
export function figuresOf(histories: readonly History[], now: number): ReleaseFigures {
  const read = histories.map(readOf);
  const leadTimes = read.flatMap((one) => one.leadTimes);
  const restores = read.flatMap((one) => one.restores);
  const judged = sum(read.map((one) => one.judged));
  const failed = sum(read.map((one) => one.failed));
  return {
    ended: sum(read.map((one) => one.ended)),
    since: least(read.flatMap(({ since }) => since ?? [])),
    leadTime: median(leadTimes, LEAST),
    frequency: frequencyOf(read, now),
    failureRate: judged >= LEAST ? { value: (100 * failed) / judged, over: judged } : undefined,
    timeToRestore: median(restores, 1),
  };
}

/** What a history says. Times are in milliseconds since the epoch. */
interface Read {
  readonly ended: number;
  readonly judged: number;
  readonly failed: number;
  /** Start of the oldest release that has ended, and of the oldest one. */
  readonly since: number | undefined;
  readonly from: number | undefined;
  /** It has as many releases as the operator keeps. */
  readonly isFull: boolean;
  /** In seconds. */
  readonly leadTimes: readonly number[];
  readonly restores: readonly number[];
  /** Ends of completed releases. */
  readonly completed: readonly number[];
}

/** Objects are never changed, so each history is read once. */
const known = new WeakMap<History, Read>();

function readOf(history: History): Read {
  const before = known.get(history);
  if (before !== undefined) return before;
  const read = readHistory(history);
  known.set(history, read);
  return read;
}

function readHistory(history: History): Read {
  const ended = history.filter(({ endTime, outcome }) => endTime !== undefined && outcome !== undefined);
  const completed = ended.filter(isCompleted);
  const failures = failuresIn(history);
  const startOf = (entries: History): number | undefined =>
    least(entries.flatMap(({ startTime }) => parseTime(startTime) ?? []));
  return {
    ended: ended.length,
    judged: ended.filter((entry) => isCompleted(entry) || UNDONE.has(entry.outcome!)).length,
    failed: failures.length,
    since: startOf(ended),
    from: startOf(history),
    isFull: history.length >= KEPT,
    leadTimes: completed.flatMap((entry) => secondsBetween(entry, entry) ?? []),
    restores: failures.flatMap(({ from, to }) => secondsBetween(from, to) ?? []),
    completed: completed.flatMap(({ endTime }) => parseTime(endTime) ?? []),
  };
}

/** A release that failed, and the one that ended the failure. */
interface Failure {
  readonly from: HistoryEntry;
  readonly to: HistoryEntry;
}

/** Releases that were rolled back, and completed ones whose earlier version was restored without steps. */
const failuresIn = (history: History): Failure[] =>
  history.flatMap((entry, i) => {
    if (UNDONE.has(entry.outcome ?? '') && entry.endTime !== undefined) return [{ from: entry, to: entry }];
    const before = history[i + 1];
    return entry.outcome === 'Restored' && before !== undefined && isCompleted(before)
      ? [{ from: before, to: entry }]
      : [];
  });

/**
 * Completed releases in a time of which all histories know everything. A history that is full begins with its oldest release. The time
 * is a day at least, so that a few minutes are not extrapolated. While no history is full, it is a week at least: the Rollouts may be new.
 */
function frequencyOf(read: readonly Read[], now: number): Measured | undefined {
  const starts = (of: readonly Read[]): number[] => of.flatMap((one) => one.from ?? []);
  const full = starts(read.filter(({ isFull }) => isFull));
  const from = full.length > 0 ? greatest(full) : least(starts(read));
  if (from === undefined) return undefined;
  const counted = read.flatMap(({ completed }) => completed).filter((time) => time >= from);
  // The clock of this machine may be behind the operator's.
  const ms = Math.max(now, greatest(counted) ?? now) - from;
  const weeks = Math.max(ms, full.length > 0 ? DAY_MS : WEEK_MS) / WEEK_MS;
  return counted.length >= LEAST ? { value: counted.length / weeks, over: counted.length } : undefined;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const least = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((a, b) => Math.min(a, b));
const greatest = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((a, b) => Math.max(a, b));

function median(values: readonly number[], atLeast: number): Measured | undefined {
  const value = medianOf(values);
  return value === undefined || values.length < atLeast ? undefined : { value, over: values.length };
}
