// Reads a JSON value as a Kubernetes Go type, and returns it as Go would write it.
import { join } from './json.ts';
import { canonicalQuantity } from './quantity.ts';
import type { GoType } from './types.ts';

/** A value that does not match its type, in the wording of Go's decoders. */
export class TypeMismatch extends Error {
  override readonly name = 'TypeMismatch';
}

export interface ReadOptions {
  /** Collects the paths of unknown fields. */
  unknown?: string[];
  /** `json`: decodes a body. `converter`: converts a map of values to the type, as after a strategic merge patch. */
  source?: 'json' | 'converter';
}

const QUANTITY_ERROR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Reads `value` as `type`. Returns a new value without unknown fields. */
export function read(type: GoType, value: unknown, options: ReadOptions = {}): unknown {
  return new Reader(options).read(type, value, '') ?? zero(type);
}

class Reader {
  private unknown: string[] | undefined;
  private readonly converter: boolean;
  /** The names of the fields on the path, and the struct of the last one, for Go's type errors. */
  private readonly fields: string[] = [];
  private struct = '';

  constructor(options: ReadOptions) {
    this.unknown = options.unknown;
    this.converter = options.source === 'converter';
  }

  /** Undefined for null. */
  read(type: GoType, value: unknown, path: string): unknown {
    if (value === null || value === undefined) return undefined;
    switch (type.kind) {
      case 'struct':
        return this.readStruct(type, value, path);
      case 'map':
        return this.readMap(type, value, path);
      case 'slice':
        if (!Array.isArray(value)) this.mismatch(type, value);
        return value.map((item, i) => this.read(type.element, item, `${path}[${i}]`) ?? zero(type.element));
      case 'schemaOr':
        return this.readSchemaOr(type, value, path);
      case 'raw':
        return value;
      case 'string':
        if (typeof value !== 'string') this.mismatch(type, value);
        return value;
      case 'bool':
        if (typeof value !== 'boolean') this.mismatch(type, value);
        return value;
      case 'int32':
      case 'int64':
      case 'float64':
        return this.readNumber(type, value);
      case 'bytes':
        return this.readBytes(type, value);
      case 'quantity':
        return this.readQuantity(value);
      case 'time':
      case 'microTime':
        return this.readTime(type, value);
      case 'intOrString':
        if (typeof value === 'string') return value;
        if (typeof value === 'number' && Number.isInteger(value)) return value;
        throw new TypeMismatch(`json: cannot unmarshal ${describe(value, true)} into Go value of type int32`);
    }
  }

  private readStruct(type: GoType & { kind: 'struct' }, value: unknown, path: string): unknown {
    if (!isObject(value)) this.mismatch(type, value);
    const result: Record<string, unknown> = {};
    const outer = this.struct;
    for (const key of Object.keys(value)) {
      const field = type.fields.get(key);
      if (!field) {
        this.unknown?.push(join(path, key));
        continue;
      }
      this.struct = type.name;
      this.fields.push(key);
      const read = this.read(field.type, value[key], join(path, key));
      this.fields.pop();
      if (read !== undefined && (field.pointer || field.always || !isZero(read))) result[key] = read;
    }
    this.struct = outer;
    for (const field of type.written) {
      if (!(field.name in result)) result[field.name] = field.pointer ? null : zero(field.type);
    }
    return result;
  }

