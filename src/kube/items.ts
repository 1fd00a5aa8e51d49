// Parses the items of a list while the list arrives, so that memory holds one item at a time and not a whole page as bytes, text and objects.
import { NetworkError } from './errors.ts';
import { parseWithoutManagedFields } from './without-managed-fields.ts';

export type OnItem = (item: unknown, list: { readonly apiVersion?: string; readonly kind?: string }) => void;

/** Bytes that structure JSON. */
const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...'"\\{}[]'].map((char) => char.charCodeAt(0));

/** Nesting depth of the list's own fields, and of its items. */
const TOP = 1;
const ITEMS = 2;

/**
 * Resolves with the list without its items, as JSON. Calls `onItem` for each item in order, without `metadata.managedFields`, with the
 * fields of the list that come before `items`: items of a list usually have no apiVersion and kind. Throws SyntaxError, and NetworkError
 * if an item, or the rest of the list, is longer than `maxBytes`.
 */
export async function readItems(stream: AsyncIterable<Buffer>, maxBytes: number, onItem: OnItem): Promise<string> {
  const rest: Buffer[] = [];
  let item: Buffer[] = [];
  let list: Parameters<OnItem>[1] | undefined;
  let [depth, bytes] = [0, 0];
  let [inString, escaped, inItems] = [false, false, false];
  /** The last string at the depth of the list. Before a `[` it is the name of a field. */
  let name = '';
  const give = (): void => {
    list ??= JSON.parse(`${Buffer.concat(rest).toString('utf8')}]}`) as Parameters<OnItem>[1];
    onItem(parseWithoutManagedFields(Buffer.concat(item)), list);
    item = [];
    bytes = 0;
  };

  for await (const chunk of stream) {
    let start = 0;
    const take = (end: number): void => {
      if (end > start) (inItems && depth > ITEMS ? item : rest).push(chunk.subarray(start, end));
      start = end;
    };
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        if (depth === TOP && inString) name += String.fromCharCode(byte!);
      } else if (byte === QUOTE) {
        inString = true;
        if (depth === TOP) name = '';
      } else if (byte === OPEN || byte === OPEN_LIST) {
        if (depth === TOP && byte === OPEN_LIST && name === 'items') inItems = true;
        // Drops the comma and white space between two items.
        if (inItems && depth === ITEMS) start = i;
        depth += 1;
        if (inItems && depth === ITEMS) take(i + 1);
      } else if (byte === CLOSE || byte === CLOSE_LIST) {
        if (inItems && depth === ITEMS + 1) {
          take(i + 1);
          depth -= 1;
          give();
        } else {
          if (inItems && depth === ITEMS) {
            start = i;
            inItems = false;
          }
          depth -= 1;
        }
      }
    }
    if (!(inItems && depth === ITEMS)) take(chunk.length);
    bytes += chunk.length;
    if (bytes > maxBytes) throw new NetworkError(`the response is larger than ${maxBytes} bytes`, 'TOOLARGE');
  }
  return Buffer.concat(rest).toString('utf8');
}
