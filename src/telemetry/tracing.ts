// Sends spans to an OpenTelemetry collector. Loads the OpenTelemetry libraries only if tracing is configured.
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Span } from '../engine/trace/spans.ts';
import type { Logger } from './logger.ts';

export interface TracingOptions {
  /** Endpoint for spans, as OTLP in JSON. */
  readonly url: URL;
  /** HTTP headers. They may contain secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Resource attributes, including `service.name`. */
  readonly resource: Readonly<Record<string, string>>;
}

export interface TracingDeps {
  readonly version: string;
  readonly logger: Logger;
  /** Called for spans that are not sent, because the queue is full or sending failed. */
  readonly onDropped: (why: 'full' | 'failed', spans: number) => void;
}

export interface SpanSender {
  /** Never blocks and never throws. Spans that cannot be sent are dropped. */
  emit(spans: readonly Span[]): void;
  /** Sends the queued spans, for a few seconds at most. */
  stop(): Promise<void>;
}

/** Maximum number of unsent spans, including those in flight. */
const QUEUE = 2_048;
const BATCH = 256;
/** Delay before a batch is sent. A process that is killed loses the spans of this time. */
const DELAY_MS = 1_000;
/** Timeout of an export, including retries. */
const SEND_WITHIN_MS = 5_000;
const STOP_WITHIN_MS = 3_000;

export async function startSpanSender(
  { url, headers, resource }: TracingOptions,
  { version, logger, onDropped }: TracingDeps,
): Promise<SpanSender> {
  const [{ SpanKind, SpanStatusCode, TraceFlags }, { BatchSpanProcessor }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const exporter = new OTLPTraceExporter({ url: url.href, headers: { ...headers }, timeoutMillis: SEND_WITHIN_MS });
  let waiting = 0;
  let failing = false;
  const processor = new BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        exporter.export(spans, (result) => {
          waiting -= spans.length;
          const failed = result.code !== 0;
          if (failed) onDropped('failed', spans.length);
          // Logs only the first failure and the recovery.
          if (failed && !failing) logger.warn('cannot send traces; they are dropped', { error: result.error });
          if (!failed && failing) logger.info('sending traces works again');
          failing = failed;
          done(result);
        });
      },
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: QUEUE,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: DELAY_MS,
    exportTimeoutMillis: 2 * SEND_WITHIN_MS,
  });
  const shared = {
    kind: SpanKind.INTERNAL,
    links: [],
    ended: true,
    resource: resources.resourceFromAttributes({ ...resource, 'service.version': version }),
    instrumentationScope: { name: 'tranche', version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
  const context = (traceId: string, spanId: string) => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED });
  const readable = (span: Span): ReadableSpan => ({
    ...shared,
    name: span.name,
    spanContext: () => context(span.traceId, span.spanId),
    ...(span.parentId && {
      parentSpanContext: { ...context(span.traceId, span.parentId), isRemote: span.remoteParent === true },
    }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    duration: hrTime(span.endMs - span.startMs),
    status:
      span.error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: span.error },
    attributes: { ...span.attributes },
    events: span.events.map(({ name, atMs, attributes }) => ({
      name,
      time: hrTime(atMs),
      attributes: { ...attributes },
      droppedAttributesCount: 0,
    })),
  });

  return {
    emit(spans) {
      for (const span of spans) {
        if (waiting >= QUEUE) {
          onDropped('full', 1);
          continue;
        }
        waiting += 1;
        processor.onEnd(readable(span));
      }
    },
    async stop() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, STOP_WITHIN_MS);
      await Promise.race([processor.shutdown().catch(() => undefined), late.promise]);
      clearTimeout(timer);
      if (waiting > 0) onDropped('failed', waiting);
    },
  };
}

/** OpenTelemetry's pair of seconds and nanoseconds. */
const hrTime = (ms: number): [number, number] => [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
