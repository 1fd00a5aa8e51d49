// Texts from objects of the cluster as people may see them: on one line, without control characters.

/** Control characters except tab and line feed, and characters that change the direction of writing. */
const HOSTILE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Escapes control characters as JSON does, so JSON keeps its meaning. */
export const harmless = (text: string): string =>
  text.replace(HOSTILE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Joins the lines of a text. */
export const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ').replaceAll('\t', ' ');
