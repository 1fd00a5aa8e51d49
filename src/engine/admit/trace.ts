// The trace of a release, decided with the edit that starts it.
import { TRACEPARENT } from '../../api/keys.ts';
import type { Deployment, Held, Rollout, RolloutId } from '../../api/types.ts';
import { recordOn } from '../workload/record.ts';
import { noTraceparent } from './messages.ts';
import type { Sha256 } from '../lib/template.ts';
import { newTrace, parseTraceparent, type Tracing } from '../trace/trace.ts';

export interface Traced {
  /** The part that the record of the hold keeps. */
  readonly record: Pick<Held, 'trace'>;
  readonly warnings: readonly string[];
}

export const untraced: Traced = { record: {}, warnings: [] };

interface TraceFacts {
  readonly next: Deployment;
  readonly rollout: Rollout | undefined;
  /** Undefined if tracing is disabled. */
  readonly tracing?: Tracing | undefined;
  readonly sha256: Sha256;
}

/**
 * A span in the trace that the edit names, or in a new trace. A traceparent that has not changed, or that an earlier release used (`kubectl rollout
 * undo` restores old annotations), is ignored. `id`: the id of the release.
 */
export function traceOf({ next, rollout, tracing, sha256 }: TraceFacts, old: Deployment, id: RolloutId): Traced {
  if (tracing === undefined) return untraced;
  const [written, before] = [next, old].map(({ metadata }) => metadata.annotations?.[TRACEPARENT]);
  const fresh = written === before ? undefined : written;
  const parent = parseTraceparent(fresh);
  const taken = (rollout?.status?.history ?? []).some(
    ({ trace }) =>
      trace?.parent === parent?.spanId && parseTraceparent(trace?.traceparent)?.traceId === parent?.traceId,
  );
  const facts = [next.metadata.uid || old.metadata.uid || '', old.metadata.resourceVersion ?? '', id];
  const trace = newTrace(facts, tracing, taken ? undefined : parent, sha256);
  // In a second call for the same request, the trace of the first call is kept.
  const known = recordOn(next)?.trace;
  return {
    record: { trace: known?.traceparent === trace.traceparent ? known : trace },
    warnings: fresh !== undefined && parent === undefined ? [noTraceparent(fresh)] : [],
  };
}
