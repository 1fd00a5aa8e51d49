// Converts between JSON and CEL values: integers become int (BigInt), other numbers double. Typed fields follow their schema.
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { Optional } from '@marcbachmann/cel-js';
import type { Schema } from '../core/types.ts';
import { Quantity } from './quantity.ts';

const converted = new WeakMap<object, unknown>();

/** Converts JSON without a schema (admission: `object`, `oldObject`, `params`). Frozen objects are converted once. */
export const toCel = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return scalar(value);
  const known = converted.get(value);
  if (known !== undefined) return known;
  const result = deep(value);
  if (Object.isFrozen(value)) converted.set(value, result);
  return result;
};

const scalar = (value: unknown): unknown => {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  return value === undefined ? null : value;
};

const deep = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return scalar(value);
  if (Array.isArray(value)) return value.map(deep);
  const result: Record<string, unknown> = {};
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) result[key] = deep(item);
  }
  return result;
};

/** Escapes field names that are CEL keywords or contain other characters, as in `x-kubernetes-validations`. */
export const escapeField = (name: string): string => {
  if (KEYWORDS.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
};

const KEYWORDS = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

export type Resolve = (schema: Schema) => Schema;

/** Converts JSON with a structural schema (`self`, `oldSelf`). Fields outside the schema are not visible. */
export const toTyped = (value: unknown, schema: Schema, resolve: Resolve, root = false): unknown => {
  const s = resolve(schema);
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((item) => (s.items ? toTyped(item, s.items, resolve) : deep(item)));
  if (typeof value === 'object') return typedObject(value as Record<string, unknown>, s, resolve, root);
  if (typeof value === 'number') {
    return s.type === 'number' || !Number.isInteger(value) ? value : BigInt(value);
  }
  if (typeof value === 'string') return typedString(value, s);
  return value;
};

const typedObject = (value: Record<string, unknown>, s: Schema, resolve: Resolve, root: boolean): unknown => {
  const result: Record<string, unknown> = {};
  const embedded = root || s['x-kubernetes-embedded-resource'] === true;
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined || item === null) continue;
    const property = s.properties?.[key];
    if (embedded && (key === 'apiVersion' || key === 'kind')) result[key] = item;
    else if (embedded && key === 'metadata') result[key] = metadata(item as Record<string, unknown>);
    else if (property) result[escapeField(key)] = toTyped(item, property, resolve);
    else if (typeof s.additionalProperties === 'object') result[key] = toTyped(item, s.additionalProperties, resolve);
    else if (!s.properties) result[key] = deep(item);
  }
  return result;
};

/** The only fields of metadata that rules can read. */
const metadata = (meta: Record<string, unknown>): unknown =>
  Object.fromEntries(['name', 'generateName'].filter((key) => meta[key] !== undefined).map((key) => [key, meta[key]]));

const typedString = (value: string, s: Schema): unknown => {
  if (s['x-kubernetes-int-or-string']) return value;
  if (s.format === 'date-time' || s.format === 'date') {
    const time = new Date(value);
    return Number.isNaN(time.getTime()) ? value : time;
  }
  if (s.format === 'duration') return parseDuration(value) ?? value;
  if (s.format === 'byte') return new Uint8Array(Buffer.from(value, 'base64'));
  return value;
};

const UNIT_NANOSECONDS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Parses a Go duration such as `1h30m`. Undefined if it is invalid. */
export const parseDuration = (text: string): Duration | undefined => {
  const match = /^([-+]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text);
  if (!match) return text === '0' ? new Duration(0n) : undefined;
  let nanos = 0;
  for (const [, amount, unit] of match[2]!.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    nanos += Number(amount) * UNIT_NANOSECONDS[unit!]!;
  }
  if (match[1] === '-') nanos = -nanos;
  const seconds = Math.trunc(nanos / 1e9);
  return new Duration(BigInt(seconds), nanos - seconds * 1e9);
};

/** Converts a CEL value to JSON. An optional without a value, which occurs only at the top level, becomes undefined. */
export const fromCel = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Optional) return value.hasValue() ? fromCel(value.value()) : undefined;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Quantity || value instanceof Duration) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Set) return [...value].map(fromCel);
  const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, fromCel(item)]));
};

/** CEL's equality for values that the library cannot compare: the content of two optionals. */
export const equals = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof a === 'number') {
    return (typeof b === 'bigint' || typeof b === 'number') && a == b; // eslint-disable-line eqeqeq -- 1 == 1.0 in CEL
  }
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof Optional) {
    if (!(b instanceof Optional) || a.hasValue() !== b.hasValue()) return false;
    return !a.hasValue() || equals(a.value(), b.value());
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Quantity) return b instanceof Quantity && a.compareTo(b) === 0;
  if (a instanceof Duration) return b instanceof Duration && a.seconds === b.seconds && a.nanos === b.nanos;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equals(item, b[i]));
  }
  if (Array.isArray(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equals(left[key], right[key]))
  );
};
