// An API server with one collection, in the test's own time, that misbehaves when told to.
import type { Api, ApiCall, Clock, WatchLine } from '../../src/kube/api.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { ApiError } from '../../src/kube/errors.ts';

interface OpenWatch {
  readonly call: ApiCall;
  readonly onLine: (line: WatchLine) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class FakeApi implements Api {
  readonly calls: ApiCall[] = [];
  readonly lists: ApiCall[] = [];
  /** Lists of one object, which ask where the server is. */
  readonly probes: ApiCall[] = [];
  readonly watches: OpenWatch[] = [];
  readonly opened: { at: number; query: Record<string, string> }[] = [];
  /** Answers instead of the collection: return undefined to let it answer. */
  intercept: (call: ApiCall) => Promise<unknown> | undefined = () => undefined;
  /** Thrown by the next watches and lists, one each. */
  readonly failures: unknown[] = [];
  /** Events that are stored but told to nobody. */
  dropEvents = 0;
  pageSize = Infinity;
  version = 100;
  readonly objects = new Map<string, KubeObject>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  put(name: string, extra: Partial<KubeObject['metadata']> & Record<string, unknown> = {}): KubeObject {
    const old = this.objects.get(name);
    this.version += 1;
    const metadata = { name, namespace: 'ns', uid: `uid-${name}`, ...extra, resourceVersion: String(this.version) };
    const object = { metadata };
    this.objects.set(name, object);
    this.tell({ type: old ? 'MODIFIED' : 'ADDED', object });
    return object;
  }

  remove(name: string): void {
    const old = this.objects.get(name)!;
    this.objects.delete(name);
    this.version += 1;
    this.tell({
      type: 'DELETED',
      object: { ...old, metadata: { ...old.metadata, resourceVersion: String(this.version) } },
    });
  }

  bookmark(): void {
    this.tell({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.version) } } });
  }

  tell(line: WatchLine): void {
    if (this.dropEvents > 0) {
      this.dropEvents -= 1;
      return;
    }
    for (const watch of this.watches) watch.onLine(line);
  }

  endWatches(error?: unknown): void {
    for (const watch of this.watches.splice(0))
      if (error === undefined) watch.resolve();
      else watch.reject(error);
  }

  async request(call: ApiCall): Promise<unknown> {
    this.calls.push(call);
    const answer = this.intercept(call);
    if (answer) return answer;
    (call.query?.['limit'] === '1' ? this.probes : this.lists).push(call);
    if (this.failures.length > 0) throw this.failures.shift();
    const all = [...this.objects.values()];
    const start = Number(call.query?.['continue'] ?? 0);
    const end = start + this.pageSize;
    return {
      apiVersion: 'apps/v1',
      kind: 'DeploymentList',
      metadata: { resourceVersion: String(this.version), ...(end < all.length ? { continue: String(end) } : {}) },
      items: all.slice(start, end),
    };
  }

  watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void> {
    this.opened.push({ at: this.clock.now(), query: { ...call.query } });
    if (this.failures.length > 0) return Promise.reject(this.failures.shift());
    return new Promise((resolve, reject) => {
      const watch = { call, onLine, resolve, reject };
      this.watches.push(watch);
      call.signal?.addEventListener('abort', () => {
        this.watches.splice(this.watches.indexOf(watch), 1);
        resolve();
      });
    });
  }
}

export const gone = (): ApiError =>
  new ApiError(410, { code: 410, reason: 'Expired', message: 'too old resource version' });
