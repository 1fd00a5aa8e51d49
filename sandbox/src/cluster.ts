// The embedded cluster: connects storage, table of resources and pipeline, for callers in the same process and over HTTPS.
import {
  createAdmission,
  policyChecks,
  Transport,
  type ClientConfig,
  type InProcessWebhook,
  type ResolveService,
} from './admission/index.ts';
import { createAuth, type Auth } from './auth/index.ts';
import { dispatch } from './core/pipeline.ts';
import { encode, failure, json, negotiate } from './core/encode.ts';
import { discover } from './core/discovery.ts';
import { openApi } from './openapi/index.ts';
import { Registry, apiVersionOf, collectionOf } from './core/resources.ts';
import { parseRequest, type RequestInfo } from './core/routes.ts';
import { generic, PageNotFound } from './core/errors.ts';
import { Store, type Change } from './core/store.ts';
import { Definitions } from './definitions.ts';
import { newUid, timestamp } from './core/names.ts';
import { nativeTypes } from './kinds/index.ts';
import {
  ApiError,
  type ApiRequest,
  type ApiResponse,
  type Client,
  type Clock,
  type GroupResource,
  type KubeObject,
  type User,
} from './core/types.ts';
import type { Admission, FieldTracker, Machinery, Result } from './core/call.ts';

export type { Admission } from './core/call.ts';

/** The version of Kubernetes that the sandbox emulates. */
export const VERSION = { major: '1', minor: '36', gitVersion: 'v1.36.2' };

export const ADMIN: User = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

export interface ClusterOptions {
  clock: Clock;
  /** The initial content. Absent: empty. */
  store?: Store;
  /** PEM key that signs service account tokens. Absent: a new key. */
  signingKey?: string;
  /** Replaces webhooks and policies, for tests that decide in the same process. */
  admission?: ((store: Store, registry: Registry) => Admission) | undefined;
  /** Webhooks in this process. They are called after the configured ones. */
  inProcess?: readonly InProcessWebhook[] | undefined;
  /** The addresses of Services, for webhooks. */
  resolveService?: ResolveService | undefined;
  /** Field ownership for server-side apply. Absent in virtual time, where it is not needed. */
  fields?: FieldTracker | undefined;
  /** The address of the server in discovery. */
  serverAddress?: string;
}

export class Cluster {
  readonly clock: Clock;
  readonly store: Store;
  readonly registry = new Registry();
  readonly auth: Auth;
  private readonly machinery: Machinery;
  private readonly webhooks: ReturnType<typeof createAdmission>;
  private readonly definitions: Definitions;
  private readonly serverAddress: string;

