// Routes and Services for tests of traffic, and random routes that the Gateway API accepts.
import type { BackendRef, Route, RouteFilter, RouteMatch, RouteRule, Service } from '../../../src/api/traffic.ts';
import type { ObjectMeta } from '../../../src/api/types.ts';
import { grpcRoutes } from '../../../src/engine/traffic/grpcroute.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import type { TrafficProvider } from '../../../src/engine/traffic/provider.ts';
import type { ApartSplit, SharedSplit, Split } from '../../../src/engine/traffic/split.ts';

export const NAMESPACE = 'default';

/** A ref as the API server stores it, with its defaults. */
export const ref = (name: string, weight = 1, more: Partial<BackendRef> = {}): BackendRef => ({
  group: '',
  kind: 'Service',
  name,
  port: 80,
  weight,
  ...more,
});

export const EVERYTHING = { type: 'PathPrefix', value: '/' };

export const rule = (refs: readonly BackendRef[], more: Partial<RouteRule> = {}): RouteRule => ({
  matches: [{ path: EVERYTHING }],
  ...more,
  backendRefs: refs,
});

export const route = (
  rules: readonly RouteRule[],
  metadata: Partial<ObjectMeta> = {},
  more: Partial<Route> = {},
): Route => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web', namespace: NAMESPACE, resourceVersion: '7', generation: 3, ...metadata },
  spec: { parentRefs: [{ name: 'gateway' }], hostnames: ['web.example.com'], rules },
  ...more,
});

export const service = (spec: Partial<Service['spec']> = {}, metadata: Partial<ObjectMeta> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: NAMESPACE, resourceVersion: '9', ...metadata },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.0.0.7',
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    ...spec,
  },
});

export const shared = (weight: number): SharedSplit => ({ mode: 'Shared', base: 'web', canary: 'web-canary', weight });
export const apart = (weight: number, more: Partial<ApartSplit> = {}): ApartSplit => ({
  mode: 'Apart',
  base: 'web',
  stable: 'web-stable',
  canary: 'web-canary',
  weight,
  ...more,
});

type Random = () => number;
const int = (random: Random, below: number): number => Math.floor(random() * below);
const some = <T>(random: Random, most: number, make: (index: number) => T): T[] =>
  Array.from({ length: int(random, most + 1) }, (_, index) => make(index));
function one<T>(random: Random, of: readonly [T, ...T[]]): T {
  return of[int(random, of.length)] ?? of[0];
}

const WEIGHTS = [0, 1, 1, 2, 3, 7, 10, 50, 99, 100, 333, 1000] as const;
const PATHS = ['/', '/shop', '/shop/cart', '/api', '/api/v1/'] as const;

const randomRef = (random: Random): BackendRef => ({
  ...ref(one(random, ['web', 'web', 'other', 'web-api']), one(random, WEIGHTS)),
  ...(random() < 0.1 && { namespace: one(random, [NAMESPACE, 'elsewhere']) }),
  port: one(random, [80, 8080]),
  ...(random() < 0.1 && { filters: [header('x-ref', 'set')] }),
});

const header = (name: string, how: 'set' | 'add'): RouteFilter => ({
  type: 'RequestHeaderModifier',
  requestHeaderModifier: { [how]: [{ name, value: 'from-rule' }] },
});

const key = (name: string, random: Random): { name: string; type: string; value: string } => ({
  name,
  type: one(random, ['Exact', 'RegularExpression']),
  value: one(random, ['a', 'b']),
});

const randomMatch = (provider: TrafficProvider, random: Random): RouteMatch => ({
  ...(provider === httpRoutes
    ? {
        path: { type: one(random, ['PathPrefix', 'Exact']), value: one(random, PATHS) },
        ...(random() < 0.2 && { method: 'GET' }),
        ...(random() < 0.2 && { queryParams: [key('page', random)] }),
      }
    : { ...(random() < 0.7 && { method: { type: 'Exact', service: 'shop.Cart', method: 'Add' } }) }),
  ...(random() < 0.3 && { headers: [key('x-tenant', random)] }),
});

function randomRule(provider: TrafficProvider, random: Random, index: number): RouteRule {
  const rewrites = provider === httpRoutes && random() < 0.1;
  const matches = [randomMatch(provider, random), ...some(random, 2, () => randomMatch(provider, random))];
  const rewrite: RouteFilter = {
    type: 'URLRewrite',
    urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/v2' } },
  };
  return {
    ...(random() < 0.3 && { name: `rule-${index}` }),
    matches: rewrites ? [{ path: { type: 'PathPrefix', value: one(random, PATHS) } }] : matches,
    ...(rewrites
      ? { filters: [rewrite] }
      : random() < 0.3 && { filters: [header('x-rule', one(random, ['set', 'add']))] }),
    backendRefs: some(random, 4, () => randomRef(random)),
    ...(provider === httpRoutes && random() < 0.2 && { timeouts: { request: '10s' } }),
  };
}

/** Rules with up to five rules, as the API server stores them. */
export const randomRules = (provider: TrafficProvider, random: Random): RouteRule[] =>
  [0, ...some(random, 4, (index) => index + 1)].map((index) => randomRule(provider, random, index));

export function randomSplit(provider: TrafficProvider, random: Random): Split {
  const weight = one(random, [0, 1, 50, 100, 333, 500, 999, 1000]);
  const kind = random();
  if (kind < 0.3) return shared(weight);
  if (kind < 0.4) {
    const { canary: _canary, ...pinned } = apart(0);
    return pinned;
  }
  if (kind < 0.7) return apart(weight);
  const headers = [key('x-user', random)];
  const matches = some(random, 2, () => ({ headers }));
  const query = provider === httpRoutes && random() < 0.3 ? [{ queryParams: [key('beta', random)] }] : [];
  return apart(0, {
    matches: [{ headers }, ...matches, ...query],
    ...(random() < 0.5 && { requestHeaderModifier: { set: [{ name: 'x-canary', value: 'yes' }] } }),
  });
}

export const BOTH = [httpRoutes, grpcRoutes] as const;
