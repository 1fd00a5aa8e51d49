// An API server with a few fixed objects and, behind it, a Prometheus with generated counters.
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { stringify } from 'yaml';
import type { KubeObject, Rollout } from '../../src/api/types.ts';
import { temporaryFolder } from '../support/processes.ts';

/** Counters of one Pod: a request each `everyMs`, and a share of bad ones that depends on the time. */
export interface CountedPod {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly perSecond: number;
  readonly bad: (at: number) => number;
}

export interface FakeCluster {
  readonly kubeconfig: string;
  /** Address of Prometheus itself. */
  readonly address: string;
  /** Objects by the path of their collection. */
  readonly objects: Map<string, KubeObject[]>;
  pods: readonly CountedPod[];
  /** False: counters have no label with the name of the Pod. */
  podLabel: boolean;
  /** Values of other metrics, by a part of the query. */
  readonly values: Map<string, readonly string[]>;
  /** Answers of Prometheus are this status, if it is not 200. */
  status: number;
  /** Requests so far: method, path without query, and the PromQL if there is some. */
  readonly asked: string[];
  /** Paths that the user may not read. */
  readonly forbidden: Set<string>;
  /** Bodies of patches. */
  readonly patches: unknown[];
  /** Headers of the last request to Prometheus. */
  headers: IncomingMessage['headers'];
  close(): Promise<void>;
}

const SERVICE = '/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy';
const STEP_MS = 10_000;

export async function startFakeCluster(): Promise<FakeCluster> {
  const server = createServer(
    (request, response) => void read(request).then((body) => handle(request, response, body)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = path.join(temporaryFolder('fake-cluster'), 'kubeconfig');
  const named = { cluster: 'fake', user: 'fake' };
  await writeFile(
    kubeconfig,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'fake',
      clusters: [{ name: 'fake', cluster: { server: address, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'fake', user: {} }],
      contexts: [{ name: 'fake', context: { ...named, namespace: 'shop' } }],
    }),
    { mode: 0o600 },
  );
  const fake: FakeCluster = {
    kubeconfig,
    address,
    objects: new Map(),
    pods: [],
    podLabel: true,
    values: new Map(),
    status: 200,
    asked: [],
    forbidden: new Set(),
    patches: [],
    headers: {},
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function handle(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? '/', address);
    const { pathname } = url;
    const form = request.method === 'POST' ? new URLSearchParams(body) : url.searchParams;
    const query = form.get('query');
    fake.asked.push([request.method, pathname, ...(query === null ? [] : [query])].join(' '));
    const send = (code: number, answer: unknown): void => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    };
    if (pathname === `${SERVICE}/api/v1/query_range` || pathname === '/api/v1/query_range') {
      fake.headers = request.headers;
      return fake.status === 200
        ? send(200, answerTo(fake, form))
        : send(fake.status, { status: 'error', errorType: 'execution', error: 'secret' });
    }
    const [collection, name] = [
      pathname.slice(0, pathname.lastIndexOf('/')),
      pathname.slice(pathname.lastIndexOf('/') + 1),
    ];
    if (request.method === 'PATCH') {
      const patch = JSON.parse(body) as { status?: { canaryStatus?: object }; spec?: object };
      fake.patches.push(patch);
      const whole = fake.objects.get(collection)?.find(({ metadata }) => metadata.name === name);
      if (whole) return send(200, patched(whole, patch));
      const [stored] = (fake.objects.get(collection.replace(/\/[^/]*$/, '')) ?? []) as Rollout[];
      const canaryStatus = { ...stored?.status?.canaryStatus, ...patch.status?.canaryStatus };
      return send(200, { ...stored, status: { ...stored?.status, canaryStatus } });
    }
    // As in Kubernetes, a permission for one name also covers a list of that name.
    const only = /^metadata\.name=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1];
    if (fake.forbidden.has(pathname) || fake.forbidden.has(`${pathname}/${only}`)) {
      const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 };
      return send(403, { ...status, message: `${pathname} is forbidden` });
    }
    // There are none.
    const listed = fake.objects.get(pathname) ?? (/\/(statefulsets|daemonsets)$/.test(pathname) ? [] : undefined);
    if (listed) {
      const items = listed.filter(({ metadata }) => only === undefined || metadata.name === only);
      return send(200, { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items });
    }
    const found = fake.objects.get(collection)?.find(({ metadata }) => metadata.name === name);
    if (found) return send(200, found);
    const reason = 'NotFound';
    send(404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code: 404, message: `${name} not found` });
  }
  return fake;
}

