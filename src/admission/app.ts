// The express app with three routes. A review always gets a review as response. Other requests get a 4xx response.
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler, type Request } from 'express';
import { GROUP, OWN_GROUP } from '../api/keys.ts';
import { groupOf, type Resource } from '../api/resources.ts';
import type { Clock } from '../kube/api.ts';
import { realClock } from '../kube/clock.ts';
import { parseReviewWithoutManagedFields } from '../kube/without-managed-fields.ts';
import { silent } from '../kube/log.ts';
import { readBody, UnreadBody } from './body.ts';
import { convertReview } from './webhooks/conversion.ts';
import { mutateWorkload, validateScaleToZero } from './webhooks/workload.ts';
import type { AdmissionDeps } from './deps.ts';
import { readHead } from './head.ts';
import { BadRequest, parseJson } from './json.ts';
import { Lane } from './lane.ts';
import { clientOf, peerFlaw, type Client } from './peer.ts';
import { validatePolicyRequest } from './webhooks/policy.ts';
import { PROVIDERS } from '../engine/traffic/registry.ts';
import { KINDS } from '../engine/workload/registry.ts';
import { pass, readReview, writeReview, type Answer } from './review.ts';
import { validateReplicaSet } from './webhooks/replicaset.ts';
import { reviewRoute } from './webhooks/route.ts';
import { mutateRollout, validateRolloutRequest } from './webhooks/rollout.ts';
import { validateTrafficRouting } from './webhooks/traffic-routing.ts';
import type { AdmissionRequest } from './shapes.ts';
import { reasonFor, writeUnjudged, type Cause } from './unjudged.ts';

/** Less than the webhooks' timeout of 5 s in the chart. */
const ANSWER_MS = 4_500;
/** Time for a client to read the response while it is still sending. */
const HANG_UP_MS = 1_000;
/** Limits log messages about refused callers. */
const COMPLAIN_EVERY_MS = 60_000;
const JSON_TYPE = 'application/json';

export interface Reply {
  readonly verdict: string;
  readonly review: object;
}
export type Handler = (body: unknown) => Reply | Promise<Reply>;
type Webhook = (request: AdmissionRequest, deps: AdmissionDeps) => Answer | Promise<Answer>;

export interface AppOptions {
  readonly isDraining: () => boolean;
  readonly lane?: Lane;
  readonly clock?: Clock;
}

/** Requests as API servers send them skip express, which takes 15 µs to find their route (CPU profile). */
export function createApp(deps: AdmissionDeps, { isDraining, clock = realClock, lane }: AppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  const room = lane ?? new Lane(clock);
  const onlyPeers = checkPeer(deps, clock);
  const webhooks = new Map<string, Respond>();
  for (const [webhook, handler] of Object.entries(handlersOf(deps))) {
    // An API server presents its client certificate to admission webhooks, but not to conversion webhooks.
    const check = webhook === 'convert' ? undefined : onlyPeers;
    const respond = answer({ webhook, handler, check, deps, isDraining, clock, lane: room });
    webhooks.set(`/${webhook}`, respond);
    app.post(`/${webhook}`, respond);
    app.all(`/${webhook}`, () => {
      throw new BadRequest('method not allowed: use POST', 405);
    });
  }
  app.use(() => {
    throw new BadRequest('not found: use /mutate, /validate or /convert', 404);
  });
  const refuse = answerError(deps);
  app.use(((error: unknown, request, response, _next) =>
    refuse(error, request, response)) satisfies ErrorRequestHandler);
  return (request, response) => {
    const isUsual = request.method === 'POST' && request.headers['content-type'] === JSON_TYPE;
    const respond = isUsual ? webhooks.get(pathOf(request.url)) : undefined;
    if (respond === undefined) app(request, response);
    else
      respond(request, response)
        .catch((error: unknown) => refuse(error, request, response))
        .catch(() => request.socket.destroy());
  };
}

/** The same handler for all kinds of a registry. */
const ofAll = (kinds: readonly { readonly resource: Resource }[], webhook: Webhook): Record<string, Webhook> =>
  Object.fromEntries(kinds.map(({ resource }) => [`${groupOf(resource.apiVersion)}/${resource.kind}`, webhook]));

