// All looks of a release at once, for tests.
import {
  knownAtStart,
  lookAt,
  type Counters,
  type Counting,
  type PodFacts,
  type Seen,
} from '../../../src/engine/analysis/counters.ts';

export interface CountersFacts extends Omit<Counting, 'startedAt'> {
  readonly counters: Counters;
  readonly pods: readonly PodFacts[];
  /** Times of the looks in milliseconds, ascending. The first is the start of the release. */
  readonly times: readonly number[];
}

/** The looks after the first time. */
export function looksOf({ counters, pods, times, ...rest }: CountersFacts): Seen[] {
  const [startedAt = 0, ...later] = times;
  const counting = { ...rest, startedAt };
  let known = knownAtStart(counting, counters, pods);
  return later.map((at) => {
    const look = lookAt(counting, known, counters, pods, at);
    known = look.known;
    return look.seen;
  });
}
