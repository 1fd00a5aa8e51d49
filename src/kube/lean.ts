// Parses an object as the API server sends it without reading who owns its fields: a third to half of its bytes, and more than that of the work.

const FIELD = Buffer.from('"managedFields":[');
/** What comes after the metadata. In a string these quotes would be escaped. */
const SPEC = Buffer.from('"spec":{');
/** Bytes of JSON. */
export const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...'"\\{}[]'].map((char) => char.charCodeAt(0));

/** The JSON with an empty list for `metadata.managedFields`, also as an item or in an event of a watch. Throws SyntaxError. */
export function parseLean(bytes: Buffer): unknown {
  const start = bytes.indexOf(FIELD);
  const ours = start > 0 && bytes[start - 1] !== BACKSLASH && bytes.subarray(0, start).indexOf(SPEC) < 0;
  const from = start + FIELD.length;
  const to = ours ? endOfList(bytes, from) : -1;
  if (to < 0) return JSON.parse(bytes.toString('utf8'));
  return JSON.parse(bytes.toString('utf8', 0, from) + bytes.toString('utf8', to));
}

/** Where the list that is open at `from` closes; -1 when it does not. */
function endOfList(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let i = from; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return i;
      depth--;
    }
  }
  return -1;
}
