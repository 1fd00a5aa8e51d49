// The source kubernetes: what it asks, what it says about errors, and quantities.
import assert from 'node:assert/strict';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { pathOf } from '../../src/kube/path.ts';
import { findReleaseObject } from '../../src/metric-sources/objects.ts';
import { KubernetesMetrics } from '../../src/metric-sources/kubernetes.ts';
import { parseQuantity } from '../../src/metric-sources/quantity.ts';
import type { Query } from '../../src/metric-sources/source.ts';
import { ask, assertUnknown } from './contract.ts';

const QUERIES: Readonly<Record<'resource' | 'metric' | 'external', Query>> = {
  resource: { kind: 'PodResource', namespace: 'shop', pods: 'app=web,x in (a,b)', resource: 'memory' },
  metric: { kind: 'PodMetric', namespace: 'shop', pods: 'app=web', metric: 'queue_length' },
  external: { kind: 'External', namespace: 'shop', metric: 'orders', selector: 'region=eu' },
};
const notServed = new ApiError(404, { message: 'HTTP 404: 404 page not found' });
const noMetric = new ApiError(404, { reason: 'NotFound', message: 'hidden', details: {} });
const { signal } = new AbortController();

/** Answers one after the other. */
function fakeApi(...answers: unknown[]): { readonly calls: ApiCall[]; readonly api: Api } {
  const calls: ApiCall[] = [];
  const request = async (call: ApiCall): Promise<unknown> => {
    calls.push(call);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { calls, api: { request, watch: () => Promise.reject(new Error('not used')) } };
}

describe('the source kubernetes', () => {
  const urls = (calls: readonly ApiCall[]): string[] =>
    calls.map(({ path, query }) => `${path}?${new URLSearchParams(query).toString()}`);

  for (const [kind, expected] of [
    ['resource', '/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb%2Cx+in+%28a%2Cb%29'],
    ['metric', '/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/queue_length?labelSelector=app%3Dweb'],
    ['external', '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/orders?labelSelector=region%3Deu'],
  ] as const)
    it(`asks for ${kind}`, async () => {
      const { api, calls } = fakeApi({ items: [] });
      assert.deepEqual(await ask(new KubernetesMetrics({ api }), QUERIES[kind]), []);
      assert.deepEqual(urls(calls), [expected]);
    });

  it('asks an older version of custom metrics if the newer one is not served', async () => {
    const item = { describedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1' }, metricName: 'q', value: '3' };
    const { api, calls } = fakeApi(notServed, { items: [item] });
    assert.deepEqual(await ask(new KubernetesMetrics({ api }), QUERIES.metric), [
      { pod: 'web-1', samples: new Map([[1_800_000_000_000, 3]]) },
    ]);
    assert.match(calls[1]!.path, /\/custom\.metrics\.k8s\.io\/v1beta1\/namespaces\/shop\/pods\/\*\/queue_length$/);
  });

  for (const [kind, error, expected] of [
    ['resource', notServed, 'metrics.k8s.io is not served by this cluster: install metrics-server'],
    ['metric', notServed, /^custom\.metrics\.k8s\.io is not served by this cluster: install an adapter/],
    ['metric', noMetric, 'custom.metrics.k8s.io has no such metric'],
    ['external', noMetric, 'external.metrics.k8s.io has no such metric'],
    ['resource', new ApiError(403, { message: 'hidden' }), 'forbidden: no permission to read metrics.k8s.io'],
    ['external', new ApiError(403, { message: 'hidden' }), /^forbidden: .*external\.metrics\.k8s\.io \(value analysis/],
    ['resource', new ApiError(503, { message: 'hidden' }), 'the API server answered 503'],
    ['resource', new NetworkError('hidden', 'ECONNREFUSED'), 'the API server does not answer'],
  ] as const)
    it(`says for ${kind}: ${String(expected)}`, async () => {
      const { api } = fakeApi(error, error);
      const answer = await ask(new KubernetesMetrics({ api }), QUERIES[kind]);
      assertUnknown(answer);
      const { unknown } = answer as { unknown: string };
      if (expected instanceof RegExp) assert.match(unknown, expected);
      else assert.equal(unknown, expected);
      assert.doesNotMatch(unknown, /hidden/);
    });

  for (const metric of ['../../pods', 'a/b', 'a%2fb', '..', '.', '', 'a\\b', 'a\nb', 'x'.repeat(254)])
    for (const kind of ['metric', 'external'] as const)
      it(`asks for no ${kind} with the name ${JSON.stringify(metric.slice(0, 20))}`, async () => {
        const { api, calls } = fakeApi();
        const answer = await ask(new KubernetesMetrics({ api }), { ...QUERIES[kind], metric } as Query);
        assert.deepEqual(answer, { unknown: 'the name of the metric is not valid in a path of the API' });
        assert.equal(calls.length, 0);
      });

  it('encodes other names of metrics', () => {
    const resource = { apiVersion: 'external.metrics.k8s.io/v1beta1', kind: '', plural: 'a b?c#d' };
    assert.equal(
      pathOf(resource, { namespace: 'shop' }),
      '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/a%20b%3Fc%23d',
    );
  });
});

describe('a quantity', () => {
  for (const [text, value] of [
    ['0', 0],
    ['1', 1],
    ['250m', 0.25],
    ['300m', 0.3],
    ['156340n', 0.00015634],
    ['12u', 0.000012],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['-2', -2],
    ['+2k', 2_000],
    ['3M', 3e6],
    ['1E', 1e18],
    ['1e3', 1_000],
    ['1E3', 1_000],
    ['12e-2', 0.12],
    ['128974848', 128_974_848],
    ['1Ki', 1_024],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2Ei', 2 ** 61],
    ['', undefined],
    ['m', undefined],
    ['1K', undefined],
    ['1ki', undefined],
    ['1mi', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['0x10', undefined],
    ['1 ', undefined],
    ['1e', undefined],
    ['1e3k', undefined],
    ['1.2.3', undefined],
    [5, undefined],
    [null, undefined],
  ] as const)
    it(`${JSON.stringify(text)} is ${value}`, () => assert.equal(parseQuantity(text), value));
});

describe('the object of a release', () => {
  const asked = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'shop', rolloutID: 'v1.2_3-4' };
  const resources = {
    resources: [
      { name: 'jobs', kind: 'Job', namespaced: true },
      { name: 'jobs/status', kind: 'Job', namespaced: true },
      { name: 'nodes', kind: 'Node', namespaced: false },
    ],
  };
  const job = (name: string, created: string, label = asked.rolloutID, namespace = 'shop'): object => ({
    metadata: { name, namespace, creationTimestamp: created, labels: { 'rollouts.kruise.io/rollout-id': label } },
  });

  it('is the newest one with its id, of the kind that the API server names', async () => {
    const items = [
      job('b', '2026-01-02'),
      job('c', '2026-01-03', 'v2'),
      job('a', '2026-01-02'),
      job('z', '2026-01-01'),
    ];
    const foreign = job('d', '2026-01-04', asked.rolloutID, 'pay');
    const { api, calls } = fakeApi(resources, { items: [...items, foreign, null, {}] }, { items: [] });
    const object = await findReleaseObject(api, asked, signal);
    assert.ok(object && !('unknown' in object));
    assert.deepEqual([object.kind, object.metadata.name], ['Job', 'b']);
    assert.equal(await findReleaseObject(api, asked, signal), undefined);
    assert.deepEqual(
      calls.map(({ path, query }) => [path, query?.['labelSelector']]),
      [
        ['/apis/batch/v1', undefined],
        ['/apis/batch/v1/namespaces/shop/jobs', 'rollouts.kruise.io/rollout-id=v1.2_3-4'],
        ['/apis/batch/v1/namespaces/shop/jobs', 'rollouts.kruise.io/rollout-id=v1.2_3-4'],
      ],
    );
  });

  for (const rolloutID of ['', 'a,b', 'a=b', '!a', 'a in (b)', 'ä', '-a', 'a'.repeat(64), 'a\n', '../x'])
    it(`is not looked for with the id ${JSON.stringify(rolloutID.slice(0, 12))}`, async () => {
      const { api, calls } = fakeApi();
      assertUnknown(await findReleaseObject(api, { ...asked, rolloutID }, signal));
      assert.equal(calls.length, 0);
    });

  for (const strange of [
    { apiVersion: '../../api/v1' },
    { apiVersion: 'batch/v1/x' },
    { apiVersion: '' },
    { apiVersion: 'batch/%2e%2e' },
    { kind: 'Jobs/status' },
    { kind: '' },
  ])
    it(`is not looked for with ${JSON.stringify(strange)}`, async () => {
      const { api, calls } = fakeApi();
      assertUnknown(await findReleaseObject(api, { ...asked, ...strange }, signal));
      assert.equal(calls.length, 0);
    });

  for (const [what, answers, expected, query = {}] of [
    ['a version that is not served', [notServed], 'batch/v1 Job is not served by this cluster'],
    ['a kind that is not served', [{ resources: [] }], 'batch/v1 has no kind Job in this cluster'],
    ['a strange discovery', ['text'], 'batch/v1 has no kind Job in this cluster'],
    ['a cluster-scoped kind', [resources], /^Node is a cluster-scoped kind/, { apiVersion: 'v1', kind: 'Node' }],
    [
      'no permission',
      [resources, new ApiError(403, { message: 'hidden' })],
      'forbidden: Tranche may not list jobs of batch/v1; create a ClusterRole with this right and the label tranche.dev/aggregate-to-conditions: "true"',
    ],
    ['an answer that is no list', [resources, { items: 'x' }], 'the answer of the API server is not a list'],
    ['too many objects', [resources, { items: [], metadata: { continue: 'x' } }], /more than 500 objects/],
    ['no answer', [resources, new NetworkError('hidden', 'ECONNRESET')], 'the API server does not answer'],
    [
      'a plural that is a path',
      [{ resources: [{ name: '..', kind: 'Job', namespaced: true }] }],
      /^the API server does not answer/,
    ],
  ] as const)
    it(`is Unknown with ${what}`, async () => {
      const { api } = fakeApi(...answers);
      const answer = await findReleaseObject(api, { ...asked, ...query }, signal);
      assertUnknown(answer);
      const { unknown } = answer as unknown as { unknown: string };
      if (expected instanceof RegExp) assert.match(unknown, expected);
      else assert.equal(unknown, expected);
    });

  it('is looked up again after its kind has gone', async () => {
    const { api, calls } = fakeApi(resources, notServed, resources, { items: [] });
    assertUnknown(await findReleaseObject(api, asked, signal));
    assert.equal(await findReleaseObject(api, asked, signal), undefined);
    assert.equal(calls.length, 4);
  });
});
