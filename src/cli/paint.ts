// Colours and cursor movements on terminals. Removes control sequences that come from objects of the cluster.
import { randomBytes } from 'node:crypto';
import { harmless } from '../view/plain-text.ts';
import type { Io } from './io.ts';

export { harmless, oneLine } from '../view/plain-text.ts';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Colour = keyof typeof CODES;
export type Paint = (colour: Colour, text: string) => string;

/** Replaces ESC until the text is written. It is random, so objects in the cluster cannot contain it. */
const MARK = `\x1b{${randomBytes(9).toString('base64url')}}`;
const SEQUENCE = new RegExp(`${MARK.replace(/[{}]/g, '\\$&')}\\[\\d*[A-Za-z]`, 'g');

/** `2A` moves two lines up, `K` clears to the end of the line, `J` to the end of the screen. */
export const control = (code: string): string => `${MARK}[${code}`;

export const painter =
  (on: boolean): Paint =>
  (colour, text) =>
    on && text !== '' ? `${control(`${CODES[colour]}m`)}${text}${control('0m')}` : text;

/** The text without colours, as long as a terminal shows it. */
export const plain = (text: string): string => text.replace(SEQUENCE, '');

const show = (text: string): string => text.split(MARK).map(harmless).join('\x1b');

/** Cuts a text to this number of columns. Colours do not count, and end with the text. */
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

/** The same terminal without control sequences from the cluster. */
export function guarded(io: Io): Io {
  return {
    env: io.env,
    invocation: io.invocation,
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
    // Files and other programs receive the exact data.
    data: (text) => (io.terminal ? io.out(show(text)) : io.data(text)),
    now: () => io.now(),
    stdin: () => io.stdin(),
    drain: (job) => io.drain(job),
  };
}
