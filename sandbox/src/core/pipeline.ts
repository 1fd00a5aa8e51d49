// The pipeline of a request: route, authorize, handle.
import { readOptions } from './options.ts';
import { create } from './create.ts';
import { patch } from './patch.ts';
import { readBody } from './body.ts';
import { update } from './update.ts';
import { generic, methodNotSupported, notFound, PageNotFound } from './errors.ts';
import { get, list } from './read.ts';
import { watch } from './watch.ts';
import { getScale, patchScale, putScale } from './scale.ts';
import { remove, removeCollection } from './remove.ts';
import { bind, evict, log } from './pods.ts';
import type { Call, Machinery, Result } from './call.ts';
import type { RequestInfo } from './routes.ts';
import type { ApiRequest, User } from './types.ts';

type Handler = (m: Machinery, call: Call) => Promise<Result> | Result;

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

const OBJECT_VERBS = new Set(['get', 'update', 'patch', 'delete']);
/** These verbs have no name in the path and may span namespaces. A field selector may contain a name. */
const LIST_VERBS = new Set(['list', 'watch', 'deletecollection']);

const STATUS: Record<string, Handler> = { get, update, patch };
const SCALE: Record<string, Handler> = { get: getScale, update: putScale, patch: patchScale };

/** Handlers of other subresources, by `group/resource/subresource`. Other modules add theirs. */
const OTHERS = new Map<string, Record<string, Handler>>([
  ['/pods/binding', { create: bind }],
  ['/pods/eviction', { create: evict }],
  ['/pods/log', { get: log }],
  ['/pods/ephemeralcontainers', { get, update, patch }],
  ['/serviceaccounts/token', { create: (m, call) => review(m, call) }],
  // The finalize subresource is the only way to change spec.finalizers, so the rule of the kind that keeps them does not apply.
  ['/namespaces/finalize', { update: (m, call) => update(m, { ...call, type: { ...call.type, prepare: undefined } }) }],
]);

/** Handlers of kinds that are not stored: reviews and token requests. */
async function review(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const path = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  const asked = info.subresource ? { ...type, ...TOKEN_REQUEST } : type;
  const object = readBody({ ...call, type: asked }, readOptions(call, 'CreateOptions'));
  const { user } = call;
  return {
    kind: 'object',
    code: 201,
    object: m.auth.reviews[path]!(object, { user, namespace: info.namespace, name: info.name }),
  };
}

const TOKEN_REQUEST = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };

function handlerFor(call: Call): Handler {
  const { info, type } = call;
  const { subresource, verb } = info;
  let handlers: Record<string, Handler> | undefined;
  if (type.virtual) return verb === 'create' && !subresource ? review : refuse(call);
  if (!subresource) {
    const onObject = OBJECT_VERBS.has(verb);
    if (onObject !== (info.name !== '') && !LIST_VERBS.has(verb)) return refuse(call);
    if (type.namespaced && !info.namespace && !LIST_VERBS.has(verb)) return refuse(call);
    handlers = type.verbs.includes(verb) ? MAIN : {};
  } else if (subresource === 'status' && type.status) handlers = STATUS;
  else if (subresource === 'scale' && type.scale) handlers = SCALE;
  else handlers = OTHERS.get(`${type.group}/${type.plural}/${subresource}`);
  if (!handlers) throw type.custom ? notFound({ group: type.group, resource: type.plural }, info.name) : generic(404);
  const handler = handlers[verb];
  if (handler) return handler;
  return refuse(call);
}

function refuse({ type, info }: Call): never {
  throw type.custom ? methodNotSupported({ group: type.group, resource: type.plural }, info.verb) : generic(405);
}

export async function dispatch(
  m: Machinery,
  info: RequestInfo,
  user: User,
  request: Pick<ApiRequest, 'query' | 'headers' | 'body'>,
  warnings: string[],
): Promise<Result> {
  m.auth.check({ ...info, user });
  const type = m.registry.find(info.group, info.version, info.resource);
  if (!type) throw new PageNotFound();
  const call: Call = { info, user, query: request.query, headers: request.headers, body: request.body, type, warnings };
  if (type.deprecationWarning) warnings.push(type.deprecationWarning);
  return handlerFor(call)(m, call);
}
