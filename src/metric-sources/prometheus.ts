// Prometheus and compatible servers: Thanos, Mimir, Cortex and VictoriaMetrics.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isForbidden, ForbiddenAddress, guardedLookup } from './address.ts';
import type { MetricSource, Series, Unknown } from './source.ts';

export interface PrometheusOptions {
  /** Address with the path of the API, without `/api/v1`: `http://prometheus.monitoring:9090`, or `https://mimir/prometheus`. */
  readonly url: URL;
  /** Further parameters of a query. Thanos needs `dedup=true` and `partial_response=false`, because a hole must not be a smaller number. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Headers and TLS options, read before each request, because tokens and certificates are renewed. */
  readonly credentials?: () => Promise<{ readonly headers?: Record<string, string>; readonly tls?: RequestOptions }>;
  /** Default 10 seconds. */
  readonly timeoutMs?: number;
  /** False: addresses of this machine are allowed too. For tests, and for the plugin on the user's machine. */
  readonly guarded?: boolean;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 2 ** 20;
/** Requests to one source at the same time. */
const AT_ONCE = 4;
/** Types of errors in the API of Prometheus. No other text of an answer is shown, because users who may not read it would see it. */
const ERROR_TYPES = new Set(['bad_data', 'timeout', 'canceled', 'execution', 'internal', 'unavailable', 'not_found']);

export class Prometheus implements MetricSource {
  private readonly options: PrometheusOptions;
  private readonly agent: HttpAgent;

  constructor(options: PrometheusOptions) {
    this.options = options;
    const settings = { keepAlive: true, maxSockets: AT_ONCE };
    this.agent = options.url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  close(): void {
    this.agent.destroy();
  }

  async range(
    query: string,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown> {
    const { parameters, timeoutMs = TIMEOUT_MS } = this.options;
    const seconds = (ms: number): string => String(ms / 1000);
    const form = new URLSearchParams({
      ...parameters,
      query,
      start: seconds(fromMs),
      end: seconds(toMs),
      step: seconds(stepMs),
      timeout: `${timeoutMs}ms`,
    });
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const answer = await this.post('/api/v1/query_range', form.toString(), giveUp);
      return 'unknown' in answer ? answer : readAnswer(answer.status, answer.body);
    } catch (error) {
      signal.throwIfAborted();
      return { unknown: giveUp.aborted ? `no answer within ${timeoutMs / 1000} seconds` : reasonOf(error) };
    }
  }

  private async post(
    path: string,
    body: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string } | Unknown> {
    const { url, credentials, guarded = true } = this.options;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // A name is checked when it is resolved.
    if (guarded && isIP(host) !== 0 && isForbidden(host))
      return { unknown: 'the address of the source is not allowed' };
    const { headers = {}, tls = {} } = (await credentials?.()) ?? {};
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const target = new URL(url);
    target.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(
        target,
        {
          ...tls,
          method: 'POST',
          agent: this.agent,
          signal,
          ...(guarded && { lookup: guardedLookup as LookupFunction }),
          headers: {
            ...headers,
            accept: 'application/json',
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': Buffer.byteLength(body),
          },
        },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
    const text = await readText(response);
    return text === undefined
      ? { unknown: `the answer has more than ${MAX_BYTES} bytes` }
      : { status: response.statusCode ?? 0, body: text };
  }
}

/** The body, or undefined if it is too long. */
async function readText(response: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) {
      response.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A short reason without text of the server. */
function reasonOf(error: unknown): string {
  if (error instanceof ForbiddenAddress) return 'the address of the source is not allowed';
  const { code } = error as { readonly code?: unknown };
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name of the source cannot be resolved';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was closed';
    default:
      return typeof code === 'string' && /^[A-Z_0-9]{1,60}$/.test(code)
        ? `the request failed: ${code}`
        : 'the request failed';
  }
}

/** Reads an answer of query_range. Anything that is not as documented is Unknown. */
export function readAnswer(status: number, body: string): readonly Series[] | Unknown {
  const answer = parse(body);
  if (answer?.['status'] === 'error') {
    const type = answer['errorType'];
    const shown = typeof type === 'string' && ERROR_TYPES.has(type) ? type : 'an error';
    return { unknown: `the source answered ${status} with ${shown}` };
  }
  if (status !== 200) return { unknown: `the source answered ${status}` };
  const { resultType, result } = (answer?.['data'] ?? {}) as Readonly<Record<string, unknown>>;
  if (answer?.['status'] !== 'success' || resultType !== 'matrix' || !Array.isArray(result))
    return { unknown: 'the answer is not that of Prometheus' };
  const { warnings } = answer;
  // For example a store of Thanos that did not answer: the numbers would be too small.
  if (Array.isArray(warnings) && warnings.length > 0)
    return { unknown: 'the answer has warnings and may be incomplete' };
  const series = result.map(readSeries);
  if (series.includes(undefined)) return { unknown: 'the answer is not that of Prometheus' };
  const known = series as Series[];
  const pods = new Set(known.map(({ pod }) => pod));
  return pods.size === known.length ? known : { unknown: 'the answer has two series for one Pod' };
}

function parse(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

function readSeries(one: unknown): Series | undefined {
  const { metric, values } = (one ?? {}) as { readonly metric?: Record<string, unknown>; readonly values?: unknown };
  if (!Array.isArray(values)) return undefined;
  const samples = new Map<number, number>();
  for (const pair of values as unknown[]) {
    const [at, text] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof at !== 'number' || typeof text !== 'string') return undefined;
    samples.set(Math.round(at * 1000), readNumber(text));
  }
  const pod = metric?.['pod'];
  return { pod: typeof pod === 'string' ? pod : undefined, samples };
}

/** Prometheus writes numbers as text, because JSON has no NaN. */
const readNumber = (text: string): number =>
  text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : text.trim() === '' ? NaN : Number(text);
