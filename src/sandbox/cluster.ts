// The embedded cluster: storage, table of resources and pipeline put together, for callers in the same process.
import { dispatch } from './core/pipeline.ts';
import { Registry, apiVersionOf, collectionOf } from './core/resources.ts';
import { parseRequest } from './core/routes.ts';
import { PageNotFound } from './core/errors.ts';
import { Store, type Change } from './core/store.ts';
import { nativeTypes } from './kinds/index.ts';
import {
  ApiError,
  type Attributes,
  type Client,
  type Clock,
  type GroupResource,
  type KubeObject,
  type User,
} from './core/types.ts';
import type { Admission, FieldTracker, Machinery, Result } from './core/call.ts';

export const ADMIN: User = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

export interface ClusterOptions {
  clock: Clock;
  /** false: no managedFields, no server-side apply; for virtual time, where nobody looks at them. */
  trackManagedFields?: boolean;
  admission?: Admission;
  fields?: FieldTracker;
  authorize?: (attributes: Attributes) => { allowed: boolean; reason: string };
}

export class Cluster {
  readonly clock: Clock;
  readonly store = new Store();
  readonly registry = new Registry();
  private readonly machinery: Machinery;

  constructor(options: ClusterOptions) {
    this.clock = options.clock;
    this.registry.add(...nativeTypes());
    this.machinery = {
      clock: options.clock,
      store: this.store,
      registry: this.registry,
      admission: options.admission,
      fields: options.trackManagedFields === false ? undefined : options.fields,
      patches: {
        json: notYet,
        merge: (object, patch) => mergePatch(object, patch) as KubeObject,
        strategic: (object, patch) => mergePatch(object, patch) as KubeObject,
      },
      decode: (_type, body) => ({
        object: (body instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(body)) : body) as KubeObject,
        warnings: [],
      }),
      authorize: options.authorize ?? (() => ({ allowed: true, reason: '' })),
    };
    for (const name of ['default', 'kube-system']) {
      this.store.commit('/namespaces', undefined, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name },
        status: { phase: 'Active' },
      });
    }
  }

  /** The cluster as this user sees it, without a detour over the wire. Lists carry the stored objects themselves. */
  client(user: User = ADMIN, userAgent = user.username): Client {
    return {
      request: async (method, path, options = {}) => {
        const query = options.query ? new URLSearchParams(options.query) : NO_QUERY;
        const info = parseRequest({ method, path, query });
        const headers = { 'content-type': options.type, 'user-agent': userAgent };
        return plain(
          await dispatch(this.machinery, info, user, { query, headers, body: options.body }, []).catch(asApiError),
        );
      },
      watch: (type, listener) => this.watch(type, listener),
    };
  }

  private watch(type: GroupResource, listener: Parameters<Client['watch']>[1]): () => void {
    const row = this.registry.all().find(({ group, plural }) => group === type.group && plural === type.resource);
    if (!row) throw new Error(`no such resource: ${type.resource}.${type.group}`);
    const collection = collectionOf(row);
    for (const object of this.store.list(collection)) listener({ type: 'ADDED', object });
    return this.store.subscribe(collection, ({ type: kind, object, previous }: Change) => {
      listener(previous ? { type: kind, object, previous } : { type: kind, object });
    });
  }
}

const NO_QUERY = new URLSearchParams();

function asApiError(error: unknown): never {
  if (error instanceof PageNotFound) {
    throw new ApiError({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' });
  }
  throw error;
}

function plain(result: Result): KubeObject {
  if (result.kind === 'object') return result.object;
  if (result.kind === 'list') {
    const { type, items, metadata } = result;
    return {
      kind: type.listKind,
      apiVersion: apiVersionOf(type.group, type.version),
      metadata: metadata as unknown as KubeObject['metadata'],
      items,
    };
  }
  throw new Error('use watch() for watches and handle() for texts');
}

function notYet(): never {
  throw new Error('not yet');
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
