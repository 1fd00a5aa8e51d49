// The trace of a release: its ids and sampling. W3C Trace Context, with digests instead of random ids.
import type { TraceContext } from '../../api/types.ts';
import type { Sha256 } from '../lib/template.ts';

export interface Traceparent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Which traces are sampled. */
export interface Sampling {
  /** From 0 (none) to 1 (all). */
  readonly ratio: number;
  /** The sampled flag of a parent span decides, if there is one. */
  readonly parentBased: boolean;
}

export interface Tracing extends Sampling {
  /** When the change was admitted, in RFC 3339 with milliseconds. */
  readonly admitted: string;
}

const PATTERN = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Undefined if the text is not a valid traceparent. */
export function parseTraceparent(text: string | undefined): Traceparent | undefined {
  const [, traceId, spanId, flags] = PATTERN.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

const writeTraceparent = ({ traceId, spanId, sampled }: Traceparent): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

export const spanIdOf = (sha256: Sha256, ...parts: readonly string[]): string => sha256(parts.join('\n')).slice(0, 16);

/** Decides by the trace id alone, like OpenTelemetry, so that all programs decide the same. */
const isSampled = (traceId: string, ratio: number): boolean => parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;

/** The context of the span of a whole release. The same `facts` give the same ids, so a repeated call gives the same trace. */
export function newTrace(
  facts: readonly string[],
  { admitted, ratio, parentBased }: Tracing,
  parent: Traceparent | undefined,
  sha256: Sha256,
): TraceContext {
  const traceId = parent?.traceId ?? sha256(['trace', ...facts].join('\n')).slice(0, 32);
  const sampled = parentBased && parent ? parent.sampled : isSampled(traceId, ratio);
  const spanId = spanIdOf(sha256, 'release', traceId, ...facts);
  return {
    traceparent: writeTraceparent({ traceId, spanId, sampled }),
    ...(parent && { parent: parent.spanId }),
    admitted,
  };
}

/** Parses the trace of a record, which users may have edited. */
export function readTrace(value: unknown): TraceContext | undefined {
  const { traceparent, parent, admitted } = (value ?? {}) as Partial<Record<keyof TraceContext, unknown>>;
  if (typeof traceparent !== 'string' || !parseTraceparent(traceparent)) return undefined;
  if (typeof admitted !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(admitted)) return undefined;
  const known = typeof parent === 'string' && /^[0-9a-f]{16}$/.test(parent);
  return { traceparent, ...(known && { parent }), admitted };
}
