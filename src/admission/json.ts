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

/** Calls `check` with what it has parsed. */
type Parse = (text: string, check: (value: unknown) => void) => unknown;

const plainly: Parse = (text, check) => {
  const value: unknown = JSON.parse(text);
  check(value);
  return value;
};

/** Throws BadRequest. */
export function parseJson(bytes: Uint8Array, parse = plainly): unknown {
  const text = decode(bytes);
  const small = text.length <= SMALL_LENGTH;
  const tooDeep = (): BadRequest => new BadRequest(`the body nests deeper than ${MAX_DEPTH} levels`);
  if (!small && nestsTooDeep(text)) throw tooDeep();
  try {
    return parse(text, (value) => {
      if (small && isTooDeep(value)) throw tooDeep();
    });
  } catch (error) {
    throw error instanceof BadRequest ? error : new BadRequest('the body is not JSON');
  }
}

/** Without a TextDecoder: one for each body makes more work for the garbage collector than all else here (measured). */
function decode(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new BadRequest('the body is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
