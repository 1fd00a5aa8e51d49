// The interface of a source of metrics. To add one, write a file here and a line in sources.ts.

import type { Query, Series, Unknown } from '../engine/analysis/query.ts';

export type { Query, Series, Unknown };

export interface MetricSource {
  /** True: it has past values. False: whatever is asked, it returns only current values, at `toMs`. */
  readonly hasHistory: boolean;
  /**
   * The values at `fromMs`, `fromMs + stepMs`, … up to `toMs`. Rejects only if the signal is aborted: whatever else goes wrong is Unknown.
   */
  range(
    query: Query,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown>;
  close(): void;
}

/** Where checks find their sources. `name`: as in the check; undefined for the default one. Unknown if there is none for this namespace. */
export interface MetricSources {
  get(name: string | undefined, namespace: string): MetricSource | Unknown;
}

/** Name of the source that reads the metrics APIs of Kubernetes. It needs no MetricSource. */
export const KUBERNETES_SOURCE = 'kubernetes';
