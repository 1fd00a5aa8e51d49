// The webhooks for routes of releases: decode the request, call the engine, encode the response.
import type { Route } from '../../api/traffic.ts';
import { admitRoute } from '../../engine/admit/route.ts';
import { asRoute } from '../../engine/traffic/shape.ts';
import { answerOf } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import { pass, type Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

/** An edit, before the API server has checked it against the schema, or a deletion. Asks the API server nothing. */
export function reviewRoute(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const [old, next] = [read(request.oldObject), read(request.object)];
  // The API server refuses a malformed object, with a better message.
  if (old === null || next === null) return pass;
  return answerOf(admitRoute({ ...factsOf(request, deps), old, next }), deps);
}

/** Undefined if it is absent, null if it is malformed. */
const read = (object: unknown): Route | undefined | null =>
  object === undefined || object === null ? undefined : (asRoute(object) ?? null);
