// The sources of metrics as a user of the plugin reaches them: through the API server, or at an address that the user gives.
import { readFile } from 'node:fs/promises';
import type { AnalysisCheck, MetricSource as SourceObject, PrometheusSpec } from '../../api/analysis.ts';
import { METRIC_SOURCES, NAMESPACES } from '../../api/resources.ts';
import { selects } from '../../engine/policy/policy.ts';
import { ApiError } from '../../kube/errors.ts';
import { proxyPathOf, type ProxiedService } from '../../kube/path.ts';
import type { HttpAnswer, Transport } from '../../metric-sources/http.ts';
import { Prometheus } from '../../metric-sources/prometheus.ts';
import { KUBERNETES_SOURCE, type MetricSource, type Unknown } from '../../metric-sources/source.ts';
import type { Cluster } from '../cluster.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { explainFailure } from '../failure.ts';
import { harmless, oneLine } from '../paint.ts';

export interface Access {
  /** Address of Prometheus as this machine reaches it. It is used in place of the address of each MetricSource. */
  readonly address?: string | undefined;
  /** File with a bearer token for that address. */
  readonly tokenFile?: string | undefined;
}

/** A source of metrics, and how it is called in messages. */
export interface Reached {
  readonly title: string;
  readonly source: MetricSource;
  /** Label with the name of the Pod. */
  readonly podLabel: string;
  /** The same source, with the values of another label in place of the names of Pods. */
  byLabel(label: string): MetricSource;
}

/** One client for each MetricSource. */
export interface Sources {
  /** Unknown if there is none that this namespace may use, or if this machine cannot reach it. */
  of(check: AnalysisCheck, namespace: string): Promise<Reached | Unknown>;
  close(): void;
}

const TIMEOUT_MS = 30_000;
const DEFAULT_NAME = 'default';

/** Checks the flags first. Throws CliError. */
export function createSources(cluster: Cluster, { address, tokenFile }: Access): Sources {
  const url = address === undefined ? undefined : addressOf(address);
  if (url === undefined && tokenFile !== undefined) throw usageError('--token-file requires --address');
  const reached = new Map<string, Promise<Reached | Unknown>>();
  const opened: MetricSource[] = [];

  async function open(name: string | undefined, namespace: string): Promise<Reached | Unknown> {
    const found = await find(cluster, name, namespace, url !== undefined);
    if ('unknown' in found) return found;
    const { spec, title } = found;
    const token = tokenFile === undefined ? undefined : await tokenIn(tokenFile);
    const options = reach(cluster, found, namespace, url, token);
    if ('unknown' in options) return options;
    const { parameters, enforceNamespace, namespaceLabel, podLabel = 'pod' } = spec;
    const { http, ...where } = options;
    const settings = {
      ...where,
      guarded: false,
      timeoutMs: TIMEOUT_MS,
      ...(parameters && { parameters }),
      ...(enforceNamespace !== undefined && { enforceNamespace }),
      ...(namespaceLabel !== undefined && { namespaceLabel }),
    };
    const byLabel = (label: string): MetricSource => {
      const all = { ...settings, podLabel: label };
      const source = http === undefined ? new Prometheus(all) : new Prometheus(all, http);
      opened.push(source);
      return source;
    };
    return { title, source: byLabel(podLabel), podLabel, byLabel };
  }

  return {
    async of(check, namespace) {
      const without = withoutPast(check);
      if (without !== undefined) return { unknown: without };
      const key = `${namespace}/${check.source ?? ''}`;
      const known = reached.get(key) ?? open(check.source, namespace);
      reached.set(key, known);
      return known;
    },
    close: () => opened.forEach((source) => source.close()),
  };
}

function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw usageError(`invalid --address "${text}": write the address of Prometheus, such as http://localhost:9090`);
  if (url.username !== '' || url.password !== '')
    throw usageError(
      'invalid --address: it contains a password: write a bearer token into a file, and use --token-file',
    );
  return url;
}

/** Why a check cannot be judged again. Undefined if it can. */
export function withoutPast({ source, value, pods, condition }: AnalysisCheck): string | undefined {
  if (condition !== undefined) return 'the condition of an object has no past';
  if (pods !== undefined || value?.external !== undefined || source === KUBERNETES_SOURCE)
    return 'the metrics APIs of Kubernetes have no past values';
  return value?.web === undefined ? undefined : 'a source of type web has no past values';
}

interface FoundSource {
  readonly title: string;
  readonly spec: PrometheusSpec;
}