  private readMap(type: GoType & { kind: 'map' }, value: unknown, path: string): unknown {
    if (!isObject(value)) this.mismatch(type, value);
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value))
      result[key] = this.read(type.value, value[key], join(path, key)) ?? zero(type.value);
    return result;
  }

  private readSchemaOr(type: GoType & { kind: 'schemaOr' }, value: unknown, path: string): unknown {
    // These types have their own decoders in Go, which ignore unknown fields.
    const unknown = this.unknown;
    this.unknown = undefined;
    try {
      if (typeof value === 'boolean' || typeof value === 'string') return value;
      if (Array.isArray(value)) {
        return value.map((item: unknown) => (typeof item === 'string' ? item : this.read(type.schema, item, path)));
      }
      return this.read(type.schema, value, path);
    } finally {
      this.unknown = unknown;
    }
  }

  private readNumber(type: GoType, value: unknown): number {
    if (typeof value !== 'number') this.mismatch(type, value);
    if (type.kind === 'float64') return value;
    const fits = type.kind === 'int64' || (value >= -2147483648 && value <= 2147483647);
    if (!Number.isInteger(value) || !fits) this.mismatch(type, value, !this.converter);
    return value;
  }

  private readBytes(type: GoType, value: unknown): string {
    if (typeof value !== 'string') this.mismatch(type, value);
    const text = value.replace(/[\r\n]/g, '');
    const wrong = /^[A-Za-z0-9+/]*={0,2}$/.exec(text) ? -1 : text.search(/[^A-Za-z0-9+/]/);
    if (wrong >= 0 || text.length % 4 !== 0)
      throw new TypeMismatch(
        `illegal base64 data at input byte ${wrong >= 0 ? wrong : text.length - (text.length % 4)}`,
      );
    return text;
  }

  private readQuantity(value: unknown): string {
    const canonical =
      typeof value === 'string' || typeof value === 'number' ? canonicalQuantity(String(value).trim()) : undefined;
    if (canonical === undefined) throw new TypeMismatch(QUANTITY_ERROR);
    return canonical;
  }

  private readTime(type: GoType, value: unknown): string {
    if (typeof value !== 'string')
      throw new TypeMismatch(`json: cannot unmarshal ${describe(value)} into Go value of type string`);
    const layout = type.kind === 'time' ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
    const time = RFC3339.test(value) ? new Date(value) : undefined;
    if (!time || Number.isNaN(time.getTime()))
      throw new TypeMismatch(
        `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
      );
    const seconds = time.toISOString().slice(0, 19);
    if (type.kind === 'time') return `${seconds}Z`;
    const fraction = (/\.(\d+)/.exec(value)?.[1] ?? '').padEnd(6, '0').slice(0, 6);
    return `${seconds}.${fraction}Z`;
  }

  private mismatch(type: GoType, value: unknown, withValue = false): never {
    if (this.converter) throw new TypeMismatch(converterError(type, value));
    const described = describe(value, withValue);
    if (!this.fields.length)
      throw new TypeMismatch(`json: cannot unmarshal ${described} into Go value of type ${type.go}`);
    throw new TypeMismatch(
      `json: cannot unmarshal ${described} into Go struct field ${this.struct}.${this.fields.join('.')} of type ${type.go}`,
    );
  }
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Go's name for the type of a JSON value. */
function describe(value: unknown, withValue = false): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' && withValue) return `number ${value}`;
  return typeof value;
}

function converterError(type: GoType, value: unknown): string {
  const from = Array.isArray(value)
    ? 'slice'
    : isObject(value)
      ? 'map'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'int64'
          : 'float64'
        : typeof value === 'boolean'
          ? 'bool'
          : 'string';
  switch (type.kind) {
    case 'struct':
      return `cannot restore struct from: ${from}`;
    case 'map':
      return `cannot restore map from ${from}`;
    case 'slice':
    case 'bytes':
      return `cannot restore slice from ${from}`;
    case 'string':
      return from === 'int64' ? 'cannot convert int64 to string' : 'unrecognized type: string';
    default:
      return from === 'float64' ? `cannot convert float64 to ${type.go}` : `unrecognized type: ${type.kind}`;
  }
}

/** Whether omitempty drops the value. */
function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** The zero value in Go. */
export function zero(type: GoType): unknown {
  switch (type.kind) {
    case 'struct':
      return Object.fromEntries(type.written.map((field) => [field.name, field.pointer ? null : zero(field.type)]));
    case 'string':
      return '';
    case 'int32':
    case 'int64':
    case 'float64':
    case 'intOrString':
      return 0;
    case 'bool':
      return false;
    case 'quantity':
      return '0';
    default:
      return null;
  }
}