const ofRoutes = ofAll(PROVIDERS, reviewRoute);

/** The handler of each webhook for a parsed body. Throws BadRequest. */
export const handlersOf = (deps: AdmissionDeps): Readonly<Record<'mutate' | 'validate' | 'convert', Handler>> => ({
  mutate: admission({ ...ofAll(KINDS, mutateWorkload), ...ofRoutes, [`${GROUP}/Rollout`]: mutateRollout }, deps),
  validate: admission(
    {
      [`${GROUP}/Rollout`]: validateRolloutRequest,
      [`${GROUP}/TrafficRouting`]: validateTrafficRouting,
      [`${OWN_GROUP}/ReleasePolicy`]: validatePolicyRequest,
      ...ofAll(KINDS, validateScaleToZero),
      ...ofRoutes,
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

/** Parses a body. Only the conversion needs managedFields, so they are skipped for the other webhooks. Throws BadRequest. */
export const parseBody = (webhook: string, bytes: Uint8Array): unknown =>
  parseJson(bytes, webhook === 'convert' ? undefined : parseReviewWithoutManagedFields);

/** Objects of other kinds pass unchanged. */
const admission =
  (webhooks: Readonly<Record<string, Webhook>>, deps: AdmissionDeps): Handler =>
  (body) => {
    const request = readReview(body);
    const kind = `${request.kind.group}/${request.kind.kind}`;
    const webhook = Object.hasOwn(webhooks, kind) ? webhooks[kind] : undefined;
    const result = webhook === undefined ? pass : webhook(request, deps);
    const reply = (one: Answer): Reply => ({ verdict: one.verdict, review: writeReview(request.uid, one) });
    return result instanceof Promise ? result.then(reply) : reply(result);
  };

/** Checks the common header value first, because parsing is slower. Only requests through express can have another Content-Type. */
const isJson = (request: IncomingMessage): boolean =>
  request.headers['content-type'] === JSON_TYPE || Boolean((request as Request).is(JSON_TYPE));

/** Throws BadRequest for a caller that is no API server. */
const checkPeer = ({ peers, logger = silent }: AdmissionDeps, clock: Clock): ((request: IncomingMessage) => void) => {
  let complainedAt = -Infinity;
  return (request) => {
    const flaw = peerFlaw(request.socket, peers?.());
    if (flaw === undefined) return;
    if (clock.now() - complainedAt >= COMPLAIN_EVERY_MS) {
      complainedAt = clock.now();
      logger.warn('refused a caller without the client certificate of an API server', {
        flaw,
        address: request.socket.remoteAddress,
      });
    }
    throw new BadRequest(`${flaw}: only API servers may call the webhooks`, 403);
  };
};

interface Route {
  readonly webhook: string;
  readonly handler: Handler;
  readonly check: ((request: IncomingMessage) => void) | undefined;
  readonly deps: AdmissionDeps;
  readonly isDraining: () => boolean;
  readonly lane: Lane;
  readonly clock: Clock;
}

type Respond = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const answer = (route: Route): Respond => {
  const { webhook, check, deps, isDraining, clock } = route;
  return async (request, response) => {
    check?.(request);
    const start = performance.now();
    let verdict = 'Error';
    const inbound: Inbound = {};
    try {
      let reply: Reply;
      try {
        reply = await inTime(handleBody(request, route, inbound), clock);
      } catch (error) {
        reply = unjudged(error, inbound, route);
      }
      verdict = reply.verdict;
      // Not response.json(), which takes 5 µs more (measured) for charsets, caches and methods.
      const text = JSON.stringify(reply.review);
      const headers: OutgoingHttpHeaders = { 'Content-Type': JSON_TYPE, 'Content-Length': Buffer.byteLength(text) };
      // Checked after the work: otherwise a connection that was busy when the server started to close would stay open.
      if (isDraining()) headers['Connection'] = 'close';
      response.writeHead(200, headers).end(text);
      if (!request.readableEnded) hangUp(request, clock);
    } catch (error) {
      if (error instanceof BadRequest) verdict = 'BadRequest';
      throw error;
    } finally {
      inbound.release?.();
      deps.metrics?.admission(webhook, verdict, (performance.now() - start) / 1000);
    }
  };
};

/** Closes the connection after a delay, so that the client, which is still sending, can read the response. */
const hangUp = ({ socket }: IncomingMessage, clock: Clock): void => {
  const cancel = clock.after(HANG_UP_MS, () => socket.destroy());
  socket.once('close', cancel);
};

/** The part of the request that was received. */
interface Inbound {
  bytes?: Uint8Array;
  release?: () => void;
}

async function handleBody(
  request: IncomingMessage,
  { webhook, handler, deps, lane, clock }: Route,
  inbound: Inbound,
): Promise<Reply> {
  if (!isJson(request)) throw new BadRequest('the body must be application/json', 415);
  // Asked for a large body only. The address of a closed connection is not known any more.
  let known: Client | undefined;
  const client = (): Client => (known ??= clientOf(request.socket, deps.peers?.()));
  const { bytes, large, release } = await readBody(request, { lane, clock, client });
  Object.assign(inbound, { bytes, release } satisfies Inbound);
  if (bytes.length === 0) throw new BadRequest('the body is empty');
  const parse = (): unknown => parseBody(webhook, bytes);
  const body = large ? await lane.turn(client(), bytes.length, parse) : parse();
  return handler(body);
}

class TooLate extends Error {}

/** Rejects if the work takes too long for the webhook's timeout. */
function inTime<T>(work: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ANSWER_MS, () => reject(new TooLate()));
    const end =
      <R>(settle: (result: R) => void) =>
      (result: R): void => {
        cancel();
        settle(result);
      };
    work.then(end(resolve), end(reject));
  });
}

/** Answers with a review if the received bytes are the start of one. Otherwise throws the error. */
function unjudged(error: unknown, inbound: Inbound, { webhook, deps }: Route): Reply {
  const unread = error instanceof UnreadBody ? error : undefined;
  const bytes = unread?.head ?? inbound.bytes;
  const read = bytes && unread?.why !== 'BrokenOff' ? readHead(bytes) : undefined;
  const head = (read?.review === 'ConversionReview') === (webhook === 'convert') ? read : undefined;
  const cause = causeOf(error);
  const detail = error instanceof BadRequest ? error.message : '';
  if (head === undefined) {
    if (cause === 'Error' || error instanceof BadRequest) throw error;
    if (unread?.why === 'NoReview') throw new BadRequest('the body is not a review');
    const { code, message } = reasonFor(cause, detail);
    throw new BadRequest(message, code);
  }
  const { logger = silent } = deps;
  const about = { request: head.about.uid, webhook };
  if (cause === 'Error') logger.error('admission failed', { ...about, error });
  else logger.warn('cannot judge a review', { ...about, cause, detail });
  return { verdict: cause, review: writeUnjudged(head, cause, detail, deps) };
}

function causeOf(error: unknown): Cause {
  if (error instanceof UnreadBody)
    return error.why === 'BrokenOff' ? 'Late' : error.why === 'NoReview' ? 'BadRequest' : error.why;
  if (error instanceof TooLate) return 'Late';
  return error instanceof BadRequest ? 'BadRequest' : 'Error';
}

/** The status of express' own errors (a body that is too large, incomplete or compressed). */
const statusOf = (error: unknown): number | undefined => {
  const { status } = error as { readonly status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
};

const pathOf = (url = ''): string => url.split('?', 1)[0] ?? '';

const answerError =
  ({ logger = silent }: AdmissionDeps) =>
  (error: unknown, request: IncomingMessage, response: ServerResponse): void => {
    if (response.headersSent) {
      request.socket.destroy();
      return;
    }
    const status = error instanceof BadRequest ? error.status : (statusOf(error) ?? 500);
    const about = { path: pathOf(request.url) };
    if (status === 500) logger.error('admission failed', { ...about, error });
    else logger.debug('admission refused a request', { ...about, status, error });
    const message = status === 500 ? 'internal error: see the log of tranche' : (error as Error).message;
    // The rest of an unread body would be parsed as the next request.
    const headers = { 'Content-Type': `${JSON_TYPE}; charset=utf-8`, Connection: 'close' };
    response.writeHead(status, headers).end(JSON.stringify({ message }));
    // The rest is not read.
    request.pause();
  };
