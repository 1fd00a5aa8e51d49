// Counts the questions to a source of metrics: how many for each check and each interval of a release. Pure.

/** One question. Times are in milliseconds. */
export interface Question {
  /** Namespace and name of the workload. */
  readonly release: string;
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface Tally {
  readonly requests: number;
  /** Those that another request had asked before: the same query about the same times. */
  readonly repeated: number;
  /** Releases that were asked about, and the intervals that they were watched for, together. */
  readonly releases: number;
  readonly intervals: number;
  /** Mean over all intervals, for each of the checks. NaN without intervals. */
  readonly perCheckAndInterval: number;
}

/** `checks`: number of checks of a release, which all have the same interval. */
export function tally(questions: readonly Question[], checks: number): Tally {
  const seen = new Set(questions.map(({ release, query, startMs, endMs }) => [release, query, startMs, endMs].join()));
  const watched = Map.groupBy(questions, ({ release }) => release);
  const intervals = [...watched.values()]
    .map((of) => {
      const from = Math.min(...of.map(({ startMs }) => startMs));
      const to = Math.max(...of.map(({ endMs }) => endMs));
      return Math.round((to - from) / of[0]!.stepMs);
    })
    .reduce((sum, one) => sum + one, 0);
  return {
    requests: questions.length,
    repeated: questions.length - seen.size,
    releases: watched.size,
    intervals,
    perCheckAndInterval: intervals === 0 ? NaN : questions.length / intervals / checks,
  };
}