  constructor(options: ClusterOptions) {
    this.clock = options.clock;
    this.store = options.store ?? new Store();
    this.serverAddress = options.serverAddress ?? '127.0.0.1:6443';
    this.registry.add(...nativeTypes(this.store, policyChecks));
    this.auth = createAuth({ store: this.store, clock: options.clock, signingKey: options.signingKey });
    const { inProcess, resolveService } = options;
    const { store, registry, clock, auth } = this;
    this.webhooks = createAdmission({ store, registry, clock, auth, inProcess, resolveService });
    const transport = new Transport(store, resolveService);
    this.machinery = {
      clock: options.clock,
      store: this.store,
      registry: this.registry,
      admission: withEscalationCheck(auth, options.admission?.(store, registry) ?? this.webhooks),
      fields: options.fields,
      auth: this.auth,
    };
    this.definitions = new Definitions({
      store,
      registry,
      clock,
      client: this.client(CLEANER),
      conversion: {
        send: (config, review) => sendConversion(transport, config, review),
        uid: () => newUid(() => clock.random()),
      },
    });
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
      this.store.commit('/namespaces', undefined, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name,
          uid: newUid(() => clock.random()),
          creationTimestamp: timestamp(clock.now()),
          labels: { 'kubernetes.io/metadata.name': name },
        },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      });
    }
  }

  /** A client for this user that calls the pipeline directly. Lists contain the stored objects themselves. */
  client(user: User = ADMIN, userAgent = user.username): Client {
    return {
      request: async (method, path, options = {}) => {
        const query = options.query ? new URLSearchParams(options.query) : NO_QUERY;
        const info = parseRequest({ method, path, query });
        const headers = { 'content-type': options.type, 'user-agent': userAgent };
        try {
          return plain(await dispatch(this.machinery, info, user, { query, headers, body: options.body }, []));
        } catch (error) {
          throw error instanceof PageNotFound ? unknownResource() : error;
        }
      },
      watch: (type, listener) => this.watch(type, listener),
    };
  }

  /** Handles any request and encodes the answer. Never rejects. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    const warnings: string[] = [];
    let response: ApiResponse;
    try {
      response = await this.answer(request, warnings);
    } catch (error) {
      response = errorResponse(error instanceof PageNotFound && this.isNative(request.path) ? generic(404) : error);
    }
    if (warnings.length) {
      response.headers.warning = [...new Set(warnings)].map(warningHeader).join(', ');
    }
    return response;
  }

  private async answer(request: ApiRequest, warnings: string[]): Promise<ApiResponse> {
    const info = parseRequest(request);
    const user = this.auth.authenticate(request);
    if (!info.resourceRequest) return this.answerOther(request, info, user);
    const known = this.registry.find(info.group, info.version, info.resource);
    const wanted = known
      ? negotiate(request.headers.accept, request.query)
      : ({ view: 'object', include: 'None' } as const);
    const result = await dispatch(this.machinery, info, user, request, warnings);
    return encode(result, wanted, this.clock.now());
  }

  /** Health, version, discovery, OpenAPI. */
  private answerOther(request: ApiRequest, info: RequestInfo, user: User): ApiResponse {
    const { path } = request;
    this.auth.check({ ...info, user });
    if (/^\/(healthz|livez|readyz)(\/.*)?$/.test(path)) return text(200, 'ok');
    if (path === '/version' || path === '/version/') {
      return json(200, {
        ...VERSION,
        emulationMajor: VERSION.major,
        emulationMinor: VERSION.minor,
        minCompatibilityMajor: VERSION.major,
        minCompatibilityMinor: String(Number(VERSION.minor) - 1),
        gitCommit: 'sandbox',
        gitTreeState: 'clean',
        buildDate: '1970-01-01T00:00:00Z',
        goVersion: 'none',
        compiler: 'none',
        platform: 'tranche/sandbox',
      });
    }
    if (/^\/apis?(\/|$)/.test(path)) {
      const { body, contentType } = discover(this.registry, path, request.headers.accept, this.serverAddress);
      return { status: 200, headers: { 'content-type': contentType, vary: 'Accept' }, body };
    }
    const document = openApi(path, this.registry.all());
    if (document) return json(200, document);
    if (path === '/')
      return json(200, {
        paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
      });
    throw new PageNotFound();
  }

  /** Whether the path is in a native group. There, a 404 is a Status; elsewhere, it is plain text. */
  private isNative(path: string): boolean {
    const [, root, group] = path.split('/');
    if (root === 'api') return true;
    return root === 'apis' && this.registry.all().some((type) => type.group === group && !type.custom);
  }

  /** Stops background work. */
  close(): void {
    this.definitions.stop();
    this.webhooks.close();
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

/** Encodes text as UTF-8 bytes for headers. */
const warningHeader = (text: string): string =>
  Buffer.from(`299 - "${text.replace(/[\\"]/g, '\\$&').replace(/[\r\n\t]+/g, ' ')}"`).toString('latin1');

/** The timeout for conversion webhooks. */
const CONVERSION_SECONDS = 30;

const CLEANER: User = { username: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

/** The escalation check runs with validating admission, before its other checks. */
const withEscalationCheck = (auth: Auth, webhooks: Admission): Admission => ({
  mutate: (request) => webhooks.mutate(request),
  async validate(request) {
    auth.checkEscalation(request);
    await webhooks.validate(request);
  },
  concerns: (attributes) =>
    attributes.group === 'rbac.authorization.k8s.io' || (webhooks.concerns?.(attributes) ?? true),
});

async function sendConversion(transport: Transport, config: ClientConfig, review: object): Promise<unknown> {
  try {
    return await transport.post(config, review, CONVERSION_SECONDS);
  } catch (error) {
    throw new Error((error as Error).message.replace(/^failed to call webhook: /, ''), { cause: error });
  }
}

const NO_QUERY = new URLSearchParams();

const text = (status: number, body: string): ApiResponse => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body,
});

const unknownResource = (): ApiError =>
  new ApiError({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' });

function errorResponse(error: unknown): ApiResponse {
  if (error instanceof PageNotFound) return text(404, '404 page not found\n');
  if (error instanceof ApiError) return failure(error);
  // A bug in the sandbox: print the stack for the developer.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return failure(
    new ApiError({
      code: 500,
      reason: 'InternalError',
      message: `Internal error occurred (in the sandbox): ${message}`,
    }),
  );
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
