// Emits the traces of releases: the leader emits each span when it ends.
import type { Rollout } from '../api/types.ts';
import { endedSpans, spansOfDeleted, type Span, type SpanEvent } from '../engine/trace/spans.ts';
import type { Sampling } from '../engine/trace/trace.ts';
import type { Collection } from '../kube/collection.ts';
import { sha256 } from '../kube/digest.ts';
import { workloadKey } from './workload.ts';

export interface TraceOptions {
  readonly rollouts: Pick<Collection<Rollout>, 'on'>;
  readonly sampling: Sampling;
  readonly emit: (spans: readonly Span[]) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface ReleaseTracer {
  /** Records a write of the workload with this key ({@link workloadKey}) as an event of the current span. Recorded events are lost when the process ends. */
  note(key: string, move: string): void;
  stop(): void;
}

/** Maximum number of events in a span, for steps with repeated corrections. */
const MOVES_PER_SPAN = 20;

export function traceReleases({ rollouts, sampling, emit, now }: TraceOptions): ReleaseTracer {
  const moves = new Map<string, SpanEvent[]>();

  const end = rollouts.on(({ type, object, old }) => {
    const spans =
      type === 'deleted'
        ? spansOfDeleted(object, now(), sampling, sha256)
        : old
          ? endedSpans(old, object, now(), sampling, sha256)
          : [];
    const key = workloadKey(object);
    const at = spans.findIndex(({ attributes }) => attributes['tranche.step'] !== undefined);
    if (spans.length > 0) emit(withMoves(spans, at, moves.get(key) ?? []));
    // The first move may be written before the watch reports the start of the release, whose spans have no step.
    if (at >= 0 || object.status?.phase !== 'Progressing') moves.delete(key);
  });

  return {
    note(key, move) {
      // A copy of the stable template is not the workload.
      if (move === 'keep') return;
      const noted = moves.get(key) ?? [];
      if (noted.length < MOVES_PER_SPAN) noted.push({ name: move, atMs: now(), attributes: {} });
      moves.set(key, noted);
    },
    stop: () => {
      end();
      moves.clear();
    },
  };
}

/** Adds the moves to the span at this index, the first one with a step. */
const withMoves = (spans: readonly Span[], at: number, moves: readonly SpanEvent[]): readonly Span[] =>
  at < 0 ? spans : spans.with(at, { ...spans[at]!, events: [...spans[at]!.events, ...moves] });
