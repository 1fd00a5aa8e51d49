// A violation: an error of one field of an object, with what to write instead. Printed like Kubernetes' field errors.

/** Kubernetes' types of field errors. `Forbidden`: no value is accepted now, so the value is not printed. */
export type ViolationType = 'Required' | 'Invalid' | 'Unsupported' | 'Forbidden';

export interface Violation {
  /** Path in the object as the user wrote it, for example `spec.strategy.canary.steps[1].replicas`. */
  readonly field: string;
  /** The value of the field. Undefined if the field is missing. */
  readonly value: unknown;
  /** Defaults to Required if the value is undefined, and to Invalid otherwise. */
  readonly type?: ViolationType | undefined;
  /** Why the value is not accepted. May be empty if the type says it. */
  readonly reason: string;
  /** What to write instead. */
  readonly remedy: string;
}

const MAX_VALUE_CHARACTERS = 120;

/** Control characters that JSON does not escape, and characters that change the direction of text. */
const HOSTILE = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The value as JSON, cut to a readable length. */
export const show = (value: unknown): string => {
  const text = (JSON.stringify(value) ?? 'missing').replace(HOSTILE, escape);
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text;
};

/**
 * `spec.x: Invalid value: 3: must be at most 2; write 2 or less`, `spec.x: Required value: add it`, `spec.x: Forbidden: cannot change during a
 * release; wait until the release ends`.
 */
export function sentence({
  field,
  value,
  type = value === undefined ? 'Required' : 'Invalid',
  ...rest
}: Violation): string {
  const advice = [rest.reason, rest.remedy].filter((part) => part !== '').join('; ');
  switch (type) {
    case 'Required':
      return `${field}: Required value: ${advice}`;
    case 'Forbidden':
      return `${field}: Forbidden: ${advice}`;
    case 'Unsupported':
      return `${field}: Unsupported value: ${show(value)}: ${advice}`;
    case 'Invalid':
      return `${field}: Invalid value: ${show(value)}: ${advice}`;
  }
}
