// Builds all paths of the Kubernetes API. It rejects names that would change the meaning of a path.
import type { Resource } from '../api/resources.ts';
import { show } from '../engine/validate/violation.ts';

/** Without name: the path of the collection. Without namespace: the collection across all namespaces. */
export interface Where {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** A name that cannot be part of a path. */
export class PathError extends Error {
  override readonly name = 'PathError';
}

export function pathOf(resource: Resource, { namespace, name, subresource }: Where = {}): string {
  const { apiVersion, plural, cluster } = resource;
  let path = versionPath(apiVersion);
  if (namespace !== undefined && !cluster) path += `/namespaces/${segment('namespace', namespace)}`;
  path += `/${segment('resource', plural)}`;
  if (name === undefined) return path;
  if (namespace === undefined && !cluster)
    throw new PathError(`an empty namespace may not be set when the name of a ${resource.kind} is provided`);
  path += `/${segment('resource name', name)}`;
  return subresource === undefined ? path : `${path}/${segment('subresource', subresource)}`;
}

/** A port of a Service, reached through the API server. */
export interface ProxiedService {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** Default http. */
  readonly scheme?: 'http' | 'https';
}

/** The path of a request through the API server. `path`: the path of the Service, from its first `/` on. Throws PathError. */
export function proxyPathOf({ namespace, name, port, scheme = 'http' }: ProxiedService, path: string): string {
  if (!/^https?$/.test(scheme) || name.includes(':') || !Number.isInteger(port) || !path.startsWith('/'))
    throw new PathError(
      `invalid address of a Service ${show(`${scheme}:${name}:${port}${path}`)}: must be http:NAME:PORT/PATH`,
    );
  const service = `${scheme}:${segment('resource name', name)}:${port}`;
  const whole = `/api/v1/namespaces/${segment('namespace', namespace)}/services/${service}/proxy${path}`;
  assertSafePath(whole);
  return whole;
}

/** The path of a version of an API, which lists its kinds: `/apis/apps/v1`. */
export const versionPath = (apiVersion: string): string =>
  [
    apiVersion.includes('/') ? '/apis' : '/api',
    ...apiVersion.split('/').map((part) => segment('API version', part)),
  ].join('/');

/** Throws PathError with the words of kubectl and client-go. */
function segment(what: string, text: string): string {
  const objection = objectionTo(text);
  if (objection !== undefined) throw new PathError(`invalid ${what} ${show(text)}: ${objection}`);
  return encodeURIComponent(text);
}

const MAX_CHARACTERS = 253;

/** Why a name is not valid in a path. Encoding is not enough: an API server decodes a path before it splits it into segments. */
function objectionTo(text: string): string | undefined {
  if (text === '') return 'may not be empty';
  if (text === '.' || text === '..') return `may not be '${text}'`;
  const found = ['/', '%', '\\'].find((character) => text.includes(character));
  if (found !== undefined) return `may not contain '${found}'`;
  if (text.length > MAX_CHARACTERS) return `must be no more than ${MAX_CHARACTERS} characters`;
  if (/[\0-\x1f\x7f-\x9f]/.test(text)) return 'may not contain control characters';
  return text.isWellFormed() ? undefined : 'must be valid Unicode';
}

/** A field selector such as `metadata.name=web`. Throws PathError for a name that would add a term to it. */
export function nameSelector(name: string): string {
  if (/[,=!\\]/.test(name)) throw new PathError(`invalid resource name ${show(name)}: may not contain ',', '=' or '!'`);
  segment('resource name', name);
  return `metadata.name=${name}`;
}

/** Checks a path before its request is sent. Throws PathError if a server would read it as another path. */
export function assertSafePath(path: string): void {
  if (path === '/') return;
  for (const part of path.slice(1).split('/')) {
    let text: string | undefined;
    try {
      text = decodeURIComponent(part);
    } catch {
      // An incomplete escape sequence.
    }
    const objection = text === undefined ? 'must be encoded' : objectionTo(text);
    if (objection !== undefined || !path.startsWith('/') || /[?#\s]/.test(part))
      throw new PathError(`invalid path ${show(path)}: a segment ${objection ?? "may not contain '?', '#' or spaces"}`);
  }
}
