// What the routes of a gateway say, as one list that is read from the top: the first entry that matches a request is its entry. Pure.
import type {
  BackendRef,
  GrpcMatch,
  GrpcRoute,
  Header,
  HeaderFilter,
  HttpMatch,
  HttpRoute,
  Known,
  ParentRef,
  Route,
  Rule,
  Service,
  ValueMatch,
} from './types.ts';

/** Changes of a request's headers. */
export interface HeaderChange {
  readonly set: readonly Header[];
  readonly add: readonly Header[];
  readonly remove: readonly string[];
}

/** A port of a Service, and whether it is spoken to in HTTP/2. */
export interface Backend {
  readonly service: string;
  readonly port: number;
  readonly h2: boolean;
}

/** `backend` is undefined if the ref is not valid: its share of the requests is answered with 500. */
export interface Target {
  readonly backend: Backend | undefined;
  readonly weight: number;
  readonly headers: HeaderChange;
}

export interface PathRule {
  readonly kind: 'Exact' | 'Prefix' | 'Pattern';
  readonly value: string;
}

export interface Entry {
  /** Empty: every host. */
  readonly hosts: readonly string[];
  readonly path: PathRule;
  readonly method?: string;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly change: HeaderChange;
  readonly targets: readonly Target[];
}

interface Ranked extends Entry {
  readonly age: string;
}

export const isOf = (gateway: string, { kind, name }: ParentRef): boolean =>
  name === gateway && (kind === undefined || kind === 'Gateway');

/** Of all routes that name this Gateway as a parent. */
export function entriesOf(known: Known, gateway: string): readonly Entry[] {
  const ofGateway = <T extends HttpRoute | GrpcRoute>(routes: readonly T[]): readonly T[] =>
    routes.filter(({ spec }) => spec.parentRefs?.some((parent) => isOf(gateway, parent)));
  return [
    ...ofGateway(known.httpRoutes).flatMap((route) => ranked(route, known.services, httpMatch, false)),
    ...ofGateway(known.grpcRoutes).flatMap((route) => ranked(route, known.services, grpcMatch, true)),
  ].sort(byPrecedence);
}

type Matched = Pick<Entry, 'path' | 'method' | 'headers' | 'query'>;

function ranked<M>(
  { metadata, spec }: Route<M>,
  services: readonly Service[],
  read: (match: M) => Matched,
  h2: boolean,
): Ranked[] {
  const hosts = spec.hostnames ?? [];
  const age = `${metadata.creationTimestamp}/${metadata.namespace}/${metadata.name}`;
  return (spec.rules ?? []).flatMap((rule: Rule<M>) => {
    const targets = (rule.backendRefs ?? []).map((ref) => ({
      backend: backendOf(ref, services, h2),
      weight: ref.weight ?? 1,
      headers: changeOf(ref.filters),
    }));
    // Without matches: every request.
    const matches = rule.matches?.length ? rule.matches : [{} as M];
    return matches.map((match) => ({ hosts, age, ...read(match), change: changeOf(rule.filters), targets }));
  });
}

/** Undefined if the Service or its port does not exist, or if it is something else than a Service. */
export function backendOf(ref: BackendRef, services: readonly Service[], h2: boolean): Backend | undefined {
  const { group = '', kind = 'Service', name, port } = ref;
  const service = services.find(({ metadata }) => metadata.name === name);
  const found = service?.spec.ports?.find((each) => each.port === port);
  if (group !== '' || kind !== 'Service' || ref.namespace !== undefined || !found) return undefined;
  return { service: name, port: found.port, h2: h2 || found.appProtocol === 'kubernetes.io/h2c' };
}

function changeOf(filters: readonly HeaderFilter[] = []): HeaderChange {
  const changes = filters.map(({ requestHeaderModifier }) => requestHeaderModifier ?? {});
  return {
    set: changes.flatMap(({ set }) => set ?? []),
    add: changes.flatMap(({ add }) => add ?? []),
    remove: changes.flatMap(({ remove }) => remove ?? []),
  };
}

const PATHS: Readonly<Record<string, PathRule['kind']>> = {
  Exact: 'Exact',
  PathPrefix: 'Prefix',
  RegularExpression: 'Pattern',
};

const httpMatch = ({ path, method, headers = [], queryParams = [] }: HttpMatch): Matched => ({
  path: { kind: PATHS[path?.type ?? 'PathPrefix'] ?? 'Exact', value: path?.value ?? '/' },
  ...(method === undefined ? {} : { method }),
  headers,
  query: queryParams,
});

function grpcMatch({ method: { type = 'Exact', service, method } = {}, headers = [] }: GrpcMatch): Matched {
  const any = '[^/]+';
  const path: PathRule =
    service === undefined && method === undefined
      ? { kind: 'Prefix', value: '/' }
      : type === 'Exact' && service !== undefined && method !== undefined
        ? { kind: 'Exact', value: `/${service}/${method}` }
        : type === 'Exact' && service !== undefined
          ? { kind: 'Prefix', value: `/${service}` }
          : { kind: 'Pattern', value: `/${service ?? any}/${method ?? any}` };
  return { path, headers, query: [] };
}

const KINDS: readonly PathRule['kind'][] = ['Exact', 'Prefix', 'Pattern'];

/** As the Gateway API orders them: path, method, number of headers and query parameters; then the older route, then the rule that comes first. */
function byPrecedence(a: Ranked, b: Ranked): number {
  return (
    KINDS.indexOf(a.path.kind) - KINDS.indexOf(b.path.kind) ||
    b.path.value.length - a.path.value.length ||
    Number(b.method !== undefined) - Number(a.method !== undefined) ||
    b.headers.length - a.headers.length ||
    b.query.length - a.query.length ||
    (a.age < b.age ? -1 : Number(a.age > b.age))
  );
}
