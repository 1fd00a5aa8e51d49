// The cluster as commands see it. This file is loaded, and the Kubernetes client with it, when a command first asks for the cluster.
import type { Resource } from '../api/resources.ts';
import type { KubeObject, LabelSelector } from '../api/types.ts';
import type { ApiCall } from '../kube/api.ts';
import { createApi, type ApiClient } from '../kube/client.ts';
import { connect, findSource } from '../kube/connection.ts';
import { isConflict, isForbidden, isNotFound } from '../kube/errors.ts';
import { findObject, type GetOptions } from '../kube/get.ts';
import type { Overrides } from '../kube/kubeconfig.ts';
import { listAll } from '../kube/list.ts';
import { nameSelector, pathOf, type Where } from '../kube/path.ts';
import { selectorText } from '../kube/selector.ts';
import { mayI, whoAmI, type ResourceAttributes } from '../kube/self.ts';
import { parseDuration, type DryRun, type GlobalFlags } from './flags.ts';
import type { Io } from './io.ts';

export interface Cluster {
  /** For what the other methods have no words for. */
  readonly api: ApiClient;
  /** From -n, the context, or `default`. */
  readonly namespace: string;
  /** Undefined when there is none. Throws ApiError, NetworkError, and PathError for a name that none can have. */
  find<T extends KubeObject>(resource: Resource, asked: GetOptions): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource, listed?: Listed): Promise<T[]>;
  /** The answer of the server; undefined in a client dry run, which sends nothing. */
  send(write: Write, dryRun: DryRun): Promise<unknown>;
  /** Which of the answers that commands act on an error is; undefined for any other. */
  answerOf(error: unknown): 'NotFound' | 'Conflict' | 'Forbidden' | undefined;
  whoAmI(): Promise<string>;
  mayI(attributes: ResourceAttributes): Promise<boolean>;
}

export interface Listed {
  /** Absent: of all namespaces. */
  readonly namespace?: string | undefined;
  readonly selector?: LabelSelector;
  /** Only the objects of this name. */
  readonly name?: string | undefined;
}

/** A request that changes something, with the object or collection it is sent to. */
export interface Write extends Where, Pick<ApiCall, 'body' | 'contentType'> {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly resource: Resource;
}

/** Not `tranche`: by that name the webhooks know the operator. */
const FIELD_MANAGER = 'kubectl-tranche';

/** As the flags and the kubeconfig say. Throws ConnectionError. */
export async function connectCluster(io: Io, flags: GlobalFlags, version: string): Promise<Cluster> {
  const source = findSource(flags.kubeconfig, io.env);
  const connection = await connect(source, overridesOf(flags));
  const timeoutMs =
    flags.requestTimeout === undefined ? undefined : parseDuration(flags.requestTimeout, '--request-timeout');
  const warned = new Set<string>();
  const api = createApi({
    connection,
    // As kubectl: 0 is no limit.
    ...(timeoutMs === undefined ? {} : { timeoutMs: timeoutMs === 0 ? LONGEST_TIMER_MS : timeoutMs }),
    userAgent: `kubectl-tranche/${version}`,
    fieldManager: FIELD_MANAGER,
    onWarning: (text) => {
      // A write that is tried again is warned of again.
      if (!warned.has(text)) io.err(`Warning: ${text}\n`);
      warned.add(text);
    },
  });
  return clusterOf(api, flags.namespace ?? connection.namespace ?? 'default');
}

const clusterOf = (api: ApiClient, namespace: string): Cluster => ({
  api,
  namespace,
  find: (resource, asked) => findObject(api, resource, asked),
  list: (resource, { namespace, selector, name } = {}) =>
    listAll(api, resource, namespace, {
      ...(selector ? { labelSelector: selectorText(selector) } : {}),
      ...(name === undefined ? {} : { fieldSelector: nameSelector(name) }),
    }),
  async send(write, dryRun) {
    return dryRun === 'client' ? undefined : api.request(callOf(write, dryRun === 'server'));
  },
  answerOf(error) {
    if (isNotFound(error)) return 'NotFound';
    if (isConflict(error)) return 'Conflict';
    return isForbidden(error) ? 'Forbidden' : undefined;
  },
  whoAmI: () => whoAmI(api),
  mayI: (attributes) => mayI(api, attributes),
});

function callOf({ resource, method, body, contentType, ...where }: Write, dry: boolean): ApiCall {
  // An API server that finds a body in a deletion does not look at the query: a dry run has to be said there.
  const whole = dry && method === 'DELETE' ? { ...(body as object), dryRun: ['All'] } : body;
  return {
    method,
    path: pathOf(resource, where),
    ...(contentType ? { contentType } : {}),
    ...(whole === undefined ? {} : { body: whole }),
    ...(dry ? { query: { dryRun: 'All' } } : {}),
  };
}

/** A longer one ends at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function overridesOf(flags: GlobalFlags): Overrides {
  // Commander puts the flags of the command beside them.
  const { context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority } = flags;
  const { clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName } = flags;
  const all = {
    ...{ context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority },
    ...{ clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
