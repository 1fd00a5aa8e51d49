// Reads and writes AdmissionReviews of admission.k8s.io/v1.
import type { PatchOp } from '../engine/lib/json-patch.ts';
import { sentence, type Violation } from '../engine/validate/violation.ts';
import { BadRequest } from './json.ts';
import { explain, isAdmissionRequest, type AdmissionRequest } from './shapes.ts';

const API_VERSION = 'admission.k8s.io/v1';

/** The content of a response. */
export interface Answer {
  /** Label of the metrics, from a small fixed set. */
  readonly verdict: string;
  readonly patch?: readonly PatchOp[];
  readonly warnings?: readonly string[];
  /** Set if the request is refused. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

export const pass: Answer = { verdict: 'Passed' };

/** Throws BadRequest. */
export function readReview(body: unknown): AdmissionRequest {
  const review = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  if (review['kind'] !== 'AdmissionReview' || review['apiVersion'] !== API_VERSION) {
    throw new BadRequest(`the body is not an AdmissionReview of ${API_VERSION}`);
  }
  const request = review['request'];
  if (!isAdmissionRequest(request)) throw new BadRequest(`request: ${explain(isAdmissionRequest.errors)}`);
  return request;
}

export function writeReview(uid: string, { patch, warnings, status }: Answer): object {
  const response = {
    uid,
    allowed: status === undefined,
    ...(status !== undefined && { status: { status: 'Failure', ...status } }),
    ...(patch !== undefined &&
      patch.length > 0 && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
    ...(warnings !== undefined && warnings.length > 0 && { warnings }),
  };
  return { kind: 'AdmissionReview', apiVersion: API_VERSION, response };
}

/** A refusal with all errors, as a list if there are several. */
export const refuse = (verdict: string, violations: readonly Violation[]): Answer => {
  const sentences = violations.map(sentence);
  const message =
    sentences.length === 1 ? sentences.join() : [`${sentences.length} errors:`, ...sentences].join('\n- ');
  return { verdict, status: { code: 422, reason: 'Invalid', message } };
};

export const refuseNotReady = (why: string): Answer => ({
  verdict: 'NotReady',
  status: {
    code: 503,
    reason: 'ServiceUnavailable',
    message: `tranche is not ready: ${why}; try again in a few seconds`,
  },
});
