// Encodes answers in the form that the client accepts: objects as JSON, tables, or only metadata.
import { apiVersionOf } from './resources.ts';
import { partial, table, type IncludeObject } from './table.ts';
import type { Result } from './call.ts';
import { ApiError, type ApiResponse, type KubeObject, type ResourceType, type WatchEvent } from './types.ts';

export type View = 'object' | 'table' | 'partial';

export interface Wanted {
  view: View;
  include: IncludeObject;
  /** The metadata of an object or of a list. The client requests each by its own name. */
  as?: string;
}

const VIEWS: Record<string, View> = {
  Table: 'table',
  PartialObjectMetadata: 'partial',
  PartialObjectMetadataList: 'partial',
};

const JSON_TYPES = ['application/json', '*/*', 'application/*'];

/** One clause of an Accept header: media type and parameters. */
export function parseAccept(accept: string | undefined): { media: string; parameters: Record<string, string> }[] {
  return (accept || '*/*').split(',').map((clause) => {
    const [media = '', ...rest] = clause.split(';').map((part) => part.trim());
    return { media, parameters: Object.fromEntries(rest.map((part) => part.split('=') as [string, string])) };
  });
}

/** The first clause that the server supports. Throws 406 if there is none. */
export function negotiate(accept: string | undefined, query: URLSearchParams): Wanted {
  const include = (query.get('includeObject') ?? 'Metadata') as IncludeObject;
  for (const { media, parameters } of parseAccept(accept)) {
    if (!JSON_TYPES.includes(media)) continue;
    const { as, g, v } = parameters;
    if (!as) return { view: 'object', include };
    const view = VIEWS[as];
    if (view && g === 'meta.k8s.io' && v === 'v1') return { view, include, as };
  }
  throw notAcceptable('only the following media types are accepted: application/json');
}

const LIST = 'PartialObjectMetadataList';
const notAcceptable = (message: string): ApiError => new ApiError({ code: 406, reason: 'NotAcceptable', message });

/** The Go type name of a kind. */
function goType({ group, kind, custom }: ResourceType): string {
  if (custom) return '*unstructured.Unstructured';
  return `*${group === '' || kind === 'Event' ? 'core' : group.split('.')[0]}.${kind}`;
}

export function encode(result: Result, wanted: Wanted, now: number): ApiResponse {
  switch (result.kind) {
    case 'text':
      return {
        status: result.code,
        headers: { 'content-type': result.contentType ?? 'text/plain' },
        body: result.text,
      };
    case 'object':
      return json(result.code, showObject(result.object, result.type, wanted, now));
    case 'list':
      return json(200, showList(result, wanted, now));
    case 'watch':
      return {
        status: 200,
        headers: { 'content-type': 'application/json' },
        watch: showWatch(result, wanted, now),
      };
  }
}

export const json = (status: number, body: object): ApiResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body,
});

export function failure(error: ApiError): ApiResponse {
  const seconds = error.status.details?.retryAfterSeconds;
  const response = json(error.status.code, { ...error.status, reason: error.status.reason || undefined });
  if (seconds) response.headers['retry-after'] = String(seconds);
  return response;
}

function showObject(
  object: KubeObject,
  type: ResourceType | undefined,
  { view, include, as }: Wanted,
  now: number,
): KubeObject {
  if (!type || object.kind === 'Status') return object;
  if (as === LIST)
    throw notAcceptable(`you requested ${LIST}, but the requested object is not a list (${goType(type)})`);
  if (view === 'partial') return partial(object);
  if (view === 'table') {
    return table(type, [object], { resourceVersion: object.metadata.resourceVersion }, include, now);
  }
  return object;
}

function showList(
  { type, items, metadata }: Result & { kind: 'list' },
  { view, include, as }: Wanted,
  now: number,
): object {
  if (view === 'table') return table(type, items, metadata, include, now);
  if (view === 'partial') {
    if (as !== LIST)
      throw notAcceptable(`you requested ${as}, but the requested object is a list (${goType(type)}List)`);
    return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: items.map(partial) };
  }
  return {
    kind: type.listKind,
    apiVersion: apiVersionOf(type.group, type.version),
    metadata,
    // Items of native kinds have no apiVersion and kind, only the list has them.
    items: type.custom ? items : items.map(({ kind: _kind, apiVersion: _apiVersion, ...object }) => object),
  };
}

function showWatch(
  { type, watch }: Result & { kind: 'watch' },
  wanted: Wanted,
  now: number,
): NonNullable<ApiResponse['watch']> {
  let first = true;
  const show = (event: WatchEvent): WatchEvent => {
    if (event.type === 'ERROR' || wanted.view === 'object') return event;
    if (wanted.view === 'partial') return { type: event.type, object: partial(event.object) };
    const { object } = event;
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    const shown = table(type, [object], metadata, wanted.include, now, first);
    first = false;
    return { type: event.type, object: shown };
  };
  return {
    start: (send, end) => watch.start((event) => send(show(event)), end),
    stop: () => watch.stop(),
  };
}
