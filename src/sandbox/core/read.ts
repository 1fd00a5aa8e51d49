// Get, list and watch: selectors, pages, and streams that begin at a revision.
import { badRequest, expired, field, invalid, notFound } from './errors.ts';
import { apiVersionOf, collectionOf } from './resources.ts';
import { fromStored, groupResource, type Call, type Machinery, type Result, type WatchStream } from './call.ts';
import {
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  type FieldTerm,
  type LabelSelector,
} from './select.ts';
import { ApiError, type KubeObject, type WatchEvent } from './types.ts';
import type { Change } from './store.ts';

const METADATA_FIELDS = ['metadata.name', 'metadata.namespace'];
const BOOKMARK_SECONDS = 60;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export async function get(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const stored = m.store.get(collectionOf(type), type.namespaced ? info.namespace : '', info.name);
  checkNotTooNew(m, readRevision(call, info.name));
  if (!stored) throw notFound(groupResource(type), info.name);
  if (stored.apiVersion === apiVersionOf(type.group, type.version)) {
    return { kind: 'object', code: 200, object: stored, type };
  }
  return { kind: 'object', code: 200, object: (await fromStored(type, [stored]))[0]!, type };
}

interface Filter {
  labels: LabelSelector;
  fields: readonly FieldTerm[];
}

const NO_FILTER: Filter = { labels: [], fields: [] };

function readFilter({ query, type }: Call): Filter {
  if (query.size === 0) return NO_FILTER;
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  return {
    labels: labels ? parseLabelSelector(labels) : [],
    fields: fields
      ? parseFieldSelector(
          fields,
          [...METADATA_FIELDS, ...type.fieldSelectors],
          type.ownFieldLabels === true || type.custom === true,
        )
      : [],
  };
}

const passes = (filter: Filter, object: KubeObject): boolean =>
  (filter.labels.length === 0 || matchesLabels(filter.labels, object.metadata.labels)) &&
  (filter.fields.length === 0 || matchesFields(filter.fields, object));