/** The MetricSource that the operator would use. `address`: the user gives one, so that a MetricSource need not be readable. */
async function find(
  cluster: Cluster,
  name: string | undefined,
  namespace: string,
  address: boolean,
): Promise<FoundSource | Unknown> {
  try {
    const all = await cluster.list<SourceObject>(METRIC_SOURCES);
    const labels = all.some(({ spec }) => spec.namespaceSelector !== undefined)
      ? (await cluster.find(NAMESPACES, { name: namespace }))?.metadata.labels
      : undefined;
    const usable = all.filter(({ spec }) => selects(spec.namespaceSelector, labels));
    const found =
      usable.find(({ metadata }) => metadata.name === (name ?? DEFAULT_NAME)) ??
      (name === undefined ? onlyOf(usable) : undefined);
    if (found === undefined)
      return address && name === undefined ? AT_ADDRESS : { unknown: missing(all, usable, name, namespace) };
    const title = `MetricSource ${found.metadata.name}`;
    const { prometheus } = found.spec;
    return prometheus === undefined ? { unknown: `${title} is not of type prometheus` } : { title, spec: prometheus };
  } catch (error) {
    const answer = cluster.answerOf(error);
    if (answer !== 'Forbidden' && answer !== 'NotFound') throw error;
    if (address) return AT_ADDRESS;
    return answer === 'NotFound'
      ? { unknown: 'the cluster does not serve MetricSources: write --address with the address of Prometheus' }
      : { unknown: 'you may not read MetricSources and namespaces: write --address with the address of Prometheus' };
  }
}

const AT_ADDRESS: FoundSource = { title: 'the source at --address', spec: {} };

const onlyOf = <T>(all: readonly T[]): T | undefined => (all.length === 1 ? all[0] : undefined);

function missing(
  all: readonly SourceObject[],
  usable: readonly SourceObject[],
  name: string | undefined,
  namespace: string,
): string {
  const names = (of: readonly SourceObject[]): string => of.map(({ metadata }) => metadata.name).join(', ');
  if (all.length === 0) return 'there is no MetricSource: write --address with the address of Prometheus';
  if (all.some(({ metadata }) => metadata.name === name) || usable.length === 0)
    return `namespace ${namespace} may not use MetricSource ${name ?? names(all)}: its namespaceSelector does not match`;
  return name === undefined
    ? `none of the MetricSources ${names(usable)} is named ${DEFAULT_NAME}: write source in the check`
    : `there is no MetricSource ${name}; existing ones: ${names(usable)}`;
}

type Options = Pick<ConstructorParameters<typeof Prometheus>[0], 'url' | 'credentials'> & { readonly http?: Transport };

function reach(
  cluster: Cluster,
  { title, spec: { url, service, headers = {} } }: FoundSource,
  namespace: string,
  address: URL | undefined,
  token: string | undefined,
): Options | Unknown {
  if (address !== undefined) {
    const written = Object.fromEntries(
      Object.entries(headers).map(([key, value]) => [key, value.replaceAll('{{namespace}}', namespace)]),
    );
    const all = { ...written, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    return { url: address, credentials: async () => ({ headers: all }) };
  }
  if (service === undefined)
    return {
      unknown: `${title} is at ${url}, which this machine may not reach: write --address with the address to use from here`,
    };
  if (Object.keys(headers).length > 0)
    return {
      unknown: `${title} needs headers, which cannot be sent through the API server: forward its port, and write --address`,
    };
  const base = (service.path ?? '').replace(/\/+$/, '');
  const http: Transport = {
    ask: ({ path, form }, signal) =>
      throughApiServer(cluster, service, `${base}${path}`, new URLSearchParams(form), signal),
    close: () => undefined,
  };
  // It is not used: the Service is in the path.
  return { url: new URL('http://service'), http };
}

async function tokenIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new CliError(`--token-file: ${(error as Error).message}`, EXIT.usage);
  }
}

/** With GET, so that the permission `get` of services/proxy is enough. */
async function throughApiServer(
  { api }: Cluster,
  service: ProxiedService,
  path: string,
  form: URLSearchParams,
  signal: AbortSignal,
): Promise<HttpAnswer | Unknown> {
  try {
    const at = proxyPathOf(service, path);
    const answer = await api.request({ method: 'GET', path: at, query: Object.fromEntries(form), signal });
    return { status: 200, text: JSON.stringify(answer ?? null) };
  } catch (error) {
    signal.throwIfAborted();
    // An error of Prometheus itself.
    if (error instanceof ApiError && (error.status as { kind?: unknown }).kind !== 'Status')
      return { status: error.code, text: JSON.stringify(error.status) };
    const { message } = await explainFailure(error);
    return { unknown: harmless(oneLine(message)).slice(0, 300) };
  }
}
