// All sources against servers that lie, hang and break.
import { createApi } from '../../src/kube/client.ts';
import { KubernetesMetrics } from '../../src/metric-sources/kubernetes.ts';
import { Prometheus } from '../../src/metric-sources/prometheus.ts';
import type { MetricSource, Query } from '../../src/metric-sources/source.ts';
import { Web } from '../../src/metric-sources/web.ts';
import { describeSource, NOW } from './contract.ts';

const pods = { namespace: 'shop', pods: 'app=web' };

/** Over a connection to an API server at this address. */
function kubernetes(server: URL, timeoutMs: number): MetricSource {
  const connection = { server, credentials: async () => ({ headers: {}, tls: {} }) };
  const api = createApi({ connection: connection as never, userAgent: 'test', fieldManager: 'test' });
  const source = new KubernetesMetrics({ api, timeoutMs });
  return { hasHistory: false, range: (...asked) => source.range(...asked), close: () => api.close() };
}

const matrix = (...result: unknown[]): object => ({ status: 'success', data: { resultType: 'matrix', result } });
const series = (values: unknown, pod = 'web-1'): object => ({ metric: { pod }, values });
const at = NOW / 1000;

describeSource({
  name: 'prometheus',
  make: (url, timeoutMs) => new Prometheus({ url, timeoutMs, guarded: false }),
  query: { kind: 'Counters', namespace: 'shop', workload: 'web', selector: 'up' },
  good: { body: matrix(series([[at, '7']])), value: 7 },
  bad: {
    'two series for one Pod': matrix(series([[at, '1']]), series([[at, '2']])),
    'numbers that are not text': matrix(series([[at, 1]])),
    'times that are text': matrix(series([[`${at}`, '1']])),
    'pairs of one': matrix(series([[at]])),
    'times that were not asked for': matrix(series([[at - 7, '1']])),
    'times of the future': matrix(series([[at + 30, '1']])),
    'a time that is infinite': {
      ...matrix(series([])),
      ...JSON.parse(
        '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e999,"1"]]}]}}',
      ),
    },
    'another type': { status: 'success', data: { resultType: 'vector', result: [] } },
    warnings: { ...matrix(series([[at, '1']])), warnings: ['a store is down'] },
    'a part of the data': { ...matrix(series([[at, '1']])), isPartial: true },
  },
});

describeSource({
  name: 'web',
  make: (url, timeoutMs) => new Web({ url, timeoutMs, guarded: false }),
  query: { kind: 'Web', namespace: 'shop', path: '/results/last', jsonPath: '{.tests[0].score}' },
  good: { body: { tests: [{ score: 0.9 }] }, value: 0.9 },
  bad: {
    'no such field': { tests: [] },
    'text for the number': { tests: [{ score: '0.9' }] },
    'true for the number': { tests: [{ score: true }] },
    'null for the number': { tests: [{ score: null }] },
    'a list for the number': { tests: [{ score: [0.9] }] },
    'an object for the list': { tests: { 0: { score: 0.9 } } },
  },
});

const podMetrics = (...items: unknown[]): object => ({ kind: 'PodMetricsList', metadata: {}, items });
const pod = (containers: unknown, name = 'web-1'): object => ({ metadata: { name }, containers });

describeSource({
  name: 'kubernetes for the use of resources',
  make: kubernetes,
  query: { kind: 'PodResource', ...pods, resource: 'cpu' },
  good: { body: podMetrics(pod([{ usage: { cpu: '100m' } }, { usage: { cpu: '200m' } }])), value: 0.1 + 0.2 },
  bad: {
    'two values for one Pod': podMetrics(pod([{ usage: { cpu: '1' } }]), pod([{ usage: { cpu: '2' } }])),
    'a number that is no quantity': podMetrics(pod([{ usage: { cpu: 1 } }])),
    NaN: podMetrics(pod([{ usage: { cpu: 'NaN' } }])),
    'no containers': podMetrics(pod([])),
    'containers that are null': podMetrics(pod([null])),
    'a container without a value': podMetrics(pod([{ usage: { cpu: '1' } }, {}])),
    'an item without a name': podMetrics({ containers: [{ usage: { cpu: '1' } }] }),
    'more than 10,000 Pods': podMetrics(
      ...Array.from({ length: 10_001 }, (_, i) => pod([{ usage: { cpu: '1' } }], `web-${i}`)),
    ),
  },
});

const metricValues = (...items: unknown[]): object => ({ kind: 'MetricValueList', metadata: {}, items });
const describedObject = { kind: 'Pod', namespace: 'shop', name: 'web-1' };

describeSource({
  name: 'kubernetes for metrics of Pods',
  make: kubernetes,
  query: { kind: 'PodMetric', ...pods, metric: 'queue_length' },
  good: { body: metricValues({ describedObject, value: '1500m' }), value: 1.5 },
  bad: {
    'two values for one Pod': metricValues({ describedObject, value: '1' }, { describedObject, value: '2' }),
    'a value of another namespace': metricValues({
      describedObject: { ...describedObject, namespace: 'pay' },
      value: '1',
    }),
    'a value of another kind': metricValues({ describedObject: { ...describedObject, kind: 'Service' }, value: '1' }),
    'a value of nothing': metricValues({ value: '1' }),
    'a number that is no quantity': metricValues({ describedObject, value: 1 }),
  },
});

const externalValues = (...values: unknown[]): object => ({
  kind: 'ExternalMetricValueList',
  metadata: {},
  items: values.map((value) => ({ metricName: 'orders', metricLabels: {}, value })),
});
const external: Query = { kind: 'External', namespace: 'shop', metric: 'orders', selector: 'region=eu' };

describeSource({
  name: 'kubernetes for metrics from outside',
  make: kubernetes,
  query: external,
  good: { body: externalValues('2k'), value: 2_000 },
  bad: {
    'two values': externalValues('1', '2'),
    'a number that is no quantity': externalValues('1.2.3'),
    'a value that is null': externalValues(null),
  },
});
