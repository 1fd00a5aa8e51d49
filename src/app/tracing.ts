// Wires tracing: the sender of spans, and the tracer of releases.
import type { TracingConfig } from './config-tracing.ts';
import { traceReleases, type ReleaseTracer, type TraceOptions } from '../operator/trace.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { startSpanSender } from '../telemetry/tracing.ts';

export interface Traces {
  /** Starts tracing of releases. Call it when this process becomes the leader. */
  lead(rollouts: TraceOptions['rollouts']): ReleaseTracer;
  stop(): Promise<void>;
}

interface Source {
  readonly version: string;
  readonly logger: Logger;
  readonly config: { readonly identity: string };
}

export async function startTracing(
  { version, logger, config }: Source,
  { url, headers, resource, ...sampling }: TracingConfig,
  metrics: Metrics,
  now: () => number,
): Promise<Traces> {
  const about = { 'service.instance.id': config.identity, ...resource };
  const { emit, stop } = await startSpanSender(
    { url, headers, resource: about },
    { version, logger, onDropped: metrics.spansDropped },
  );
  return { lead: (rollouts) => traceReleases({ rollouts, sampling, emit, now }), stop };
}
