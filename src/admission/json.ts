// JSON from the wire, with a bound on how deep it nests: everything that walks an object afterwards may then recurse.

/** Ours go to about 25 (managedFields of a Deployment), nothing Kubernetes has goes past 60. */
export const MAX_DEPTH = 128;

/** The request cannot be answered; `status` is its HTTP status. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Throws BadRequest. */
export function parseJson(bytes: Uint8Array): unknown {
  if (isDeeper(bytes, MAX_DEPTH)) throw new BadRequest(`the body nests deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new BadRequest(error instanceof SyntaxError ? 'the body is not JSON' : 'the body is not UTF-8');
  }
}

/** On the bytes, before anything is built from them. */
function isDeeper(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > limit) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return false;
}
