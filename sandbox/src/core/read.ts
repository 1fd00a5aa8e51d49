// Get and list: selectors, and pages from one snapshot.
import { badRequest, expired, notFound } from './errors.ts';
import { checkListOptions, NO_FILTER, passes, readFilter, readRevision } from './filter.ts';
import { apiVersionOf, collectionOf } from './resources.ts';
import { integerOf } from './options.ts';
import { fromStored, groupResource, type Call, type Machinery, type Result } from './call.ts';
import { ApiError, type KubeObject, type ResourceType } from './types.ts';

export async function get(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  if (type.computed) return getComputed(type, info.namespace, info.name);
  const stored = m.store.get(collectionOf(type), type.namespaced ? info.namespace : '', info.name);
  checkNotTooNew(m, readRevision(call, info.name));
  if (!stored) throw notFound(groupResource(type), info.name);
  if (stored.apiVersion === apiVersionOf(type.group, type.version)) {
    return { kind: 'object', code: 200, object: stored, type };
  }
  return { kind: 'object', code: 200, object: (await fromStored(type, [stored]))[0]!, type };
}

function getComputed(type: ResourceType, namespace: string, name: string): Result {
  const object = type.computed!(namespace).find(({ metadata }) => metadata.name === name);
  // As metrics-server names it.
  if (!object) throw notFound({ group: type.group, resource: type.kind.toLowerCase() }, `${namespace}/${name}`);
  return { kind: 'object', code: 200, object, type };
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

interface PageToken {
  /** Revision of the snapshot. -1: the newest. */
  revision: number;
  /** `namespace/name` of the last object of the previous page. */
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
    // The check below reports the error.
  }
  const at = text.search(/[^-\w]/);
  const why = at < 0 ? 'server does not recognize this encoded version' : `illegal base64 data at input byte ${at}`;
  throw badRequest(`invalid continue token: continue key is not valid: ${why}`);
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** The remaining objects of a page's snapshot. */
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
  if (type.computed) {
    const items = type.computed(namespace).filter((object) => passes(filter, object));
    return { kind: 'list', items, type, metadata: {} };
  }
  const token = query.size ? query.get('continue') : null;
  const asked = readRevision(call);
  // Lists from the cache (resourceVersion=0) are not paged.
  const limit = asked === 0 || query.size === 0 ? 0 : integerOf(query, 'limit');
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
