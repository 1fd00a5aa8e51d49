// Finds the object of a release for the check `condition`: a Job, for example, that a pipeline made with the id of the release.
import { AGGREGATE_TO_CONDITIONS, ROLLOUT_ID } from '../api/keys.ts';
import { API_VERSION, isName, KIND_NAME } from '../api/names.ts';
import type { Resource } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Api } from '../kube/api.ts';
import { ApiError, isForbidden, isNotFound } from '../kube/errors.ts';
import { pathOf, versionPath } from '../kube/path.ts';
import type { Unknown } from './source.ts';

export interface ReleaseObjectQuery {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  /** Id of the release. */
  readonly rolloutID: string;
}

/** More objects of one release are not read. */
const MAX_OBJECTS = 500;
const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
/** Kinds that were found. A kind that is not served is looked up again each time, because its CRD may be installed. */
const found = new WeakMap<Api, Map<string, Resource>>();

/** The newest object of the release. Rejects only if the signal is aborted. */
export async function findReleaseObject(
  api: Api,
  query: ReleaseObjectQuery,
  signal: AbortSignal,
): Promise<KubeObject | undefined | Unknown> {
  const { apiVersion, kind, namespace, rolloutID } = query;
  if (!isName(API_VERSION, apiVersion) || !isName(KIND_NAME, kind))
    return { unknown: 'apiVersion or kind of the condition is not valid' };
  // It becomes a label selector, in which a comma would start another term.
  if (!LABEL_VALUE.test(rolloutID))
    return { unknown: 'the id of the release is not valid as the value of a label, so no object can have it' };
  const known = found.get(api) ?? new Map<string, Resource>();
  found.set(api, known);
  const key = `${apiVersion}/${kind}`;
  try {
    const resource = known.get(key) ?? (await discover(api, apiVersion, kind, signal));
    if ('unknown' in resource) return resource;
    known.set(key, resource);
    return await newest(api, resource, namespace, rolloutID, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isNotFound(error)) known.delete(key);
    return { unknown: reasonOf(error, apiVersion, kind, known.get(key)) };
  }
}

async function discover(api: Api, apiVersion: string, kind: string, signal: AbortSignal): Promise<Resource | Unknown> {
  const path = versionPath(apiVersion);
  const answer = (await api.request({ method: 'GET', path, signal, quiet: true })) as { readonly resources?: unknown };
  const served = Array.isArray(answer?.resources) ? (answer.resources as unknown[]) : [];
  const [resource] = served
    .map((one) => (one ?? {}) as Readonly<Record<string, unknown>>)
    .filter((one) => one['kind'] === kind && typeof one['name'] === 'string' && !one['name'].includes('/'));
  if (!resource) return { unknown: `${apiVersion} has no kind ${kind} in this cluster` };
  if (resource['namespaced'] !== true)
    return { unknown: `${kind} is a cluster-scoped kind: the object must be in the namespace of the Rollout` };
  return { apiVersion, kind, plural: resource['name'] as string };
}

async function newest(
  api: Api,
  resource: Resource,
  namespace: string,
  rolloutID: string,
  signal: AbortSignal,
): Promise<KubeObject | undefined | Unknown> {
  const { apiVersion, kind } = resource;
  let last: KubeObject | undefined;
  const take = (item: unknown): void => {
    const object = item as KubeObject;
    // Not every server that is reached through the API server knows label selectors.
    if (object?.metadata?.labels?.[ROLLOUT_ID] !== rolloutID || object.metadata.namespace !== namespace) return;
    if (last === undefined || isNewer(object, last)) last = object;
  };
  const answer = (await api.request({
    method: 'GET',
    path: pathOf(resource, { namespace }),
    query: { labelSelector: `${ROLLOUT_ID}=${rolloutID}`, limit: String(MAX_OBJECTS) },
    signal,
    quiet: true,
    onItem: take,
  })) as { readonly items?: unknown; readonly metadata?: { readonly continue?: unknown } } | undefined;
  if (!Array.isArray(answer?.items)) return { unknown: 'the answer of the API server is not a list' };
  answer.items.forEach(take);
  if (answer.metadata?.continue) return { unknown: `the release has more than ${MAX_OBJECTS} objects of kind ${kind}` };
  return last && { ...last, apiVersion, kind };
}

/** Objects of the same second: by name, so that the answer is always the same. */
const isNewer = (one: KubeObject, other: KubeObject): boolean => {
  const [a, b] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return a! > b!;
};

function reasonOf(error: unknown, apiVersion: string, kind: string, resource: Resource | undefined): string {
  if (isForbidden(error))
    return `forbidden: Tranche may not list ${resource?.plural ?? kind} of ${apiVersion}; create a ClusterRole with this right and the label ${AGGREGATE_TO_CONDITIONS}: "true"`;
  if (isNotFound(error)) return `${apiVersion} ${kind} is not served by this cluster`;
  return error instanceof ApiError ? `the API server answered ${error.code}` : 'the API server does not answer';
}
