// Colours and cursor, only where somebody looks; and nothing that an object of the cluster says can move or colour anything.
import { randomBytes } from 'node:crypto';
import type { Io } from './io.ts';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Colour = keyof typeof CODES;
export type Paint = (colour: Colour, text: string) => string;

/** Stands for ESC until the text is written: whoever writes an object cannot know it. */
const MARK = `\x1b{${randomBytes(9).toString('base64url')}}`;
const SEQUENCE = new RegExp(`${MARK.replace(/[{}]/g, '\\$&')}\\[\\d*[A-Za-z]`, 'g');

/** `2A` is two lines up, `K` clears to the end of the line, `J` to the end of the screen. */
export const control = (code: string): string => `${MARK}[${code}`;

export const painter =
  (on: boolean): Paint =>
  (colour, text) =>
    on && text !== '' ? `${control(`${CODES[colour]}m`)}${text}${control('0m')}` : text;

/** Without what painter adds: as many characters as a terminal shows. */
export const plain = (text: string): string => text.replace(SEQUENCE, '');

/** Control characters but for tab and line feed, and those that turn the direction of writing. */
const HOSTILE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** As JSON writes them: in JSON they stay what they are. */
export const harmless = (text: string): string =>
  text.replace(HOSTILE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** For a cell or a sentence. */
export const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ').replaceAll('\t', ' ');

const show = (text: string): string => text.split(MARK).map(harmless).join('\x1b');

/** Cut to so many columns; colours do not count, and end with it. */
export function fit(text: string, columns: number): string {
  if (plain(text).length <= columns) return text;
  let left = Math.max(0, columns - 1);
  let cut = '';
  let at = 0;
  for (const { 0: sequence, index } of text.matchAll(SEQUENCE)) {
    const piece = text.slice(at, index).slice(0, left);
    left -= piece.length;
    cut += piece + sequence;
    at = index + sequence.length;
  }
  return `${cut}${text.slice(at).slice(0, left)}…`;
}

/** The same terminal, and what is written to it can only be read. */
export function guarded(io: Io): Io {
  return {
    env: io.env,
    terminal: io.terminal,
    signal: io.signal,
    get columns() {
      return io.columns;
    },
    get rows() {
      return io.rows;
    },
    out: (text) => io.out(show(text)),
    err: (text) => io.err(show(text)),
    // A file or another program gets what there is, to the letter.
    data: (text) => (io.terminal ? io.out(show(text)) : io.data(text)),
    now: () => io.now(),
    stdin: () => io.stdin(),
  };
}
