// The first words with an API server: is it there, does it know us, and under which name?
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