/** resourceVersion of the query: undefined when absent or empty. */
function readRevision({ query, type }: Call, name = ''): number | undefined {
  const text = query.size ? query.get('resourceVersion') : null;
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw invalid({ group: type.group, kind: type.plural }, name, [
    field.invalid('resourceVersion', text, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`),
  ]);
}

function checkNotTooNew(m: Machinery, revision: number | undefined): void {
  if (revision === undefined || revision <= m.store.revision) return;
  throw new ApiError({
    code: 504,
    reason: 'Timeout',
    message: `Timeout: Too large resource version: ${revision}, current: ${m.store.revision}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });
}

/** resourceVersionMatch and sendInitialEvents may not be combined at will. */
function checkListOptions({ query, info }: Call): void {
  if (query.size === 0) return;
  const match = query.get('resourceVersionMatch');
  const initial = query.get('sendInitialEvents');
  const version = query.get('resourceVersion') ?? '';
  const watching = info.verb === 'watch';
  const path = 'resourceVersionMatch';
  const errors = [];
  if (watching && initial !== null) {
    if (match !== 'NotOlderThan') {
      errors.push(
        match
          ? field.notSupported(path, match, ['NotOlderThan'])
          : field.forbidden(path, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
      );
    }
  } else if (watching && match) {
    errors.push(field.forbidden(path, `${path} is forbidden for watch unless sendInitialEvents is provided`));
  } else if (!watching && initial !== null) {
    errors.push(field.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  } else if (match) {
    if (!version) errors.push(field.forbidden(path, `${path} is forbidden unless resourceVersion is provided`));
    if (query.get('continue')) errors.push(field.forbidden(path, `${path} is forbidden when continue is provided`));
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      errors.push(field.notSupported(path, match, ['Exact', 'NotOlderThan', '']));
    }
    if (match === 'Exact' && version === '0') {
      errors.push(field.forbidden(path, `${path} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
}

interface PageToken {
  /** Revision of the snapshot; -1: whatever is newest. */
  revision: number;
  /** `namespace/name` of the last object of the page before. */
  after: string;
}

const encodeToken = ({ revision, after }: PageToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${after}\u0000` })).toString('base64url');

function decodeToken(text: string): PageToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as { v: string; rv: number; start: string };
    if (token.v === 'meta.k8s.io/v1' && typeof token.rv === 'number' && token.start.endsWith('\u0000')) {
      return { revision: token.rv, after: token.start.slice(0, -1) };
    }
  } catch {
    // Said below.
  }
  throw badRequest(`continue key is not valid: ${JSON.stringify(text)}`);
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** The objects of a page's snapshot that are to come. */
function remaining(m: Machinery, call: Call, namespace: string | undefined, token: PageToken): readonly KubeObject[] {
  const collection = collectionOf(call.type);
  const objects =
    token.revision < 0 ? m.store.list(collection, namespace) : m.store.listAt(collection, namespace, token.revision);
  if (objects) return objects.filter((object) => keyOf(object) > token.after);
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
      'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
      'deleted between the time the first chunk was returned and now may show up in the list.',
  );
  error.status.metadata = { continue: encodeToken({ revision: -1, after: token.after }) };
  throw error;
}

export async function list(m: Machinery, call: Call): Promise<Result & { kind: 'list' }> {
  const { type, info, query } = call;
  const collection = collectionOf(type);
  const namespace = type.namespaced && info.namespace ? info.namespace : undefined;
  checkListOptions(call);
  const filter = readFilter(call);
  const token = query.size ? query.get('continue') : null;
  const asked = readRevision(call);
  // From the cache, which resourceVersion=0 asks for, lists come whole.
  const limit = asked === 0 ? 0 : Number((query.size && query.get('limit')) || 0);
  let revision = m.store.revision;
  let objects: readonly KubeObject[];
  if (token) {
    if (asked) throw badRequest('specifying resource version is not allowed when using continue');
    const page = decodeToken(token);
    objects = remaining(m, call, namespace, page);
    if (page.revision >= 0) revision = page.revision;
  } else {
    checkNotTooNew(m, asked);
    if (asked && (query.get('resourceVersionMatch') === 'Exact' || (limit && !query.get('resourceVersionMatch')))) {
      const snapshot = m.store.listAt(collection, namespace, asked);
      if (!snapshot) throw expired('The resourceVersion for the provided list is too old.');
      objects = snapshot;
      revision = asked;
    } else objects = m.store.list(collection, namespace);
  }
  let items = await fromStored(type, objects);
  if (filter !== NO_FILTER) items = items.filter((object) => passes(filter, object));
  const metadata: Record<string, unknown> = { resourceVersion: String(revision) };
  if (limit > 0 && items.length > limit) {
    const rest = items.length - limit;
    items = items.slice(0, limit);
    metadata.continue = encodeToken({ revision, after: keyOf(items.at(-1)!) });
    if (!filter.labels.length && !filter.fields.length) metadata.remainingItemCount = rest;
  }
  return { kind: 'list', items, type, metadata };
}

export async function watch(m: Machinery, call: Call): Promise<Result> {
  checkListOptions(call);
  const filter = readFilter(call);
  const revision = readRevision(call);
  return { kind: 'watch', type: call.type, watch: new Watch(m, call, filter, revision) };
}

class Watch implements WatchStream {
  private readonly m: Machinery;
  private readonly call: Call;
  private readonly filter: Filter;
  private readonly revision: number | undefined;
  private readonly cancels: (() => void)[] = [];
  private send: (event: WatchEvent) => void = () => {};
  private end: () => void = () => {};
  private stopped = false;
  /** Revision up to which everything has been sent. */
  private sent = 0;
  private pending: Promise<void> | undefined;

  constructor(m: Machinery, call: Call, filter: Filter, revision: number | undefined) {
    this.m = m;
    this.call = call;
    this.filter = filter;
    this.revision = revision;
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
    this.cancels.push(m.store.subscribe(collectionOf(type), (change) => this.deliver(change)));
    const asked = Number(query.get('timeoutSeconds') ?? 0);
    const seconds = asked > 0 ? asked : Math.round(1800 * (1 + m.clock.random()));
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

  /** What happened since the revision asked for; false when that is forgotten: the watch is over. */
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

  /** A change as it looks through the selectors: entering is ADDED, leaving is DELETED. */
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

  /** In the version asked for; conversions may take their time, the order stays. */
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

  /** One a minute, and one just before the end, so that the next watch begins where this one ended. */
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
