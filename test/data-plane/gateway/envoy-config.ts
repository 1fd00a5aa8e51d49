// The entries of a gateway as configuration of Envoy: routes, clusters and their endpoints. Pure.
import type { Backend, Entry, HeaderChange, Target } from './entries.ts';
import type { Known, Slice, ValueMatch } from './types.ts';

export const ROUTES = 'routes';
const TYPE = 'type.googleapis.com/envoy';

export const nameOf = ({ service, port, h2 }: Backend): string => `${service}.${port}${h2 ? '.h2' : ''}`;

/** The answer of a discovery service, as Envoy reads it from a file. */
export const response = (type: string, resources: readonly object[]): object => ({
  resources: resources.map((each) => ({ '@type': `${TYPE}.config.${type}`, ...each })),
});

export const backendsOf = (entries: readonly Entry[]): readonly Backend[] =>
  entries.flatMap(({ targets }) => targets.flatMap(({ backend }) => (backend ? [backend] : [])));

export function routesOf(entries: readonly Entry[]): object {
  const hosts = new Set(entries.flatMap((entry) => (entry.hosts.length > 0 ? entry.hosts : ['*'])));
  return {
    name: ROUTES,
    virtual_hosts: [...hosts].map((host) => ({
      name: host,
      domains: [host],
      routes: entries
        .filter((entry) => (entry.hosts.length > 0 ? entry.hosts.includes(host) : host === '*'))
        .map(routeOf),
    })),
  };
}

const routeOf = (entry: Entry): object => ({
  match: {
    ...pathOf(entry),
    headers: [
      ...(entry.method === undefined ? [] : [{ name: ':method', string_match: { exact: entry.method } }]),
      ...entry.headers.map((match) => ({ name: match.name, string_match: valueOf(match) })),
    ],
    query_parameters: entry.query.map((match) => ({ name: match.name, string_match: valueOf(match) })),
  },
  ...headersOf(entry.change),
  ...actionOf(entry.targets),
});

function pathOf({ path: { kind, value } }: Entry): object {
  if (kind === 'Exact') return { path: value };
  if (kind === 'Pattern') return { safe_regex: { regex: value } };
  const prefix = value.replace(/\/+$/, '');
  return prefix === '' ? { prefix: '/' } : { path_separated_prefix: prefix };
}

const valueOf = ({ type, value }: ValueMatch): object =>
  type === 'RegularExpression' ? { safe_regex: { regex: value } } : { exact: value };

const headersOf = ({ set, add, remove }: HeaderChange): object => ({
  request_headers_to_add: [
    ...set.map((header) => ({ header: keyed(header), append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' })),
    ...add.map((header) => ({ header: keyed(header), append_action: 'APPEND_IF_EXISTS_OR_ADD' })),
  ],
  request_headers_to_remove: remove,
});

const keyed = ({ name, value }: { readonly name: string; readonly value: string }): object => ({ key: name, value });

/** A cluster that never exists, so that the share of a ref that is not valid is answered with 500. */
const NONE = 'none';

/** Without a weight that is more than 0 there is nobody to answer. */
const actionOf = (targets: readonly Target[]): object =>
  targets.some(({ weight }) => weight > 0)
    ? {
        route: {
          cluster_not_found_response_code: 'INTERNAL_SERVER_ERROR',
          weighted_clusters: {
            clusters: targets.map(({ backend, weight, headers }) => ({
              name: backend ? nameOf(backend) : NONE,
              weight,
              ...headersOf(headers),
            })),
          },
        },
      }
    : { direct_response: { status: 500 } };

/** `file`: where the endpoints of a cluster are written. */
export const clusterOf = (backend: Backend, file: string): object => ({
  name: nameOf(backend),
  type: 'EDS',
  connect_timeout: '2s',
  eds_cluster_config: { eds_config: { resource_api_version: 'V3', path_config_source: { path: file } } },
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
      // Shorter than that of the servers behind it, as an operator of Envoy sets it: no request meets the end of an idle connection.
      common_http_protocol_options: { idle_timeout: '3s' },
      explicit_http_config: backend.h2 ? { http2_protocol_options: {} } : { http_protocol_options: {} },
    },
  },
});

/** The ready endpoints. None: Envoy answers with 503. */
export function endpointsOf(backend: Backend, { services, slices }: Pick<Known, 'services' | 'slices'>): object {
  const service = services.find(({ metadata }) => metadata.name === backend.service);
  const port = service?.spec.ports?.find((each) => each.port === backend.port);
  const own = slices.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === backend.service);
  const places = own.flatMap((slice) => placesOf(slice, port?.name ?? ''));
  return {
    cluster_name: nameOf(backend),
    endpoints: [
      {
        lb_endpoints: places.map(({ address, port_value }) => ({
          endpoint: { address: { socket_address: { address, port_value } } },
        })),
      },
    ],
  };
}

const placesOf = (slice: Slice, name: string): { readonly address: string; readonly port_value: number }[] => {
  const port = slice.ports?.find((each) => (each.name ?? '') === name)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1).map((address) => ({ address, port_value: port })));
};

export interface Places {
  readonly listen: number;
  /** The files with routes and clusters. */
  readonly routes: string;
  readonly clusters: string;
}

/** What Envoy reads once. It writes a line for each answer with an error. */
export const bootstrapOf = ({ listen, routes, clusters }: Places): object => ({
  node: { id: 'test', cluster: 'test' },
  dynamic_resources: { cds_config: { resource_api_version: 'V3', path_config_source: { path: clusters } } },
  static_resources: {
    listeners: [
      {
        name: 'web',
        address: { socket_address: { address: '127.0.0.1', port_value: listen } },
        filter_chains: [{ filters: [{ name: 'http', typed_config: manager(routes) }] }],
      },
    ],
  },
});

const manager = (routes: string): object => ({
  '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: 'web',
  rds: {
    route_config_name: ROUTES,
    config_source: { resource_api_version: 'V3', path_config_source: { path: routes } },
  },
  http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}.extensions.filters.http.router.v3.Router` } }],
  access_log: [
    {
      name: 'errors',
      filter: {
        or_filter: {
          filters: [
            { status_code_filter: { comparison: { op: 'GE', value: { default_value: 500, runtime_key: 'errors' } } } },
            { response_flag_filter: {} },
          ],
        },
      },
      typed_config: {
        '@type': `${TYPE}.extensions.access_loggers.stream.v3.StdoutAccessLog`,
        log_format: {
          text_format_source: {
            inline_string:
              'error %START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST%\n',
          },
        },
      },
    },
  ],
});
