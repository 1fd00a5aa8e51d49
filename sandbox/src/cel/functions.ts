// The functions that Kubernetes adds to CEL, and those that the library lacks or implements differently from cel-go.
import { isIP } from 'node:net';
import { Optional, type Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import type { RE2JS } from 're2js';
import { goPattern } from '../core/pattern.ts';
import { spendMatch } from './cost.ts';
import { CelRuntimeError, internalName } from './errors.ts';
import { formatString } from './format.ts';
import { Quantity } from './quantity.ts';
import { equals, fromCel } from './values.ts';

/** A message literal such as `Object.spec{paused: true}`, with its type name for the check of nested literals. */
export class Message {
  readonly type: string;
  readonly fields: Record<string, unknown>;

  constructor(type: string, fields: Record<string, unknown>) {
    this.type = type;
    this.fields = fields;
  }
}

/** An operation `JSONPatch{op: …}`. */
export class JsonPatch extends Message {}

class Sets {}
class Strings {}
class JsonPatchLibrary {}

type Scalar = bigint | number | string | boolean | Date | Duration;

export const registerFunctions = (env: Environment): void => {
  const define = (signature: string, handler: (...args: never[]) => unknown): void => {
    env.registerFunction(signature, handler as (...args: unknown[]) => unknown, { async: false });
  };
  registerTypes(env, define);
  registerStrings(define);
  registerLists(define);
  registerQuantities(env, define);
  registerUrls(env, define);
  registerLiterals(define);
};

type Define = (signature: string, handler: (...args: never[]) => unknown) => void;

const registerTypes = (env: Environment, define: Define): void => {
  env.registerOperator('optional<V> == optional<V>: bool', (a: unknown, b: unknown) => equals(a, b));
  env.registerType('kubernetes.Quantity', Quantity);
  env.registerType('kubernetes.URL', URL);
  env.registerType('Sets', Sets);
  env.registerType('Strings', Strings);
  env.registerType('kubernetes.Object', Message);
  env.registerType('kubernetes.JSONPatch', JsonPatch);
  env.registerType('kubernetes.JSONPatchLibrary', JsonPatchLibrary);
  env.registerConstant('jsonpatch', 'kubernetes.JSONPatchLibrary', new JsonPatchLibrary());
  define('kubernetes.JSONPatchLibrary.escapeKey(string): string', (_: JsonPatchLibrary, key: string) =>
    key.replaceAll('~', '~0').replaceAll('/', '~1'),
  );
  env.registerConstant('sets', 'Sets', new Sets());
  env.registerConstant('strings', 'Strings', new Strings());
  define('Sets.contains(list, list): bool', (_: Sets, a: unknown[], b: unknown[]) =>
    b.every((item) => a.some((other) => equals(item, other))),
  );
  define('Sets.intersects(list, list): bool', (_: Sets, a: unknown[], b: unknown[]) =>
    b.some((item) => a.some((other) => equals(item, other))),
  );
  define(
    'Sets.equivalent(list, list): bool',
    (_: Sets, a: unknown[], b: unknown[]) =>
      b.every((item) => a.some((other) => equals(item, other))) &&
      a.every((item) => b.some((other) => equals(item, other))),
  );
};

const pattern = (source: string): RE2JS => {
  try {
    return goPattern(source);
  } catch (error) {
    throw new CelRuntimeError((error as Error).message);
  }
};

const matches = (text: string, source: string): boolean => {
  spendMatch(text, source);
  return pattern(source).test(text);
};

/** Each match costs what is left of the text: a pattern that looks far ahead for each short match takes quadratic time. */
const findAll = (text: string, source: string, limit: number): string[] => {
  const matcher = pattern(source).matcher(text);
  const found: string[] = [];
  for (let from = 0; found.length !== limit; from = matcher.end()) {
    spendMatch(text.slice(from), source);
    if (!matcher.find()) break;
    found.push(matcher.group() ?? '');
  }
  return found;
};

const registerStrings = (define: Define): void => {
  define(`string.${internalName('matches')}(string): bool`, matches);
  define(`${internalName('matches')}(string, string): bool`, matches);
  define('string.find(string): string', (text: string, source: string) => findAll(text, source, 1)[0] ?? '');
  define('string.findAll(string): list<string>', (text: string, source: string) => findAll(text, source, -1));
  define('string.findAll(string, int): list<string>', (text: string, source: string, limit: bigint) =>
    findAll(text, source, Number(limit)),
  );
  define('string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.replaceAll(from, () => to),
  );
  define('string.replace(string, string, int): string', (text: string, from: string, to: string, limit: bigint) => {
    if (limit < 0n) return text.replaceAll(from, () => to);
    let left = Number(limit);
    return text.replaceAll(from, (match) => (left-- > 0 ? to : match));
  });
  define('string.charAt(int): string', (text: string, index: bigint) => {
    const points = [...text];
    if (index < 0n || index > BigInt(points.length)) throw new CelRuntimeError(`index out of range: ${index}`);
    return points[Number(index)] ?? '';
  });
  define('string.reverse(): string', (text: string) => [...text].reverse().join(''));
  define('Strings.quote(string): string', (_: Strings, text: string) => JSON.stringify(text));
  define('string.format(list): string', (text: string, values: unknown[]) => formatString(text, values));
};

const compare = (a: Scalar, b: Scalar): number => {
  if (typeof a === 'object' || typeof b === 'object' || typeof a === typeof b || isNumber(a, b)) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  throw new CelRuntimeError('no such overload');
};
const isNumber = (...values: unknown[]): boolean => values.every((v) => typeof v === 'bigint' || typeof v === 'number');

const add = (a: unknown, b: unknown): unknown => {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a + b;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a instanceof Duration && b instanceof Duration) return new Duration(a.seconds + b.seconds, a.nanos + b.nanos);
  throw new CelRuntimeError('no such overload');
};

