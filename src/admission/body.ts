// Reads the body of a request, with limits for size and time. If it is not read completely, its start is kept, which identifies the review.
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../kube/api.ts';
import { readHead } from './head.ts';
import { BadRequest } from './json.ts';
import type { Lane } from './lane.ts';
import type { Client } from './peer.ts';

/**
 * An API server accepts requests of 3 MiB and stores at most 2 MiB in etcd. Its JSON encodes one byte as up to six ("<" as \u003c). So the two
 * objects of a review that can be stored take at most 24 MiB. The API server also sends larger reviews: 34 MB for a JSON patch that adds 3 MiB, and
 * 126 MB for 1 MiB of YAML with aliases (measured). These objects cannot be stored, so the reviews are refused.
 */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** Bodies up to this size, nearly all reviews, are read without a reservation. */
export const SMALL_BYTES = 64 * 1024;
/** An API server sends the whole body at once, and times out after 5 s. */
const READ_MS = 3_000;

export type Unread = 'TooLarge' | 'NoReview' | 'Busy' | 'Late' | 'BrokenOff';

/** The body was not read completely. */
export class UnreadBody extends Error {
  override readonly name = 'UnreadBody';
  readonly why: Unread;
  /** The received part. */
  readonly head: Uint8Array;

  constructor(why: Unread, head: Uint8Array) {
    super(why);
    this.why = why;
    this.head = head;
  }
}

export interface Body {
  readonly bytes: Uint8Array;
  /** Larger than SMALL_BYTES: it is parsed in turn with other large bodies. */
  readonly large: boolean;
  /** Must be called after the response, to release the reserved bytes. */
  readonly release: () => void;
}

/** Throws BadRequest and UnreadBody. The rest of the body is not read then. */
export function readBody(
  request: IncomingMessage,
  { lane, clock, client }: { readonly lane: Lane; readonly clock: Clock; readonly client: () => Client },
): Promise<Body> {
  // No compression, because a small body could expand to a large one.
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new BadRequest('the body must not be compressed', 415);
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? NaN);
    const chunks: Buffer[] = [];
    let whole: Buffer | undefined;
    let size = 0;
    let reserved = 0;
    let over = false;

    const end = (): void => {
      over = true;
      cancel();
      request.off('data', take).off('end', done).off('close', brokenOff);
    };
    const release = (): void => {
      if (reserved > 0) lane.leave(client(), reserved);
      reserved = 0;
    };
    const giveUp = (why: Unread): void => {
      if (over) return;
      end();
      release();
      request.pause();
      reject(new UnreadBody(why, whole ? whole.subarray(0, size) : Buffer.concat(chunks)));
    };
    /** Reads the rest only if the start is a review and memory is available. */
    const waitForRoom = (bytes: number): void => {
      if (readHead(joined(chunks)) === undefined) return giveUp('NoReview');
      request.pause();
      void lane.enter(client(), bytes).then((may) => {
        if (may) reserved = bytes;
        if (over) return release();
        if (!may) return giveUp('Busy');
        if (announced === bytes) {
          whole = Buffer.allocUnsafeSlow(bytes);
          Buffer.concat(chunks).copy(whole);
          chunks.length = 0;
        }
        request.resume();
      });
    };
    let asked = false;
    const take = (chunk: Buffer): void => {
      if (whole) chunk.copy(whole, size);
      else chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY_BYTES || announced > MAX_BODY_BYTES) return giveUp('TooLarge');
      if (asked || !(size > SMALL_BYTES || announced > SMALL_BYTES)) return;
      asked = true;
      waitForRoom(Number.isNaN(announced) ? MAX_BODY_BYTES : announced);
    };
    const done = (): void => {
      if (over) return;
      end();
      resolve({ bytes: whole ?? joined(chunks), large: asked, release });
    };
    const brokenOff = (): void => giveUp('BrokenOff');
    const cancel = clock.after(READ_MS, () => giveUp('Late'));
    request.on('data', take).on('end', done).on('close', brokenOff).on('error', brokenOff);
  });
}

const joined = (chunks: readonly Buffer[]): Buffer => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
