// What is wrong with an object, in the four parts that every refusal of ours has.

export interface Violation {
  /** Path as in the object the user wrote, e.g. `spec.strategy.canary.steps[1].replicas`. */
  readonly field: string;
  /** The value found there; undefined when the field is missing. */
  readonly value: unknown;
  /** What is wrong with it: follows the value. */
  readonly reason: string;
  /** What to write instead. */
  readonly remedy: string;
}

const MAX_VALUE_CHARACTERS = 120;

/** Control characters that JSON lets through, and those that turn the direction of writing. */
const HOSTILE = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** JSON of the value, cut short: a refusal is read by a person. */
export const show = (value: unknown): string => {
  const text = (JSON.stringify(value) ?? 'missing').replace(HOSTILE, escape);
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text;
};

/** `field: value reason; remedy` */
export const sentence = ({ field, value, reason, remedy }: Violation): string =>
  `${field}: ${show(value)} ${reason}; ${remedy}`;
