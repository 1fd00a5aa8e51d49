// The scenarios of Services and their endpoints that were recorded on a real cluster. The steps do what a kubelet does.
import { patch, remove } from './steps.ts';
import type { Scenario, Step } from './run.ts';

const CORE = '/api/v1/namespaces/${ns}';
const SERVICE = `${CORE}/services/web`;
const SLICES = '/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices';

const createService = (spec: object, metadata: object = {}): Step => ({
  do: 'create the Service',
  method: 'POST',
  path: `${CORE}/services`,
  body: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', ...metadata }, spec },
});

/** The finalizer keeps a Pod that is deleted. A stand-in kubelet does not touch Pods with this image. */
const createPod = (name: string, ports: object[] = [], spec: object = {}): Step => ({
  do: `create Pod ${name}`,
  method: 'POST',
  path: `${CORE}/pods`,
  body: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'web' }, finalizers: ['example.com/hold'] },
    spec: { nodeName: 'n0', containers: [{ name: 'web', image: 'web:broken', ports }], ...spec },
  },
});

const status = (name: string, ip: string, ready: boolean, phase = 'Running'): Step =>
  patch(`Pod ${name} is ${phase}, ${ready ? '' : 'not '}ready`, `${CORE}/pods/${name}/status`, {
    status: {
      phase,
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  });

const labels = (name: string, value: object): Step =>
  patch(`labels of Pod ${name}`, `${CORE}/pods/${name}`, { metadata: { labels: value } });
const release = (name: string): Step =>
  patch(`Pod ${name} is gone`, `${CORE}/pods/${name}`, { metadata: { finalizers: null } });
const removePod = (name: string): Step => ({
  ...remove(`delete Pod ${name}`, `${CORE}/pods/${name}`),
  body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 },
});
const service = (what: string, fields: object): Step => patch(what, SERVICE, { spec: fields });

const http = (containerPort: number): object => ({ name: 'http', containerPort });
const named = { name: 'http', port: 80, targetPort: 'http' };
const h2c = { name: 'grpc', port: 90, targetPort: 9090, appProtocol: 'kubernetes.io/h2c' };
const selector = { app: 'web' };

const soon = (step: Step): Step => ({ ...step, afterMs: 1 });
const many = Array.from({ length: 120 }, (_, i) => i);

export const services: Scenario[] = [
  {
    name: 'svc-endpoints',
    kind: 'Service',
    withoutKubelet: true,
    steps: [
      createService({ selector, ports: [named, h2c] }, { labels: { team: 'a', 'kubernetes.io/service-name': 'x' } }),
      createPod('a', [http(8080)]),
      status('a', '10.1.0.1', false),
      status('a', '10.1.0.1', true),
      createPod('b', [http(8081)]),
      status('b', '10.1.0.2', true),
      createPod('c', [{ name: 'http', containerPort: 8082, protocol: 'UDP' }]),
      status('c', '10.1.0.3', true),
      removePod('a'),
      status('a', '10.1.0.1', false),
      release('a'),
      labels('b', { app: 'other' }),
      labels('b', { app: 'web' }),
      patch('labels of the Service', SERVICE, { metadata: { labels: { team: 'b' } } }),
      service('ports with numbers', { ports: [{ ...named, targetPort: 8080 }, h2c] }),
      status('b', '10.1.0.2', false),
      service('addresses that are not ready', { publishNotReadyAddresses: true }),
      removePod('b'),
      release('b'),
      status('c', '10.1.0.3', true, 'Succeeded'),
      removePod('c'),
      release('c'),
    ],
  },
  {
    name: 'svc-slices-of-others',
    kind: 'Service',
    withoutKubelet: true,
    quietMs: 4000,
    steps: [
      createService({ selector, ports: [{ port: 80 }] }),
      createPod('a'),
      status('a', '10.1.0.1', true),
      {
        do: 'a slice of a user',
        method: 'POST',
        path: SLICES,
        body: {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: 'mine', labels: { 'kubernetes.io/service-name': 'web' } },
          addressType: 'IPv4',
          endpoints: [{ addresses: ['10.2.0.1'], conditions: { ready: true } }],
          ports: [{ port: 80 }],
        },
      },
      patch('a user empties the slice of the controller', `${SLICES}/\${slice}`, { endpoints: [] }),
      remove('a user deletes the slice of the controller', `${SLICES}/\${slice}`),
      service('no selector', { selector: null }),
      status('a', '10.1.0.1', false),
      service('a selector again', { selector }),
      remove('delete the Service', SERVICE),
      removePod('a'),
      release('a'),
    ],
  },
  {
    name: 'svc-headless',
    kind: 'Service',
    withoutKubelet: true,
    steps: [
      createService({ selector, clusterIP: 'None' }),
      createPod('a', [], { hostname: 'first', subdomain: 'web' }),
      status('a', '10.1.0.1', true),
      createPod('b', [], { hostname: 'second', subdomain: 'other' }),
      status('b', '10.1.0.2', false),
      service('a port', { ports: [{ port: 80 }] }),
      service('an external name', {
        type: 'ExternalName',
        externalName: 'example.com',
        clusterIP: null,
        clusterIPs: null,
      }),
      removePod('a'),
      removePod('b'),
      release('a'),
      release('b'),
    ],
  },
  {
    name: 'svc-many',
    kind: 'Service',
    withoutKubelet: true,
    counts: true,
    steps: [
      createService({ selector, ports: [{ port: 80 }] }),
      ...many.flatMap((i) => [soon(createPod(`p${i}`)), soon(status(`p${i}`, `10.1.0.${i + 1}`, true))]),
      removePod('p0'),
      release('p0'),
      ...many.slice(1).flatMap((i) => [soon(removePod(`p${i}`)), soon(release(`p${i}`))]),
      labels('p1', {}),
    ],
  },
];
