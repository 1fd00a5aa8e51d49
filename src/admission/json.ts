// JSON from the wire.
import { isUtf8 } from 'node:buffer';
import { isTooDeep, MAX_DEPTH, nestsTooDeep } from '../api/nesting.ts';

/** The request cannot be answered; `status` is its HTTP status. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** Of larger texts, depth is looked at before anything is built: what a small one can make us build does no harm. */
const SMALL_LENGTH = 256 * 1024;

/** By default as it is. Throws BadRequest. */
export function parseJson(bytes: Uint8Array, parse: (text: string) => unknown = JSON.parse): unknown {
  const text = decode(bytes);
  const small = text.length <= SMALL_LENGTH;
  if (!small && nestsTooDeep(text)) throw tooDeep();
  const value = parsed(text, parse);
  if (small && isTooDeep(value)) throw tooDeep();
  return value;
}

const tooDeep = (): BadRequest => new BadRequest(`the body nests deeper than ${MAX_DEPTH} levels`);

function parsed(text: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(text);
  } catch {
    throw new BadRequest('the body is not JSON');
  }
}

/** Without a TextDecoder: one for each body makes more work for the garbage collector than all else here (measured). */
function decode(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new BadRequest('the body is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
