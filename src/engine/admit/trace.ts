// The trace of a release, decided with the edit that begins it.
import { TRACEPARENT } from '../../api/keys.ts';
import type { Deployment, Held, Rollout } from '../../api/types.ts';
import { readHeld } from '../workload/deployment/hold.ts';
import { noTraceparent } from './messages.ts';
import type { Sha256 } from '../lib/template.ts';
import { newTrace, parseTraceparent, type Tracing } from '../trace/trace.ts';

export interface Traced {
  /** What the record of the hold keeps of it. */
  readonly record: Pick<Held, 'trace'>;
  readonly warnings: readonly string[];
}

export const untraced: Traced = { record: {}, warnings: [] };

interface Beginning {
  readonly next: Deployment;
  readonly rollout: Rollout | undefined;
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly sha256: Sha256;
}

/**
 * A part of the trace that the same edit names, or one of its own. A traceparent that stood there before, or that a release had already
 * (`kubectl rollout undo` brings old annotations back), is of another change. `id`: of the release.
 */
export function traceOf({ next, rollout, tracing, sha256 }: Beginning, old: Deployment, id: string): Traced {
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
  // Called again on what we have just written: it was admitted then.
  const known = readHeld(next)?.trace;
  return {
    record: { trace: known?.traceparent === trace.traceparent ? known : trace },
    warnings: fresh !== undefined && parent === undefined ? [noTraceparent(fresh)] : [],
  };
}
