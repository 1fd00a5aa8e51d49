// Parses method, path and query of a request.
import type { ApiRequest, Attributes } from './types.ts';

export type RequestInfo = Omit<Attributes, 'user'>;

const VERBS: Record<string, string> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of namespaces. Other segments after a namespace are resources in it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

const isTrue = (value: string | null): boolean => value !== null && value !== 'false' && value !== '0';

/** A field selector for exactly one name, for authorization by resourceNames. */
const selectedName = (query: URLSearchParams): string =>
  /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '')?.[1] ?? '';

export function parseRequest({ method, path, query }: Pick<ApiRequest, 'method' | 'path' | 'query'>): RequestInfo {
  const other: RequestInfo = {
    verb: (VERBS[method] ?? method).toLowerCase(),
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path,
    resourceRequest: false,
  };
  const parts = path.split('/');
  if (parts.at(-1) === '') parts.pop();
  let at: number;
  let group = '';
  if (parts[1] === 'api' && parts.length > 3) at = 2;
  else if (parts[1] === 'apis' && parts.length > 4) {
    group = parts[2]!;
    at = 3;
  } else return other;
  const version = parts[at++]!;
  let watching = isTrue(query.get('watch'));
  if (parts[at] === 'watch' && parts.length > at + 1) {
    watching = true;
    at++;
  }
  let namespace = '';
  if (parts[at] === 'namespaces' && parts.length > at + 1) {
    namespace = decodeURIComponent(parts[at + 1]!);
    if (parts.length > at + 2 && !NAMESPACE_SUBRESOURCES.has(parts[at + 2]!)) at += 2;
  }
  const resource = parts[at]!;
  const name = parts.length > at + 1 ? decodeURIComponent(parts[at + 1]!) : '';
  const subresource = parts.slice(at + 2).join('/');
  let { verb } = other;
  if (!name && verb === 'get') verb = watching ? 'watch' : 'list';
  else if (!name && verb === 'delete') verb = 'deletecollection';
  return {
    verb,
    group,
    version,
    resource,
    subresource,
    namespace,
    name: name || (verb === 'list' || verb === 'watch' || verb === 'deletecollection' ? selectedName(query) : ''),
    path,
    resourceRequest: true,
  };
}
