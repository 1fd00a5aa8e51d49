// The express app: three routes, a bounded body in, one answer out. A bad request is a 4xx; a bug of ours is a 500, so that failurePolicy decides.
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import { GROUP, OWN_GROUP } from '../api/keys.ts';
import { parseLeanReview } from '../kube/lean.ts';
import { silent } from '../kube/log.ts';
import { convertReview } from './conversions.ts';
import { mutateDeployment, validateScaleToZero } from './deployments.ts';
import type { AdmissionDeps } from './deps.ts';
import { BadRequest, parseJson } from './json.ts';
import { validatePolicyRequest } from './policies.ts';
import { pass, readReview, writeReview, type Answer } from './review.ts';
import { validateReplicaSet } from './replicasets.ts';
import { mutateRollout, validateRolloutRequest } from './rollouts.ts';
import type { AdmissionRequest } from './shapes.ts';

/** An AdmissionReview holds two objects of up to 3 MiB each. */
const MAX_BODY_BYTES = 7 * 1024 * 1024;
const MAX_UID = 64;
const JSON_TYPE = 'application/json';

export interface Reply {
  readonly verdict: string;
  readonly review: object;
}
export type Handler = (body: unknown) => Reply | Promise<Reply>;
type Judge = (request: AdmissionRequest, deps: AdmissionDeps) => Answer | Promise<Answer>;

export function createApp(deps: AdmissionDeps, isDraining: () => boolean): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  for (const [webhook, handler] of Object.entries(handlersOf(deps))) {
    app.post(`/${webhook}`, readBody, answer(webhook, handler, deps, isDraining));
    app.all(`/${webhook}`, () => {
      throw new BadRequest('only POST is answered here', 405);
    });
  }
  app.use(() => {
    throw new BadRequest('there is nothing here: /mutate, /validate and /convert are', 404);
  });
  app.use(answerError(deps));
  return app;
}

/** What each webhook makes of a parsed body. Throws BadRequest, and nothing else but for a bug of ours. */
export const handlersOf = (deps: AdmissionDeps): Readonly<Record<'mutate' | 'validate' | 'convert', Handler>> => ({
  mutate: admission({ 'apps/Deployment': mutateDeployment, [`${GROUP}/Rollout`]: mutateRollout }, deps),
  validate: admission(
    {
      [`${GROUP}/Rollout`]: validateRolloutRequest,
      [`${OWN_GROUP}/ReleasePolicy`]: validatePolicyRequest,
      'apps/Deployment': validateScaleToZero,
      'autoscaling/Scale': (request, own) =>
        request.resource?.resource === 'replicasets'
          ? validateReplicaSet(request, own)
          : validateScaleToZero(request, own),
      'apps/ReplicaSet': validateReplicaSet,
    },
    deps,
  ),
  convert: convertReview,
});

/** What is converted must come back as it was; elsewhere nobody asks who owns which field. Throws BadRequest. */
export const parseBody = (webhook: string, bytes: Uint8Array): unknown =>
  parseJson(bytes, webhook === 'convert' ? undefined : parseLeanReview);

/** Whoever sends us kinds that are not ours gets them back unchanged. */
const admission =
  (judges: Readonly<Record<string, Judge>>, deps: AdmissionDeps): Handler =>
  async (body) => {
    const request = readReview(body);
    const kind = `${request.kind.group}/${request.kind.kind}`;
    const judge = Object.hasOwn(judges, kind) ? judges[kind] : undefined;
    const result = judge === undefined ? pass : await judge(request, deps);
    return { verdict: result.verdict, review: writeReview(request.uid, result) };
  };

/** As the API server writes it, or in another way. */
const isJson = (request: Request): boolean =>
  request.headers['content-type'] === JSON_TYPE || Boolean(request.is(JSON_TYPE));

/** Nothing of another type, and nothing compressed: a small body must not become a large one. */
const readBody = express.raw({ type: (request) => isJson(request as Request), limit: MAX_BODY_BYTES, inflate: false });

const answer =
  (webhook: string, handler: Handler, { metrics }: AdmissionDeps, isDraining: () => boolean): RequestHandler =>
  async (request, response) => {
    const start = performance.now();
    let verdict = 'Error';
    let body: unknown;
    try {
      body = parseBody(webhook, bodyOf(request));
      const reply = await handler(body);
      verdict = reply.verdict;
      // Asked only now: a connection that was busy when the server began to close would stay open otherwise.
      if (isDraining()) response.set('Connection', 'close');
      // Not response.json(), which costs 5 µs more (measured) for what nobody asks here: charsets, caches, methods.
      const text = JSON.stringify(reply.review);
      response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Content-Length': Buffer.byteLength(text) }).end(text);
    } catch (error) {
      if (error instanceof BadRequest) verdict = 'BadRequest';
      response.locals['request'] = uidOf(body);
      throw error;
    } finally {
      metrics?.admission(webhook, verdict, (performance.now() - start) / 1000);
    }
  };

/** For the log, of a body that may be anything. */
const uidOf = (body: unknown): string | undefined => {
  const uid = (body as { readonly request?: { readonly uid?: unknown } | null } | null | undefined)?.request?.uid;
  return typeof uid === 'string' ? uid.slice(0, MAX_UID) : undefined;
};

const bodyOf = (request: Request): Uint8Array => {
  const body: unknown = request.body;
  if (body instanceof Uint8Array && body.length > 0) return body;
  throw isJson(request)
    ? new BadRequest('the body is empty')
    : new BadRequest('the body must be application/json', 415);
};

/** The status that express's own errors carry (a body that is too large, cut off, compressed). */
const statusOf = (error: unknown): number | undefined => {
  const { status } = error as { readonly status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
};

const answerError =
  ({ logger = silent }: AdmissionDeps): ErrorRequestHandler =>
  (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = error instanceof BadRequest ? error.status : (statusOf(error) ?? 500);
    const about = { request: response.locals['request'] as string | undefined, path: request.path };
    if (status === 500) logger.error('admission failed', { ...about, error });
    else logger.debug('admission refused a request', { ...about, status, error });
    const message = status === 500 ? 'internal error: see the log of tranche' : (error as Error).message;
    // What is left of a body that was not read would be taken for the next request.
    response.status(status).set('Connection', 'close').json({ message });
  };