const extreme = (list: Scalar[], name: string, sign: number): Scalar => {
  if (list.length === 0) throw new CelRuntimeError(`${name} called on empty list`);
  return list.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
};

const slice = (list: unknown[], from: bigint, to: bigint): unknown[] => {
  if (from < 0n || to > BigInt(list.length) || from > to) {
    throw new CelRuntimeError(`cannot slice(${from}, ${to}), list length is ${list.length}`);
  }
  return list.slice(Number(from), Number(to));
};

const registerLists = (define: Define): void => {
  define('list.isSorted(): bool', (list: Scalar[]) =>
    list.every((item, i) => i === 0 || compare(list[i - 1]!, item) <= 0),
  );
  define('list.sum(): dyn', (list: unknown[]) => (list.length === 0 ? 0n : list.reduce(add)));
  define('list.min(): dyn', (list: Scalar[]) => extreme(list, 'min', -1));
  define('list.max(): dyn', (list: Scalar[]) => extreme(list, 'max', 1));
  define('list.indexOf(dyn): int', (list: unknown[], item: unknown) =>
    BigInt(list.findIndex((other) => equals(other, item))),
  );
  define('list.lastIndexOf(dyn): int', (list: unknown[], item: unknown) =>
    BigInt(list.findLastIndex((other) => equals(other, item))),
  );
  define('list.slice(int, int): list<dyn>', slice);
  define('list.flatten(): list<dyn>', (list: unknown[]) => list.flat());
  define('list.distinct(): list<dyn>', (list: unknown[]) =>
    list.filter((item, i) => list.findIndex((other) => equals(item, other)) === i),
  );
  define('list.reverse(): list<dyn>', (list: unknown[]) => list.toReversed());
  define('list.sort(): list<dyn>', (list: Scalar[]) => list.toSorted(compare));
  define('list.first(): optional<dyn>', (list: unknown[]) => Optional.of(list[0]));
  define('list.last(): optional<dyn>', (list: unknown[]) => Optional.of(list.at(-1)));
};

