// JSON from the wire.
import { MAX_DEPTH, nestsTooDeep } from '../api/nesting.ts';

/** The request cannot be answered; `status` is its HTTP status. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/** Throws BadRequest. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  if (nestsTooDeep(text)) throw new BadRequest(`the body nests deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRequest('the body is not JSON');
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new BadRequest('the body is not UTF-8');
  }
}
