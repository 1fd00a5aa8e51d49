// A cluster in virtual time with a client that sends bytes and receives JSON, as over the wire.
import { Cluster, type ClusterOptions } from '../../src/cluster.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { ApiResponse, KubeObject, User, WatchEvent } from '../../src/core/types.ts';

export const ADMIN: User = { username: 'admin', groups: ['system:masters', 'system:authenticated'] };

export interface Extra {
  type?: string;
  accept?: string;
  headers?: Record<string, string>;
  user?: User;
}

/** What the metadata of a list says on top. */
interface ListMeta {
  continue?: string;
  remainingItemCount?: number;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Of a list, a table or a document of discovery too: each test says what it reads. */
  body: KubeObject & { metadata: ListMeta };
}

export class TestCluster {
  readonly clock = new VirtualClock(1);
  readonly cluster: Cluster;

  constructor(options: Partial<ClusterOptions> = {}) {
    this.cluster = new Cluster({ clock: this.clock, ...options });
  }

  async raw(method: string, path: string, body?: unknown, extra: Extra = {}): Promise<ApiResponse> {
    const url = new URL(path, 'https://sandbox');
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.cluster.handle({
      method,
      path: url.pathname,
      query: url.searchParams,
      headers: {
        'content-type': extra.type ?? 'application/json',
        'user-agent': 'test/1.0',
        ...(extra.accept ? { accept: extra.accept } : {}),
        ...extra.headers,
      },
      user: extra.user ?? ADMIN,
      ...(body === undefined ? {} : { body: new TextEncoder().encode(text) }),
    });
  }

  async call(method: string, path: string, body?: unknown, extra?: Extra): Promise<Answer> {
    const { status, headers, body: answer } = await this.raw(method, path, body, extra);
    return {
      status,
      headers,
      body: (typeof answer === 'string' ? answer : JSON.parse(JSON.stringify(answer ?? null))) as Answer['body'],
    };
  }

  get = (path: string, extra?: Extra): Promise<Answer> => this.call('GET', path, undefined, extra);
  post = (path: string, body: unknown, extra?: Extra): Promise<Answer> => this.call('POST', path, body, extra);
  put = (path: string, body: unknown, extra?: Extra): Promise<Answer> => this.call('PUT', path, body, extra);
  delete = (path: string, body?: unknown): Promise<Answer> => this.call('DELETE', path, body);
  merge = (path: string, body: unknown): Promise<Answer> =>
    this.call('PATCH', path, body, { type: 'application/merge-patch+json' });

  /** Opens a watch; the events it has delivered are in the list it returns. */
  async watch(path: string, extra?: Extra): Promise<{ events: WatchEvent[]; ended: () => boolean; stop: () => void }> {
    const { status, watch, body } = await this.raw('GET', path, undefined, extra);
    if (!watch) throw new Error(`no watch: ${status} ${JSON.stringify(body)}`);
    const events: WatchEvent[] = [];
    let over = false;
    watch.start(
      (event) => events.push(event),
      () => {
        over = true;
      },
    );
    return { events, ended: () => over, stop: () => watch.stop() };
  }
}

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
export const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
export const PODS = '/api/v1/namespaces/default/pods';

export const configMap = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
  data: { k: 'v' },
});

export const podSpec = (image = 'nginx:1'): { containers: { name: string; image: string }[] } => ({
  containers: [{ name: 'main', image }],
});

export const deployment = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec() },
    ...spec,
  },
});

export const pod = (name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...more },
  spec: podSpec(),
});

/** `type name` of each event, for short comparisons. */
export const told = (events: WatchEvent[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata?.name ?? ''}`.trim());
