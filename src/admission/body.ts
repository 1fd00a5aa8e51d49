// The body of a request: bounded in size and time. Of one that is not read to its end, the beginning is kept, which says what it is about.
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../kube/api.ts';
import { readHead } from './head.ts';
import { BadRequest } from './json.ts';
import type { Lane } from './lane.ts';

/**
 * An API server takes requests of 3 MiB, and puts at most 2 MiB into etcd; its JSON writes one byte as up to six ("<" as \u003c). So the two objects
 * of a review that can come to anything take 24 MiB. Larger ones it does send: 34 MB of a JSON patch that adds 3 MiB to what is there, and
 * 126 MB of 1 MiB of YAML with aliases (measured). They cannot be stored, and are refused.
 */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** Whatever is not larger is read at once: nearly every review. */
export const SMALL_BYTES = 64 * 1024;
/** An API server sends what it has ready, and gives up after 5 s. */
const READ_MS = 3_000;

export type Unread = 'TooLarge' | 'NoReview' | 'Busy' | 'Late' | 'BrokenOff';

/** The body was not read to its end. */
export class UnreadBody extends Error {
  override readonly name = 'UnreadBody';
  readonly why: Unread;
  /** What was there by then. */
  readonly head: Uint8Array;

  constructor(why: Unread, head: Uint8Array) {
    super(why);
    this.why = why;
    this.head = head;
  }
}

export interface Body {
  readonly bytes: Uint8Array;
  /** It is not small: it is parsed in turn with others. */
  readonly large: boolean;
  /** The request is answered: its bytes are somebody else's turn. */
  readonly release: () => void;
}

/** Throws BadRequest, UnreadBody. What comes after that is not read. */
export function readBody(request: IncomingMessage, lane: Lane, clock: Clock): Promise<Body> {
  // Nothing compressed: a small body must not become a large one.
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
      if (reserved > 0) lane.leave(reserved);
      reserved = 0;
    };
    const giveUp = (why: Unread): void => {
      if (over) return;
      end();
      release();
      request.pause();
      reject(new UnreadBody(why, whole ? whole.subarray(0, size) : Buffer.concat(chunks)));
    };
    /** The rest is read when there is room for it, and when it is that of a review. */
    const waitForRoom = (bytes: number): void => {
      if (readHead(joined(chunks)) === undefined) return giveUp('NoReview');
      request.pause();
      void lane.enter(bytes).then((may) => {
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
