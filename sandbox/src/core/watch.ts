// Watch: a stream of changes from a revision on.
import { apiVersionOf, collectionOf } from './resources.ts';
import { checkListOptions, NO_FILTER, passes, readFilter, readRevision, type Filter } from './filter.ts';
import { expired } from './errors.ts';
import { integerOf } from './options.ts';
import { fromStored, type Call, type Machinery, type Result, type WatchStream } from './call.ts';
import { ApiError, type KubeObject, type WatchEvent } from './types.ts';
import type { Change } from './store.ts';

const BOOKMARK_SECONDS = 60;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export async function watch(m: Machinery, call: Call): Promise<Result> {
  checkListOptions(call);
  const filter = readFilter(call);
  const revision = readRevision(call);
  const seconds = integerOf(call.query, 'timeoutSeconds');
  return { kind: 'watch', type: call.type, watch: new Watch(m, call, filter, revision, seconds) };
}

class Watch implements WatchStream {
  private readonly m: Machinery;
  private readonly call: Call;
  private readonly filter: Filter;
  private readonly revision: number | undefined;
  /** The timeout of the client. 0: the server decides. */
  private readonly askedSeconds: number;
  private readonly cancels: (() => void)[] = [];
  private send: (event: WatchEvent) => void = () => {};
  private end: () => void = () => {};
  private stopped = false;
  /** All changes up to this revision have been sent. */
  private sent = 0;
  private pending: Promise<void> | undefined;

  constructor(m: Machinery, call: Call, filter: Filter, revision: number | undefined, askedSeconds: number) {
    this.m = m;
    this.call = call;
    this.filter = filter;
    this.revision = revision;
    this.askedSeconds = askedSeconds;
  }

  start(send: (event: WatchEvent) => void, end: () => void): void {
    const { m, call } = this;
    const { query, type } = call;
    this.send = send;
    this.end = end;
    const bookmarks = query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1';
    const initial = query.get('sendInitialEvents');
    const fromNow = initial === null ? !this.revision : initial === 'true';
    if (fromNow) this.sendState(initial === 'true' && bookmarks);
    else if (!this.catchUp()) return;
    this.sent = m.store.revision;
    const deliver = (change: Change): void => this.deliver(change);
    this.cancels.push(m.store.subscribe(collectionOf(type), deliver, this.namespace()));
    const seconds = this.askedSeconds > 0 ? this.askedSeconds : Math.round(1800 * (1 + m.clock.random()));
    this.cancels.push(m.clock.after(seconds * 1000, () => this.finish()));
    if (bookmarks) this.scheduleBookmarks(seconds);
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.cancels.splice(0)) cancel();
  }

  private finish(): void {
    if (this.stopped) return;
    this.stop();
    this.end();
  }

  private namespace(): string | undefined {
    const { type, info } = this.call;
    return type.namespaced && info.namespace ? info.namespace : undefined;
  }

  private sendState(bookmark: boolean): void {
    const { m, call } = this;
    const objects = m.store.list(collectionOf(call.type), this.namespace());
    this.emit(objects.filter((object) => passes(this.filter, object)).map((object) => ({ type: 'ADDED', object })));
    if (bookmark) this.emit([this.bookmark({ [INITIAL_EVENTS_END]: 'true' })]);
  }

  /** Sends the changes since the requested revision. Returns false if the log no longer contains them: the watch ends. */
  private catchUp(): boolean {
    const { m, call } = this;
    const since = this.revision ?? m.store.revision;
    const changes = m.store.changesSince(collectionOf(call.type), since);
    if (!changes) {
      const message = `too old resource version: ${since} (${m.store.oldestRevision})`;
      this.send({ type: 'ERROR', object: expired(message).status as unknown as KubeObject });
      this.stop();
      this.end();
      return false;
    }
    for (const change of changes) this.deliver(change);
    return true;
  }

  private deliver(change: Change): void {
    const namespace = this.namespace();
    if (namespace !== undefined && change.object.metadata.namespace !== namespace) return;
    if (change.revision <= this.sent) return;
    const event = this.filtered(change);
    if (event) this.emit([event]);
  }

  /** A change as the selectors see it: an object that starts to match is ADDED, one that stops to match is DELETED. */
  private filtered(change: Change): WatchEvent | undefined {
    const { type, object, previous } = change;
    if (this.filter === NO_FILTER) return previous ? { type, object, previous } : { type, object };
    const was = previous !== undefined && passes(this.filter, previous);
    const is = type !== 'DELETED' && passes(this.filter, object);
    if (is && was) return { type: 'MODIFIED', object, previous };
    if (is) return { type: 'ADDED', object };
    if (!was) return undefined;
    const last = type === 'DELETED' ? object : previous;
    const { resourceVersion } = object.metadata;
    return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion: resourceVersion! } } };
  }

  /** Converts to the requested version. Conversions may take time, but the order stays. */
  private emit(events: WatchEvent[]): void {
    const { type } = this.call;
    const apiVersion = apiVersionOf(type.group, type.version);
    if (!this.pending && events.every(({ object }) => object.apiVersion === apiVersion)) {
      for (const event of events) this.send(event);
      return;
    }
    const before = this.pending ?? Promise.resolve();
    const mine = before.then(async () => {
      const objects = await fromStored(
        type,
        events.map(({ object }) => object),
      );
      if (this.stopped) return;
      events.forEach((event, i) => this.send({ ...event, object: objects[i]! }));
    });
    this.pending = mine
      .catch((error: unknown) => {
        const status = error instanceof ApiError ? error.status : { message: String(error) };
        this.send({ type: 'ERROR', object: status as unknown as KubeObject });
        this.finish();
      })
      .finally(() => {
        if (this.pending === mine) this.pending = undefined;
      });
  }

  private bookmark(annotations?: Record<string, string>): WatchEvent {
    const { type } = this.call;
    return {
      type: 'BOOKMARK',
      object: {
        kind: type.kind,
        apiVersion: apiVersionOf(type.group, type.version),
        metadata: {
          resourceVersion: String(this.m.store.revision),
          ...(annotations ? { annotations } : {}),
        } as KubeObject['metadata'],
      },
    };
  }

  /** Bookmarks: one per minute, and one just before the end, so that the next watch can continue there. */
  private scheduleBookmarks(seconds: number): void {
    const { clock } = this.m;
    const next = (): void => {
      this.emit([this.bookmark()]);
      this.cancels.push(clock.after(BOOKMARK_SECONDS * 1000, next));
    };
    this.cancels.push(clock.after(BOOKMARK_SECONDS * 1000, next));
    if (seconds > 2) this.cancels.push(clock.after((seconds - 2) * 1000, () => this.emit([this.bookmark()])));
  }
}
