// What an API server says about ourselves: our name, and what we may do.
import type { Api } from './api.ts';
import { ApiError } from './errors.ts';

/** The username that our requests carry. Throws what the request throws. */
export async function whoAmI(api: Api, signal?: AbortSignal): Promise<string> {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = (await api.request({ method: 'POST', path, body, ...(signal ? { signal } : {}) })) as {
    status?: { userInfo?: { username?: string } };
  };
  const username = answer.status?.userInfo?.username;
  if (!username) throw new ApiError(500, { message: `${path}: the response contains no username` });
  return username;
}

/** What is to be done to which objects, as a SelfSubjectAccessReview has it. */
export interface ResourceAttributes {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
  readonly namespace?: string | undefined;
  /** Absent = any. */
  readonly name?: string;
}

/** Throws what the request throws. */
export async function mayI(api: Api, resourceAttributes: ResourceAttributes): Promise<boolean> {
  const answer = (await api.request({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
  })) as { status?: { allowed?: boolean } };
  return answer.status?.allowed === true;
}
