// Wires traces: where they go, and who tells them.
import type { TracingConfig } from './config-tracing.ts';
import { traceReleases, type ReleaseTracer, type TraceOptions } from '../operator/trace.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { startSpanSender } from '../telemetry/tracing.ts';

export interface Traces {
  /** Tells releases for as long as this process leads. */
  lead(rollouts: TraceOptions['rollouts']): ReleaseTracer;
  stop(): Promise<void>;
}

interface Teller {
  readonly version: string;
  readonly logger: Logger;
  readonly config: { readonly identity: string };
}

export async function startTracing(
  { version, logger, config }: Teller,
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
