// A stand-in for the controller of a Gateway: it accepts each route some time after each change. And the definition of HTTPRoutes, without its schema.
import type { ApiClient } from '../../../src/kube/client.ts';
import type { Chance } from '../chance.ts';
import type { Seen } from '../judge.ts';

export const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';
export const SERVICES = '/api/v1/namespaces/default/services';
const PARENT = { name: 'gateway' };
const LAG_MS = [0, 400] as const;

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: 'httproutes.gateway.networking.k8s.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
  },
  spec: {
    group: 'gateway.networking.k8s.io',
    scope: 'Namespaced',
    names: { kind: 'HTTPRoute', plural: 'httproutes', singular: 'httproute', listKind: 'HTTPRouteList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: anything, status: anything } } },
      },
    ],
  },
};

/** A Service and a route of a user, which sends it all requests. */
export const objectsOf = (name: string): readonly (readonly [path: string, object: object])[] => [
  [
    SERVICES,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    },
  ],
  [
    ROUTES,
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name },
      spec: { parentRefs: [PARENT], rules: rulesOf(name) },
    },
  ],
];

export const rulesOf = (name: string): readonly object[] => [
  {
    backendRefs: [
      { name, port: 80, weight: 3 },
      { name: 'other', port: 80, weight: 1 },
    ],
  },
];

/** Accepts the changes that an observer sees. */
export const accepts =
  (api: ApiClient, chance: Chance) =>
  ({ kind, type, object }: Seen): void => {
    if (kind !== 'HTTPRoute' || type === 'DELETED') return;
    const { generation: observedGeneration, name } = object.metadata;
    if (object.status?.parents?.[0]?.conditions?.[0]?.observedGeneration === observedGeneration) return;
    const lastTransitionTime = new Date().toISOString();
    const conditions = ['Accepted', 'ResolvedRefs'].map((condition) => ({
      type: condition,
      status: 'True',
      reason: condition,
      message: '',
      observedGeneration,
      lastTransitionTime,
    }));
    const body = { status: { parents: [{ parentRef: PARENT, controllerName: 'example.net/gateway', conditions }] } };
    const patch = {
      method: 'PATCH',
      path: `${ROUTES}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body,
    };
    setTimeout(() => void api.request(patch as never).catch(() => undefined), chance.between(...LAG_MS));
  };
