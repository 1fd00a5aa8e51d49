// AdmissionReview v1: the request to a webhook and its possible answers.
import { ApiError, type AdmissionRequest, type KubeObject, type Status, type User } from '../core/types.ts';
import type { Versioned } from './versions.ts';

interface Gvk {
  group: string;
  version: string;
  kind: string;
}

interface Gvr {
  group: string;
  version: string;
  resource: string;
}

export interface ReviewRequest {
  uid: string;
  kind: Gvk;
  resource: Gvr;
  subResource?: string;
  requestKind: Gvk;
  requestResource: Gvr;
  requestSubResource?: string;
  name?: string;
  namespace?: string;
  operation: AdmissionRequest['operation'];
  userInfo: User;
  object: KubeObject | null;
  oldObject: KubeObject | null;
  dryRun: boolean;
  options: Record<string, unknown> | null;
}

export interface ReviewResponse {
  uid?: string;
  allowed: boolean;
  status?: Partial<Status>;
  /** JSON patch in base64. A webhook in this process may also return the list of operations. */
  patch?: string | readonly object[];
  patchType?: string;
  warnings?: string[];
  auditAnnotations?: Record<string, string>;
}

export interface AdmissionReview {
  kind: 'AdmissionReview';
  apiVersion: 'admission.k8s.io/v1';
  request?: ReviewRequest;
  response?: ReviewResponse;
}

/** The webhook is unreachable or returned an invalid answer. failurePolicy decides what happens. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

export const reviewOf = (request: AdmissionRequest, versioned: Versioned, uid: string): ReviewRequest => {
  const { attributes, type, kind } = request;
  const { group, version, resource, subresource, name, user } = attributes;
  // A Namespace counts as part of itself, even before it exists.
  const namespace = attributes.namespace || (group === '' && resource === 'namespaces' ? name : '');
  const seen = versioned.type;
  const sameKind = seen === type || subresource === 'scale';
  return {
    uid,
    kind: sameKind ? kind : { group: seen.group, version: seen.version, kind: seen.kind },
    resource: { group: seen.group, version: seen.version, resource: seen.plural },
    ...(subresource ? { subResource: subresource } : {}),
    requestKind: kind,
    requestResource: { group, version, resource },
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation: request.operation,
    userInfo: user,
    object: versioned.object,
    oldObject: versioned.oldObject,
    dryRun: request.dryRun,
    options: request.options,
  };
};

/** Returns the response of a review, or a CallError with the reason why it is invalid. */
export const verifyResponse = (review: unknown, uid: string, mutating: boolean): ReviewResponse => {
  const invalid = (why: string): never => {
    throw new CallError(`received invalid webhook response: ${why}`);
  };
  const { apiVersion = '', kind = '', response } = (review ?? {}) as Partial<AdmissionReview>;
  if (!response) return invalid('webhook response was absent');
  if (response.uid !== uid)
    return invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview') {
    return invalid(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${apiVersion || '/'}, Kind=${kind}`,
    );
  }
  const patched = (response.patch?.length ?? 0) > 0;
  if (!mutating && patched) return invalid('validating webhook may not return response.patch');
  if (!mutating && response.patchType !== undefined)
    return invalid('validating webhook may not return response.patchType');
  if (patched && response.patchType === undefined)
    return invalid('webhook returned response.patch but not response.patchType');
  if (!patched && response.patchType !== undefined)
    return invalid('webhook returned response.patchType but not response.patch');
  if (patched && response.patchType !== 'JSONPatch') {
    return invalid(`webhook returned invalid response.patchType of ${JSON.stringify(response.patchType)}`);
  }
  return response;
};

/** The error for the client if a webhook refuses. */
export const denial = (webhook: string, status: Partial<Status> | undefined): ApiError => {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const { message, reason, code = 0, details } = status ?? {};
  const explanation = message ? `: ${message}` : reason ? `: ${reason}` : ' without explanation';
  return new ApiError({
    code: code < 400 ? 400 : code,
    message: by + explanation,
    reason: reason ?? '',
    ...(details ? { details } : {}),
  });
};

/** Returns the operations of a patch. Throws CallError if it is invalid. */
export const decodePatch = (patch: ReviewResponse['patch']): object[] => {
  if (patch === undefined || typeof patch !== 'string') return [...(patch ?? [])];
  try {
    const operations: unknown = JSON.parse(Buffer.from(patch, 'base64').toString());
    if (Array.isArray(operations)) return operations as object[];
    throw new Error('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  } catch (error) {
    throw new CallError(`received undecodable patch in webhook response: ${(error as Error).message}`, {
      cause: error,
    });
  }
};