/** A workload with another template is given back at once, as the webhook does with a rollback. */
function patched(
  object: KubeObject,
  patch: { readonly spec?: object } | readonly { path: string; value: unknown }[],
): object {
  const spec = (object as { spec?: object }).spec;
  if (!('length' in patch)) return { ...object, spec: { ...spec, ...patch.spec } };
  const template = patch.find(({ path }) => path === '/spec/template')?.value;
  return { ...object, metadata: { ...object.metadata, annotations: {} }, spec: { ...spec, template } };
}

async function read(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
  return body;
}

/** Knows the counters with and without `code=`, a histogram with a few buckets, `values`, and the functions that the plugin uses. */
function answerTo({ pods, values, podLabel }: FakeCluster, form: URLSearchParams): object {
  const query = form.get('query') ?? '';
  const [start, end, step] = ['start', 'end', 'step'].map((key) => 1000 * Number(form.get(key))) as [
    number,
    number,
    number,
  ];
  const times: number[] = [];
  for (let at = start; at <= end; at += step) times.push(at);
  const own = pods.filter(({ name }) => new RegExp(`^(?:${/pod=~"([^"]*)"/.exec(query)?.[1] ?? '.*'})$`).test(name));
  const known = /http_requests_total|http_request_duration_seconds_(count|bucket\{.*0\[\.\]5)/.test(query);
  const valuesOf = (of: CountedPod): [number, string][] =>
    times
      .filter((at) => known && at >= of.from && at <= of.to)
      .flatMap((at): [number, string][] => {
        const { total, bad } = countsAt(of, at);
        const value = query.includes('code=') ? bad : query.includes('_bucket') ? total - bad : total;
        // A counter of bad requests exists only from the first one on.
        return query.includes('code=') && value === 0 ? [] : [[at / 1000, `${value}`]];
      });
  const other = [...values].find(([part]) => query.includes(part))?.[1];
  return { status: 'success', data: { resultType: 'matrix', result: series().filter((one) => one.values.length > 0) } };

  function series(): { metric: object; values: [number, string][] }[] {
    if (other)
      return other.map((value, index) => ({
        metric: { pod: `pod-${index}` },
        values: times.map((at) => [at / 1000, value]),
      }));
    if (query.startsWith('count by (le)'))
      return query.includes('http_request_duration_seconds_bucket')
        ? ['0.1', '0.5', '1', '+Inf'].map((le) => ({ metric: { le }, values: times.map((at) => [at / 1000, '1']) }))
        : [];
    if (query.startsWith('count(')) {
      const counts = new Map<number, number>();
      for (const [time] of own.flatMap(valuesOf)) counts.set(time, (counts.get(time) ?? 0) + 1);
      return [{ metric: {}, values: [...counts].map(([time, count]): [number, string] => [time, `${count}`]) }];
    }
    if (!podLabel) return query.includes('pod=~') ? [] : [{ metric: {}, values: own.flatMap(valuesOf).slice(0, 1) }];
    return own.map((of) => ({ metric: { pod: of.name }, values: valuesOf(of) }));
  }
}

const sums = new WeakMap<CountedPod, Map<number, number>>();

/** Exact counters: the bad ones of a step are rounded. */
function countsAt(pod: CountedPod, at: number): { total: number; bad: number } {
  const known = sums.get(pod) ?? new Map<number, number>();
  sums.set(pod, known);
  const steps = Math.floor((at - pod.from) / STEP_MS);
  const each = (pod.perSecond * STEP_MS) / 1000;
  let bad = known.get(steps);
  if (bad === undefined) {
    bad = 0;
    for (let step = 0; step < steps; step++) bad += Math.round(each * pod.bad(pod.from + step * STEP_MS));
    known.set(steps, bad);
  }
  return { total: steps * each, bad };
}
