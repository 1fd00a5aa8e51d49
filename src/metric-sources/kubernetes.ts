// The metrics APIs of Kubernetes, over the connection to the API server: metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io.
import { POD_METRICS, type Resource } from '../api/resources.ts';
import { link } from '../kube/abort.ts';
import type { Api } from '../kube/api.ts';
import { ApiError, isForbidden, isNotFound } from '../kube/errors.ts';
import { pathOf, PathError } from '../kube/path.ts';
import { Gate } from './gate.ts';
import { TIMEOUT_MS } from './http.ts';
import { parseQuantity } from './quantity.ts';
import type { MetricSource, Query, Series, Unknown } from './source.ts';

/** More Pods of one workload, or more values of one metric, are not read. */
const MAX_ITEMS = 10_000;
const CUSTOM = 'custom.metrics.k8s.io';
const EXTERNAL = 'external.metrics.k8s.io';
const CUSTOM_VERSIONS = ['v1beta2', 'v1beta1'] as const;

type Of<Kind extends Query['kind']> = Extract<Query, { readonly kind: Kind }>;
type Json = Readonly<Record<string, unknown>>;

/** A value, and the Pod that it belongs to. */
interface Value {
  readonly pod: string | undefined;
  readonly value: number;
}

export interface KubernetesMetricsOptions {
  readonly api: Api;
  /** Default 10 seconds. */
  readonly timeoutMs?: number;
}

export class KubernetesMetrics implements MetricSource {
  readonly hasHistory = false;
  private readonly api: Api;
  private readonly timeoutMs: number;
  private readonly gate = new Gate();

  constructor({ api, timeoutMs = TIMEOUT_MS }: KubernetesMetricsOptions) {
    this.api = api;
    this.timeoutMs = timeoutMs;
  }

  close(): void {}

  async range(
    query: Query,
    _fromMs: number,
    toMs: number,
    _stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown> {
    const { signal: end, abort, unlink } = link(signal);
    const timer = setTimeout(abort, this.timeoutMs);
    try {
      const values = await this.gate.run(query.namespace, end, () => this.read(query, end));
      signal.throwIfAborted();
      if ('unknown' in values) return values;
      const pods = new Set(values.map(({ pod }) => pod));
      if (pods.size < values.length) return { unknown: severalFor(query.kind) };
      return values.map(({ pod, value }) => ({ pod, samples: new Map([[toMs, value]]) }));
    } catch (error) {
      signal.throwIfAborted();
      return { unknown: end.aborted ? `no answer within ${this.timeoutMs / 1000} seconds` : reasonOf(error, query) };
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  private async read(query: Query, signal: AbortSignal): Promise<readonly Value[] | Unknown> {
    switch (query.kind) {
      case 'PodResource':
        return this.podResource(query, signal);
      case 'PodMetric':
        return this.podMetric(query, signal);
      case 'External':
        return this.external(query, signal);
      case 'Counters':
      case 'Expression':
      case 'Web':
        return { unknown: `the source kubernetes has no answer to a query of kind ${query.kind}` };
    }
  }

  private async podResource({ namespace, pods, resource }: Of<'PodResource'>, signal: AbortSignal) {
    const items = await this.items(pathOf(POD_METRICS, { namespace }), { labelSelector: pods }, signal);
    return valuesOf(items, 'metrics.k8s.io', ({ metadata, containers }) => {
      if (!Array.isArray(containers) || containers.length === 0) return undefined;
      const used = containers.map((container: Json | null) =>
        parseQuantity((container?.['usage'] as Json)?.[resource]),
      );
      const sum = used.reduce((all, one) => (all === undefined || one === undefined ? undefined : all + one), 0);
      return valueOf((metadata as Json | undefined)?.['name'], sum);
    });
  }

  private async podMetric({ namespace, pods, metric }: Of<'PodMetric'>, signal: AbortSignal) {
    const read = (version: (typeof CUSTOM_VERSIONS)[number]): Promise<readonly Json[] | Unknown> => {
      const resource: Resource = { apiVersion: `${CUSTOM}/${version}`, kind: 'MetricValueList', plural: 'pods' };
      const path = pathOf(resource, { namespace, name: '*', subresource: metric });
      return this.items(path, { labelSelector: pods }, signal);
    };
    const [newer, older] = CUSTOM_VERSIONS;
    const items = await read(newer).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return read(older);
    });
    return valuesOf(items, CUSTOM, ({ describedObject, value }) => {
      const { kind, name, namespace: where = namespace } = (describedObject ?? {}) as Json;
      return kind === 'Pod' && where === namespace ? valueOf(name, parseQuantity(value)) : undefined;
    });
  }

  private async external({ namespace, metric, selector }: Of<'External'>, signal: AbortSignal) {
    const resource: Resource = { apiVersion: `${EXTERNAL}/v1beta1`, kind: 'ExternalMetricValueList', plural: metric };
    const query = selector === undefined ? {} : { labelSelector: selector };
    const items = await this.items(pathOf(resource, { namespace }), query, signal);
    return valuesOf(items, EXTERNAL, ({ value }) => {
      const number = parseQuantity(value);
      return number === undefined ? undefined : { pod: undefined, value: number };
    });
  }

  /** The items of a list, read one by one. */
  private async items(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly Json[] | Unknown> {
    const items: Json[] = [];
    let count = 0;
    const take = (item: unknown): void => {
      count += 1;
      if (items.length < MAX_ITEMS) items.push((item ?? {}) as Json);
    };
    const answer = await this.api.request({ method: 'GET', path, query, signal, quiet: true, onItem: take });
    const rest = (answer as Json | null | undefined)?.['items'];
    if (!Array.isArray(rest)) return { unknown: 'the answer of the API server is not a list' };
    rest.forEach(take);
    return count > MAX_ITEMS ? { unknown: `the answer has more than ${MAX_ITEMS} values` } : items;
  }
}

/** Unknown if one item cannot be read: a value that is left out would look like a Pod that uses nothing. */
function valuesOf(
  items: readonly Json[] | Unknown,
  group: string,
  read: (item: Json) => Value | undefined,
): readonly Value[] | Unknown {
  if ('unknown' in items) return items;
  const values = items.map(read);
  return values.includes(undefined) ? { unknown: `the answer is not that of ${group}` } : (values as Value[]);
}

const valueOf = (pod: unknown, value: number | undefined): Value | undefined =>
  typeof pod === 'string' && value !== undefined ? { pod, value } : undefined;

const severalFor = (kind: Query['kind']): string =>
  kind === 'External'
    ? 'the metric has several values: write a selector that only one of them matches'
    : 'the answer has two values for one Pod';

function reasonOf(error: unknown, { kind }: Query): string {
  const [group, remedy] =
    kind === 'PodResource'
      ? ['metrics.k8s.io', 'install metrics-server']
      : [kind === 'PodMetric' ? CUSTOM : EXTERNAL, 'install an adapter, such as prometheus-adapter or KEDA'];
  if (error instanceof PathError) return 'the name of the metric is not valid in a path of the API';
  if (isForbidden(error))
    return `forbidden: no permission to read ${group}${kind === 'PodResource' ? '' : ' (value analysis.customMetrics of the chart)'}`;
  // The answer for a path that nobody serves is not a Status with a reason.
  if (isNotFound(error))
    return kind !== 'PodResource' && (error as ApiError).status.details !== undefined
      ? `${group} has no such metric`
      : `${group} is not served by this cluster: ${remedy}`;
  return error instanceof ApiError ? `the API server answered ${error.code}` : 'the API server does not answer';
}
