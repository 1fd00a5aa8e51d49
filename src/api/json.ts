// JSON whose shape is not known yet.

/** An object of JSON, as it was received. */
export type Json = Readonly<Record<string, unknown>>;

/** A list is none, and neither is null. */
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
