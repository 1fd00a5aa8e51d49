// What the tests' own gateway makes of routes: the order of their rules, Envoy's configuration, and the status.
import assert from 'node:assert/strict';
import { entriesOf } from './entries.ts';
import { endpointsOf, routesOf } from './envoy-config.ts';
import { CONTROLLER, parentsOf } from './status.ts';
import type { GrpcRoute, HttpRoute, Known, Service, Slice } from './types.ts';

const GATEWAY = 'web';
const service = (name: string, port: object = { port: 80 }): Service =>
  ({ metadata: { name }, spec: { ports: [port] } }) as Service;
const ref = (name: string, more: object = {}): object => ({ name, port: 80, ...more });
const route = (rules: readonly object[], more: object = {}, parent = GATEWAY): HttpRoute =>
  ({
    metadata: { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z', generation: 3, ...more },
    spec: { parentRefs: [{ name: parent }], rules },
  }) as HttpRoute;
const known = (httpRoutes: readonly HttpRoute[], more: Partial<Known> = {}): Known => ({
  httpRoutes,
  grpcRoutes: [],
  services: [service('a'), service('b')],
  slices: [],
  ...more,
});
const path = (type: string, value: string): object => ({ path: { type, value } });

describe('the gateway of the tests', () => {
  it('reads the rules in the order of the Gateway API', () => {
    const header = { name: 'x', value: '1' };
    const rules = [
      { matches: [path('PathPrefix', '/')] },
      { matches: [path('PathPrefix', '/shop')] },
      { matches: [{ ...path('PathPrefix', '/shop'), headers: [header] }] },
      { matches: [path('Exact', '/shop')] },
      { matches: [{ ...path('PathPrefix', '/shop'), method: 'GET' }] },
      { matches: [{ ...path('PathPrefix', '/shop'), queryParams: [header] }] },
    ];
    const entries = entriesOf(known([route(rules)]), GATEWAY);
    assert.deepEqual(
      entries.map((entry) => [
        entry.path.kind,
        entry.path.value,
        entry.method ?? '',
        entry.headers.length,
        entry.query.length,
      ]),
      [
        ['Exact', '/shop', '', 0, 0],
        ['Prefix', '/shop', 'GET', 0, 0],
        ['Prefix', '/shop', '', 1, 0],
        ['Prefix', '/shop', '', 0, 1],
        ['Prefix', '/shop', '', 0, 0],
        ['Prefix', '/', '', 0, 0],
      ],
    );
  });

  it('prefers the older route, then the first rule', () => {
    const to = (name: string): object => ({ backendRefs: [ref(name)] });
    const routes = [
      route([to('a')], { name: 'young', creationTimestamp: '2026-02-01T00:00:00Z' }),
      route([to('b'), to('a')], { name: 'old' }),
    ];
    const services = entriesOf(known(routes), GATEWAY).map(({ targets }) => targets[0]?.backend?.service);
    assert.deepEqual(services, ['b', 'a', 'a']);
  });

  it('takes the routes of its own Gateway only', () => {
    assert.deepEqual(entriesOf(known([route([{}], {}, 'other')]), GATEWAY), []);
  });

  it('takes a ref as not valid whose Service, port or kind does not exist', () => {
    const refs = [
      ref('a'),
      ref('none'),
      ref('a', { port: 81 }),
      ref('a', { kind: 'Bucket' }),
      ref('a', { namespace: 'x' }),
    ];
    const [entry] = entriesOf(known([route([{ backendRefs: refs }])]), GATEWAY);
    assert.deepEqual(
      entry?.targets.map(({ backend }) => backend?.service),
      ['a', undefined, undefined, undefined, undefined],
    );
  });

  it('answers with 500 where all weights are 0, and keeps legs of weight 0 elsewhere', () => {
    const rules = [
      { backendRefs: [ref('a', { weight: 0 })] },
      { matches: [path('Exact', '/x')], backendRefs: [ref('a', { weight: 0 }), ref('b')] },
    ];
    const text = JSON.stringify(routesOf(entriesOf(known([route(rules)]), GATEWAY)));
    assert.match(text, /"direct_response":\{"status":500\}/);
    assert.match(text, /"name":"a\.80","weight":0.*"name":"b\.80","weight":1/);
  });

  it('speaks HTTP/2 to backends of a GRPCRoute, and to a port that says h2c', () => {
    const grpc = { ...route([{ matches: [{ method: { service: 's.S', method: 'M' } }], backendRefs: [ref('a')] }]) };
    const h2c = service('c', { port: 80, appProtocol: 'kubernetes.io/h2c' });
    const http = route([{ backendRefs: [ref('c'), ref('a')] }]);
    const entries = entriesOf(
      known([http], { grpcRoutes: [grpc as GrpcRoute], services: [service('a'), h2c] }),
      GATEWAY,
    );
    assert.deepEqual(
      entries.map(({ path: { value }, targets }) => [value, targets.map(({ backend }) => backend?.h2)]),
      [
        ['/s.S/M', [true]],
        ['/', [true, false]],
      ],
    );
  });

  it('sends requests to ready endpoints of the port only', () => {
    const slice = {
      metadata: { name: 'a-1', labels: { 'kubernetes.io/service-name': 'a' } },
      endpoints: [
        { addresses: ['127.1.0.1'], conditions: { ready: true } },
        { addresses: ['127.1.0.2'], conditions: { ready: false } },
        { addresses: ['127.1.0.3'] },
      ],
      ports: [
        { name: 'other', port: 1 },
        { name: '', port: 8080 },
      ],
    } as Slice;
    const found = endpointsOf({ service: 'a', port: 80, h2: false }, { services: [service('a')], slices: [slice] });
    assert.deepEqual(
      [...JSON.stringify(found).matchAll(/"address":"([^"]+)","port_value":(\d+)/g)].map(
        ([, host, port]) => `${host}:${port}`,
      ),
      ['127.1.0.1:8080', '127.1.0.3:8080'],
    );
  });

  const NOW = '2026-01-02T00:00:00Z';
  const statusOf = (of: HttpRoute): [string, string, number | undefined][] | undefined =>
    parentsOf(of, { gateway: GATEWAY, services: [service('a')], now: NOW })?.flatMap(({ conditions }) =>
      conditions.map(({ status, reason, observedGeneration }): [string, string, number | undefined] => [
        status,
        reason,
        observedGeneration,
      ]),
    );

  it('says what it has observed', () => {
    assert.deepEqual(statusOf(route([{ backendRefs: [ref('a')] }])), [
      ['True', 'Accepted', 3],
      ['True', 'ResolvedRefs', 3],
    ]);
    assert.deepEqual(statusOf(route([{ filters: [{ type: 'URLRewrite' }], backendRefs: [ref('b')] }])), [
      ['False', 'UnsupportedValue', 3],
      ['False', 'BackendNotFound', 3],
    ]);
  });

  it('leaves what others say, and writes nothing that is there', () => {
    const other = { parentRef: { name: GATEWAY }, controllerName: 'other/one', conditions: [] };
    const old = route([{ backendRefs: [ref('a')] }]);
    const first = { ...old, status: { parents: [other] } };
    const parents = parentsOf(first, { gateway: GATEWAY, services: [service('a')], now: NOW })!;
    assert.deepEqual(
      parents.map(({ controllerName }) => controllerName),
      ['other/one', CONTROLLER],
    );
    assert.equal(statusOf({ ...old, status: { parents } }), undefined);
  });
});
