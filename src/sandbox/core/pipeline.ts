// The way of a request through the server: routed, authorized, handled.
import { create, patch, update } from './write.ts';
import { forbidden, generic, methodNotSupported, PageNotFound } from './errors.ts';
import { get, list, watch } from './read.ts';
import { getScale, patchScale, putScale } from './scale.ts';
import { remove, removeCollection } from './remove.ts';
import { bind, evict, log } from './pods.ts';
import type { Call, Machinery, Result } from './call.ts';
import type { RequestInfo } from './routes.ts';
import type { ApiRequest, User } from './types.ts';

export type Handler = (m: Machinery, call: Call) => Promise<Result> | Result;

const MAIN: Record<string, Handler> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
};

const STATUS: Record<string, Handler> = { get, update, patch };
const SCALE: Record<string, Handler> = { get: getScale, update: putScale, patch: patchScale };

/** Further subresources, by `group/resource/subresource`; others add theirs. */
const OTHERS = new Map<string, Record<string, Handler>>([
  ['/pods/binding', { create: bind }],
  ['/pods/eviction', { create: evict }],
  ['/pods/log', { get: log }],
  ['/pods/ephemeralcontainers', { get, update, patch }],
  ['/namespaces/finalize', { update }],
]);

/** The 403 of the authorizer, in the words of RBAC. */
export function denial(info: RequestInfo, user: User, reason: string): Error {
  const { group, resource, subresource, name, namespace, verb } = info;
  const who = `User ${JSON.stringify(user.username)} cannot ${verb}`;
  const because = reason ? `: ${reason}` : '';
  if (!info.resourceRequest)
    return forbidden({ group: '', resource: '' }, '', `${who} path ${JSON.stringify(info.path)}${because}`);
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? ` in the namespace ${JSON.stringify(namespace)}` : ' at the cluster scope';
  return forbidden(
    { group, resource },
    // A list narrowed to one name by a field selector is still about the list.
    verb === 'list' || verb === 'watch' || verb === 'deletecollection' ? '' : name,
    `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)}${where}${because}`,
  );
}

function handlerFor(call: Call): Handler {
  const { info, type } = call;
  const { subresource, verb } = info;
  let handlers: Record<string, Handler> | undefined;
  if (!subresource) {
    if (
      type.namespaced &&
      !info.namespace &&
      (verb === 'create' || (info.name && verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection'))
    ) {
      throw type.custom ? methodNotSupported({ group: type.group, resource: type.plural }, verb) : generic(405);
    }
    handlers = type.verbs.includes(verb) ? MAIN : {};
  } else if (subresource === 'status' && type.status) handlers = STATUS;
  else if (subresource === 'scale' && type.scale) handlers = SCALE;
  else handlers = OTHERS.get(`${type.group}/${type.plural}/${subresource}`);
  if (!handlers) throw new PageNotFound();
  const handler = handlers[verb];
  if (handler) return handler;
  throw type.custom ? methodNotSupported({ group: type.group, resource: type.plural }, verb) : generic(405);
}

/** Registers a subresource's (or a computed resource's) handlers. */
export function extend(path: string, handlers: Record<string, Handler>): void {
  OTHERS.set(path, handlers);
}

export async function dispatch(
  m: Machinery,
  info: RequestInfo,
  user: User,
  request: Pick<ApiRequest, 'query' | 'headers' | 'body'>,
  warnings: string[],
): Promise<Result> {
  const { allowed, reason } = m.authorize({ ...info, user });
  if (!allowed) throw denial(info, user, reason);
  const type = m.registry.find(info.group, info.version, info.resource);
  if (!type) throw new PageNotFound();
  const call: Call = { info, user, query: request.query, headers: request.headers, body: request.body, type, warnings };
  return handlerFor(call)(m, call);
}
