// Takes the items out of a list while it arrives: one at a time is in memory, and not a page of them as bytes, as text and as objects at once.
import { NetworkError } from './errors.ts';
import { parseLean } from './without-managed-fields.ts';

export type OnItem = (item: unknown, list: { readonly apiVersion?: string; readonly kind?: string }) => void;

/** Bytes of JSON. */
const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...'"\\{}[]'].map((char) => char.charCodeAt(0));

/** Within the list itself, and within its items. */
const TOP = 1;
const ITEMS = 2;

/**
 * Resolves with the list without its items, as JSON. `onItem` hears each item in order, without `metadata.managedFields`, and the list's own fields as far as they came
 * before the items (of kinds whose items do not say what they are, they do). Throws SyntaxError, and NetworkError for what is longer
 * than `maxBytes`: an item, or all the rest.
 */
export async function readItems(stream: AsyncIterable<Buffer>, maxBytes: number, onItem: OnItem): Promise<string> {
  const rest: Buffer[] = [];
  let item: Buffer[] = [];
  let list: Parameters<OnItem>[1] | undefined;
  let [depth, bytes] = [0, 0];
  let [inString, escaped, inItems] = [false, false, false];
  /** The last string within the list itself: before a `[`, it is the name of a field. */
  let name = '';
  const give = (): void => {
    list ??= JSON.parse(`${Buffer.concat(rest).toString('utf8')}]}`) as Parameters<OnItem>[1];
    onItem(parseLean(Buffer.concat(item)), list);
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
        // What stands between two items is of no use to anybody.
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
    if (bytes > maxBytes) throw new NetworkError(`the answer is larger than ${maxBytes} bytes`, 'TOOLARGE');
  }
  return Buffer.concat(rest).toString('utf8');
}
