// Parses JSON from requests.
import { isUtf8 } from 'node:buffer';
import { isTooDeep, MAX_DEPTH, nestsTooDeep } from '../api/nesting.ts';

/** An invalid request. `status` is the HTTP status of the response. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** The nesting of larger texts is checked before they are parsed. Small texts are harmless. */
const SMALL_LENGTH = 256 * 1024;

/** Parses UTF-8 JSON, by default with JSON.parse. Throws BadRequest. */
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

/** Without a TextDecoder, because one for each body costs more garbage collection than everything else here (measured). */
function decode(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new BadRequest('the body is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
