// The response to a review that cannot be judged: too large, one too many, unreadable, or after a bug. It is always a review, because with an HTTP
// error the failurePolicy would decide, which accepts most requests.
import { GROUP, OWN_GROUP } from '../api/keys.ts';
import { isMarkedAsOurs } from '../engine/admit/edit.ts';
import { groupOf, HTTP_ROUTES } from '../api/resources.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { kindIn, KINDS } from '../engine/workload/registry.ts';
import type { AdmissionDeps } from './deps.ts';
import type { About, Head } from './head.ts';
import { writeReview, type Answer } from './review.ts';

export type Cause = 'TooLarge' | 'Busy' | 'Late' | 'BadRequest' | 'Error';

interface Reason {
  readonly code: number;
  readonly reason: string;
  /** Why it was not judged, and what the user can do. */
  readonly message: string;
}

const RETRY = 'try again in a few seconds';

export const reasonFor = (cause: Cause, detail: string): Reason => {
  switch (cause) {
    case 'TooLarge':
      return {
        code: 413,
        reason: 'RequestEntityTooLarge',
        message: 'the object is too large for the API server; make it smaller',
      };
    case 'Busy':
      return { code: 429, reason: 'TooManyRequests', message: `too many large requests at the same time; ${RETRY}` };
    case 'Late':
      return { code: 504, reason: 'Timeout', message: `the request took too long; ${RETRY}` };
    case 'BadRequest':
      return { code: 400, reason: 'BadRequest', message: `${detail}; this is a bug of tranche, please report it` };
    case 'Error':
      return { code: 500, reason: 'InternalError', message: 'internal error; see the log of tranche' };
  }
};

/** Refuses the request if it may concern a release or a policy. Other requests pass with a warning. */
export function writeUnjudged({ review, about }: Head, cause: Cause, detail: string, deps: AdmissionDeps): object {
  const { code, reason, message } = reasonFor(cause, detail);
  if (review === 'ConversionReview') {
    const result = { status: 'Failed', message: `tranche cannot convert this: ${message}` };
    const response = { uid: about.uid, result, convertedObjects: [] };
    return { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', response };
  }
  // An object that is too large cannot be stored anyway.
  const refused = cause === 'TooLarge' || mayMatter(about, deps);
  const answer: Answer = refused
    ? { verdict: cause, status: { code, reason, message: `tranche cannot judge this request: ${message}` } }
    : { verdict: cause, warnings: deps.warnings ? [`tranche: this edit was not checked: ${message}`] : [] };
  return writeReview(about.uid, answer);
}

/**
 * True if the request may concern a release or a policy, or if that is unknown. False only for:
 * - a ReplicaSet in a namespace without a release in progress,
 * - a workload or its scale without a Rollout, label or record, in a namespace without policies,
 * - a deletion of a Rollout in a namespace without policies,
 * - a route: stored as it was written, it is the user's own, and the operator changes it again.
 */
export function mayMatter({ group, kind, namespace, name, operation }: About, deps: AdmissionDeps): boolean {
  try {
    if (group === groupOf(HTTP_ROUTES.apiVersion)) return false;
    if (deps.notReady() !== undefined) return true;
    const ruled = (deps.policy?.policiesFor(namespace, []) ?? []).length > 0;
    if (group === GROUP || group === OWN_GROUP) return ruled || operation !== 'DELETE';
    if (group === 'apps' && kind === 'ReplicaSet') return (deps.releasesIn?.(namespace) ?? []).length > 0;
    // The head of a review does not say whose scale it is.
    const kinds =
      group === 'autoscaling' && kind === 'Scale' ? KINDS : [kindIn(group, kind)].filter((one) => one !== undefined);
    if (kinds.length === 0) return true;
    const matters = (one: WorkloadKind): boolean =>
      isMarkedAsOurs(deps.workloadFor(one, namespace, name)?.metadata) ||
      deps.rolloutFor(namespace, one, name) !== undefined;
    return ruled || kinds.some(matters);
  } catch {
    return true;
  }
}
