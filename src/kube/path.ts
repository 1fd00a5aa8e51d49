// The one place that makes paths of the API. No name, whoever wrote it, leads anywhere but to an object of that name.
import { show } from '../engine/validate/violation.ts';

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Absent: its objects are in namespaces. */
  readonly cluster?: true;
}

const namespaced = (apiVersion: string, kind: string, plural: string): Resource => ({ apiVersion, kind, plural });
const cluster = (apiVersion: string, kind: string, plural: string): Resource => ({
  ...namespaced(apiVersion, kind, plural),
  cluster: true,
});

export const DEPLOYMENTS = namespaced('apps/v1', 'Deployment', 'deployments');
export const REPLICA_SETS = namespaced('apps/v1', 'ReplicaSet', 'replicasets');
export const CONTROLLER_REVISIONS = namespaced('apps/v1', 'ControllerRevision', 'controllerrevisions');
export const PODS = namespaced('v1', 'Pod', 'pods');
export const SERVICES = namespaced('v1', 'Service', 'services');
export const SECRETS = namespaced('v1', 'Secret', 'secrets');
export const EVENTS = namespaced('v1', 'Event', 'events');
export const LEASES = namespaced('coordination.k8s.io/v1', 'Lease', 'leases');
export const ROLLOUTS = namespaced('rollouts.kruise.io/v1beta1', 'Rollout', 'rollouts');
export const BATCH_RELEASES = namespaced('rollouts.kruise.io/v1beta1', 'BatchRelease', 'batchreleases');
export const POLICIES = cluster('tranche.dev/v1alpha1', 'ReleasePolicy', 'releasepolicies');
export const NAMESPACES = cluster('v1', 'Namespace', 'namespaces');
export const DEFINITIONS = cluster('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions');
export const MUTATING = cluster(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
);
export const VALIDATING = cluster(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
);

/** Without name: the collection. Without namespace: that of all namespaces. */
export interface Where {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: 'status' | undefined;
}

/** A name that cannot be part of a path. */
export class PathError extends Error {
  override readonly name = 'PathError';
}

export function pathOf(resource: Resource, { namespace, name, subresource }: Where = {}): string {
  const { apiVersion, plural, cluster } = resource;
  let path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  if (namespace !== undefined && !cluster) path += `/namespaces/${segment('namespace', namespace)}`;
  path += `/${plural}`;
  if (name === undefined) return path;
  if (namespace === undefined && !cluster)
    throw new PathError(`an empty namespace may not be set when a ${resource.kind} is asked for by name`);
  path += `/${segment('resource name', name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** As kubectl and client-go say it. */
function segment(what: string, text: string): string {
  const objection = objectionTo(text);
  if (objection !== undefined) throw new PathError(`invalid ${what} ${show(text)}: ${objection}`);
  return encodeURIComponent(text);
}

const MAX_CHARACTERS = 253;

/** Encoding is not enough: an API server decodes a path before it takes it apart. */
function objectionTo(text: string): string | undefined {
  if (text === '') return 'may not be empty';
  if (text === '.' || text === '..') return `may not be '${text}'`;
  const found = ['/', '%', '\\'].find((character) => text.includes(character));
  if (found !== undefined) return `may not contain '${found}'`;
  if (text.length > MAX_CHARACTERS) return `must be no more than ${MAX_CHARACTERS} characters`;
  if (/[\0-\x1f\x7f-\x9f]/.test(text)) return 'may not contain control characters';
  return text.isWellFormed() ? undefined : 'must be valid Unicode';
}

/** `metadata.name=web`: a name cannot add a term to it. */
export function nameSelector(name: string): string {
  if (/[,=!\\]/.test(name)) throw new PathError(`invalid resource name ${show(name)}: may not contain ',', '=' or '!'`);
  segment('resource name', name);
  return `metadata.name=${name}`;
}

/** The last look, before a request is sent: throws where the path would reach a server as another one than it was made. */
export function assertPlain(path: string): void {
  if (path === '/') return;
  for (const part of path.slice(1).split('/')) {
    let text: string | undefined;
    try {
      text = decodeURIComponent(part);
    } catch {
      // Half an escape.
    }
    const objection = text === undefined ? 'must be encoded' : objectionTo(text);
    if (objection !== undefined || !path.startsWith('/') || /[?#\s]/.test(part))
      throw new PathError(`invalid path ${show(path)}: a segment ${objection ?? "may not contain '?', '#' or spaces"}`);
  }
}
