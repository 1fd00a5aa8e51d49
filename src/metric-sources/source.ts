// The interface of a source of metrics. To add one, write a file here.

/** Values of one Pod, or of none: by time in milliseconds since the epoch. */
export interface Series {
  /** Value of the label `pod`. Undefined for a series without it. */
  readonly pod: string | undefined;
  readonly samples: ReadonlyMap<number, number>;
}

/** Why there are no data. A source never says that a release has failed. */
export interface Unknown {
  readonly unknown: string;
}

export interface MetricSource {
  /**
   * The values of a query at `fromMs`, `fromMs + stepMs`, … up to `toMs`. Never rejects: what goes wrong is Unknown. The query comes from the engine,
   * which has checked it (promql.ts).
   */
  range(
    query: string,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown>;
}
