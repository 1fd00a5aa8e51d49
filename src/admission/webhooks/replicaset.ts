// The webhook for ReplicaSets and their scale: decodes the request, calls the engine, encodes the response.
import { admitReplicaSet, type WrittenReplicaSet } from '../../engine/admit/replicaset.ts';
import { decide } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import type { Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

/** Asks the API server only for a scale in a namespace with a release in progress. */
export function validateReplicaSet(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const namespace = request.namespace ?? '';
  const facts = {
    ...factsOf(request, deps),
    name: request.name ?? '',
    old: read(request.oldObject),
    next: read(request.object),
    releases: deps.releasesIn?.(namespace) ?? [],
  };
  return decide(admitReplicaSet, facts, deps, namespace);
}

function read(object: unknown): WrittenReplicaSet | undefined {
  const set = object as Partial<WrittenReplicaSet> | null | undefined;
  return typeof set === 'object' && set !== null && typeof set.metadata === 'object'
    ? (set as WrittenReplicaSet)
    : undefined;
}
