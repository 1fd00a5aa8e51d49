// What the validators call while they check an object.
const INT32 = 2 ** 31;

export const formats = {
  int32: { type: 'number', validate: (n: number): boolean => n >= -INT32 && n < INT32 },
  int64: { type: 'number', validate: (n: number): boolean => Number.isInteger(n) },
  'date-time': (text: string): boolean => !Number.isNaN(Date.parse(text)),
} as const;

/** Longer texts never match. Far above each maxLength in the schemas, so that no pattern runs on megabytes of text. */
const MAX_PATTERN_TEXT = 10_000;

export function regExp(pattern: string, flags: string): { test(text: string): boolean; toString(): string } {
  const expression = new RegExp(pattern, flags);
  return {
    test: (text) => text.length <= MAX_PATTERN_TEXT && expression.test(text),
    // ajv identifies expressions by their text.
    toString: () => String(expression),
  };
}

/** Characters of a text, for minLength and maxLength. A surrogate without its other half counts as one. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const _character of text) length++;
  return length;
}
