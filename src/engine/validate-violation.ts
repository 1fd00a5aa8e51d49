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

/** JSON of the value, cut short: a refusal is read by a person. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text;
};

/** `field: value reason; remedy` */
export const sentence = ({ field, value, reason, remedy }: Violation): string =>
  `${field}: ${show(value)} ${reason}; ${remedy}`;