const registerQuantities = (env: Environment, define: Define): void => {
  const Q = 'kubernetes.Quantity';
  define(`quantity(string): ${Q}`, (text: string) => {
    const quantity = Quantity.parse(text);
    if (quantity) return quantity;
    throw new CelRuntimeError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  });
  define('isQuantity(string): bool', (text: string) => Quantity.parse(text) !== undefined);
  env.registerOperator(`${Q} == ${Q}: bool`, (a: Quantity, b: Quantity) => a.compareTo(b) === 0);
  define(`${Q}.isInteger(): bool`, (a: Quantity) => a.isInteger());
  define(`${Q}.asInteger(): int`, (a: Quantity) => {
    if (!a.isInteger()) throw new CelRuntimeError('cannot convert value to integer');
    return a.asInteger();
  });
  define(`${Q}.asApproximateFloat(): double`, (a: Quantity) => a.asApproximateFloat());
  define(`${Q}.sign(): int`, (a: Quantity) => BigInt(a.compareTo(new Quantity(0n))));
  define(`${Q}.add(${Q}): ${Q}`, (a: Quantity, b: Quantity) => new Quantity(a.nanos + b.nanos));
  define(`${Q}.add(int): ${Q}`, (a: Quantity, b: bigint) => new Quantity(a.nanos + b * 1_000_000_000n));
  define(`${Q}.sub(${Q}): ${Q}`, (a: Quantity, b: Quantity) => new Quantity(a.nanos - b.nanos));
  define(`${Q}.sub(int): ${Q}`, (a: Quantity, b: bigint) => new Quantity(a.nanos - b * 1_000_000_000n));
  define(`${Q}.isLessThan(${Q}): bool`, (a: Quantity, b: Quantity) => a.compareTo(b) < 0);
  define(`${Q}.isGreaterThan(${Q}): bool`, (a: Quantity, b: Quantity) => a.compareTo(b) > 0);
  define(`${Q}.compareTo(${Q}): int`, (a: Quantity, b: Quantity) => BigInt(a.compareTo(b)));
};

/** Absolute URLs only. Kubernetes also accepts absolute paths. */
const parseUrl = (text: string): URL | undefined =>
  (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) ? URL.parse(text) : null) ?? undefined;

const registerUrls = (env: Environment, define: Define): void => {
  const U = 'kubernetes.URL';
  define(`url(string): ${U}`, (text: string) => {
    const url = parseUrl(text);
    if (url) return url;
    throw new CelRuntimeError(
      `URL parse error during conversion from string: parse "${text}": invalid URI for request`,
    );
  });
  define('isURL(string): bool', (text: string) => parseUrl(text) !== undefined);
  env.registerOperator(`${U} == ${U}: bool`, (a: URL, b: URL) => a.href === b.href);
  define(`${U}.getScheme(): string`, (url: URL) => url.protocol.replace(/:$/, ''));
  define(`${U}.getHost(): string`, (url: URL) => url.host);
  define(`${U}.getHostname(): string`, (url: URL) => url.hostname.replace(/^\[|\]$/g, ''));
  define(`${U}.getPort(): string`, (url: URL) => url.port);
  define(`${U}.getEscapedPath(): string`, (url: URL) => url.pathname);
  define(`${U}.getQuery(): map<string, list<string>>`, (url: URL) =>
    Object.fromEntries([...new Set(url.searchParams.keys())].map((key) => [key, url.searchParams.getAll(key)])),
  );
  define('isIP(string): bool', (text: string) => isIP(text) !== 0);
};

/** The literals that rewrite.ts produces: lists of entries, where an optional without a value contributes nothing. */
const registerLiterals = (define: Define): void => {
  const present = (value: unknown): unknown[] => {
    if (!(value instanceof Optional)) throw new CelRuntimeError('no such overload');
    return value.hasValue() ? [value.value()] : [];
  };
  define(`${internalName('item')}(dyn): dyn`, (value: unknown) => [value]);
  define(`${internalName('optionalItem')}(dyn): dyn`, present);
  define(`${internalName('list')}(list): list<dyn>`, (items: unknown[][]) => items.flat(1));
  define(`${internalName('pair')}(dyn, dyn): dyn`, (key: unknown, value: unknown) => [[key, value]]);
  define(`${internalName('optionalPair')}(dyn, dyn): dyn`, (key: unknown, value: unknown) =>
    present(value).map((inner) => [key, inner]),
  );
  define(`${internalName('map')}(list): map<dyn, dyn>`, (pairs: [string, unknown][][]) =>
    Object.fromEntries(pairs.flat(1)),
  );
  const fields = (pairs: [string, unknown][][]): Record<string, unknown> => Object.fromEntries(pairs.flat(1));
  define(
    `${internalName('object')}(string, list): kubernetes.Object`,
    (type: string, pairs: [string, unknown][][]) => new Message(type, fields(pairs)),
  );
  define(
    `${internalName('jsonPatch')}(string, list): kubernetes.JSONPatch`,
    (type: string, pairs: [string, unknown][][]) => new JsonPatch(type, fields(pairs)),
  );
};

/** The result as JSON, including message literals. */
export const resultToJson = (value: unknown): unknown => {
  if (value instanceof Message) {
    return Object.fromEntries(Object.entries(value.fields).map(([key, item]) => [key, resultToJson(item)]));
  }
  if (Array.isArray(value)) return value.map(resultToJson);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resultToJson(item)]));
  }
  return fromCel(value);
};
