// The cluster as commands see it. It is loaded on first use, because it loads the Kubernetes client.
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
import { selectorText } from '../engine/lib/selector.ts';
import { mayI, whoAmI, type ResourceAttributes } from '../kube/self.ts';
import { parseDuration, type DryRun, type GlobalFlags } from './flags.ts';
import type { Io } from './io.ts';

export interface Cluster {
  /** For requests that the other methods do not cover. */
  readonly api: ApiClient;
  /** From -n, the context, or `default`. */
  readonly namespace: string;
  /** The name of the kubeconfig's context. Undefined in a Pod. */
  readonly context: string | undefined;
  /** Undefined if the object does not exist. Throws ApiError, NetworkError, and PathError for an invalid name. */
  find<T extends KubeObject>(resource: Resource, asked: GetOptions): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource, listed?: Listed): Promise<T[]>;
  /** Returns the answer of the server; undefined in a client dry run, which sends nothing. */
  send(write: Write, dryRun: DryRun): Promise<unknown>;
  /** Classifies an error of the API server. Undefined: commands do not handle it. */
  answerOf(error: unknown): 'NotFound' | 'Conflict' | 'Forbidden' | undefined;
  whoAmI(): Promise<string>;
  mayI(attributes: ResourceAttributes): Promise<boolean>;
}

export interface Listed {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly selector?: LabelSelector;
  /** Only objects with this name. */
  readonly name?: string | undefined;
}

/** A write request and its object or collection. */
export interface Write extends Where, Pick<ApiCall, 'body' | 'contentType' | 'quiet'> {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly resource: Resource;
}

/** Not `tranche`: the webhooks recognise the operator by that name. */
const FIELD_MANAGER = 'kubectl-tranche';

/** Connects as the flags and the kubeconfig specify. `onWarning`: gets each warning of the API server instead of the terminal. Throws ConnectionError. */
export async function connectCluster(
  io: Io,
  flags: GlobalFlags,
  version: string,
  onWarning?: (text: string) => void,
): Promise<Cluster> {
  const source = findSource(flags.kubeconfig, io.env);
  const connection = await connect(source, overridesOf(flags));
  const timeoutMs =
    flags.requestTimeout === undefined ? undefined : parseDuration(flags.requestTimeout, '--request-timeout');
  const warned = new Set<string>();
  const api = createApi({
    connection,
    // As in kubectl, 0 means no timeout.
    ...(timeoutMs === undefined ? {} : { timeoutMs: timeoutMs === 0 ? LONGEST_TIMER_MS : timeoutMs }),
    userAgent: `kubectl-tranche/${version}`,
    fieldManager: FIELD_MANAGER,
    onWarning:
      onWarning ??
      ((text) => {
        // A retried write returns the same warning again.
        if (!warned.has(text)) io.err(`Warning: ${text}\n`);
        warned.add(text);
      }),
  });
  return clusterOf(api, flags.namespace ?? connection.namespace ?? 'default', connection.context);
}

const clusterOf = (api: ApiClient, namespace: string, context: string | undefined): Cluster => ({
  api,
  namespace,
  context,
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

function callOf({ resource, method, body, contentType, quiet, ...where }: Write, dry: boolean): ApiCall {
  // If a deletion has a body, the API server ignores the query, so the body must contain dryRun.
  const whole = dry && method === 'DELETE' ? { ...(body as object), dryRun: ['All'] } : body;
  return {
    method,
    path: pathOf(resource, where),
    ...(contentType ? { contentType } : {}),
    ...(quiet ? { quiet } : {}),
    ...(whole === undefined ? {} : { body: whole }),
    ...(dry ? { query: { dryRun: 'All' } } : {}),
  };
}

/** The limit of setTimeout: a longer timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The flags that replace values of the kubeconfig. */
export function overridesOf(flags: GlobalFlags): Overrides {
  // Commander also returns the flags of the command, so select the known ones.
  const { context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority } = flags;
  const { clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName } = flags;
  const all = {
    ...{ context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority },
    ...{ clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
