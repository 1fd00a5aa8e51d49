// Prometheus and compatible servers: Thanos, Mimir, Cortex and VictoriaMetrics.
import { PromqlError, sumByPod, withMatcher, withPods } from '../schema/promql.ts';
import { HttpClient, parseObject, TIMEOUT_MS, type HttpOptions, type Transport } from './http.ts';
import type { MetricSource, Query, Series, Unknown } from './source.ts';

/** `url`: with the path of the API, without `/api/v1`: `http://prometheus.monitoring:9090`, or `https://mimir/prometheus`. */
export interface PrometheusOptions extends HttpOptions {
  /** Further parameters of a query. Thanos needs `dedup=true` and `partial_response=false`, because a hole must not be a smaller number. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Default true: each selector gets a matcher for the namespace of the Rollout. */
  readonly enforceNamespace?: boolean;
  /** Names of labels. Default `namespace` and `pod`. */
  readonly namespaceLabel?: string;
  readonly podLabel?: string;
}

/** Types of errors in the API of Prometheus. No other text of an answer is shown, because users who may not read it would see it. */
const ERROR_TYPES = new Set(['bad_data', 'timeout', 'canceled', 'execution', 'internal', 'unavailable', 'not_found']);

/** An expression has one series. Anybody can write one with thousands, and reading them costs time that all releases share. */
const MAX_EXPRESSION_BYTES = 2 ** 17;

export class Prometheus implements MetricSource {
  readonly hasHistory = true;
  private readonly options: PrometheusOptions;
  private readonly http: Transport;

  /** `http`: how queries are sent, if not to `url`. */
  constructor(options: PrometheusOptions, http: Transport = new HttpClient(options)) {
    this.options = options;
    this.http = http;
  }

  close(): void {
    this.http.close();
  }

  async range(
    query: Query,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown> {
    const { parameters, timeoutMs = TIMEOUT_MS, podLabel = 'pod' } = this.options;
    const text = this.textOf(query);
    if (typeof text !== 'string') return text;
    const seconds = (ms: number): string => String(ms / 1000);
    const form = new URLSearchParams({
      ...parameters,
      query: text,
      start: seconds(fromMs),
      end: seconds(toMs),
      step: seconds(stepMs),
      timeout: `${timeoutMs}ms`,
    });
    const call = {
      path: '/api/v1/query_range',
      namespace: query.namespace,
      form: form.toString(),
      ...(query.kind === 'Expression' && { maxBytes: MAX_EXPRESSION_BYTES }),
    };
    const answer = await this.http.ask(call, signal);
    if ('unknown' in answer) return answer;
    const series = readAnswer(answer.status, answer.text, podLabel);
    if ('unknown' in series) return series;
    // Servers with a cache of results may move the times. The counters would then seem to be absent.
    const isAsked = (at: number): boolean => at >= fromMs && at <= toMs && (at - fromMs) % stepMs === 0;
    return series.every(({ samples }) => [...samples.keys()].every(isAsked))
      ? series
      : { unknown: 'the answer has other times than the query: switch off the alignment of times in the source' };
  }

  /** The PromQL of a query. Unknown for kinds that other sources answer, and for text that is not PromQL. */
  private textOf(query: Query): string | Unknown {
    try {
      return this.promqlOf(query) ?? { unknown: `a Prometheus source has no answer to a query of kind ${query.kind}` };
    } catch (error) {
      if (!(error instanceof PromqlError)) throw error;
      return { unknown: `the query is not valid PromQL at character ${error.position}` };
    }
  }

  private promqlOf(query: Query): string | undefined {
    const { enforceNamespace = true, namespaceLabel = 'namespace', podLabel = 'pod' } = this.options;
    const enforced = (promql: string): string =>
      enforceNamespace ? withMatcher(promql, namespaceLabel, query.namespace) : promql;
    switch (query.kind) {
      case 'Counters':
        return sumByPod(enforced(withPods(query.selector, podLabel, query.workload)), podLabel);
      case 'Expression':
        return enforced(query.expression);
      case 'PodResource':
      case 'PodMetric':
      case 'External':
      case 'Web':
        return undefined;
    }
  }
}

/** Reads an answer of query_range. Anything that is not as documented is Unknown. */
export function readAnswer(status: number, body: string, podLabel = 'pod'): readonly Series[] | Unknown {
  const answer = parseObject(body);
  if (answer?.['status'] === 'error') {
    const type = answer['errorType'];
    const shown = typeof type === 'string' && ERROR_TYPES.has(type) ? type : 'an error';
    return { unknown: `the source answered ${status} with ${shown}` };
  }
  if (status !== 200) return { unknown: `the source answered ${status}` };
  const { resultType, result } = (answer?.['data'] ?? {}) as Readonly<Record<string, unknown>>;
  if (answer?.['status'] !== 'success' || resultType !== 'matrix' || !Array.isArray(result))
    return { unknown: 'the answer is not that of Prometheus' };
  const { warnings, isPartial } = answer;
  // For example a store of Thanos, or a node of VictoriaMetrics, that did not answer: the numbers would be too small.
  if ((Array.isArray(warnings) && warnings.length > 0) || isPartial === true)
    return { unknown: 'the answer has warnings and may be incomplete' };
  const series = result.map((one) => readSeries(one, podLabel));
  if (series.includes(undefined)) return { unknown: 'the answer is not that of Prometheus' };
  const known = series as Series[];
  // Several series without a Pod are told apart where they are used.
  const named = known.map(({ pod }) => pod).filter((pod) => pod !== undefined);
  return new Set(named).size === named.length ? known : { unknown: 'the answer has two series for one Pod' };
}

function readSeries(one: unknown, podLabel: string): Series | undefined {
  const { metric, values } = (one ?? {}) as { readonly metric?: Record<string, unknown>; readonly values?: unknown };
  if (!Array.isArray(values)) return undefined;
  const samples = new Map<number, number>();
  for (const pair of values as unknown[]) {
    const [at, text] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof at !== 'number' || typeof text !== 'string') return undefined;
    samples.set(Math.round(at * 1000), readNumber(text));
  }
  const pod = metric?.[podLabel];
  return { pod: typeof pod === 'string' ? pod : undefined, samples };
}

/** Prometheus writes numbers as text, because JSON has no NaN. */
const readNumber = (text: string): number =>
  text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : text.trim() === '' ? NaN : Number(text);
