// Validates a value against a structural schema, with the error texts of the API server's OpenAPI validator.
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';
import { deepEqual, isObject } from '../patch/values.ts';
import { formatOf } from './formats.ts';
import { goPattern } from '../core/pattern.ts';

interface Problem {
  error: FieldError;
  /** Reports each error only once. */
  text: string;
}

/** The errors, and the number of matches: the best matching alternative reports its errors. */
interface Result {
  problems: Problem[];
  matches: number;
}

/** The old value to compare with. Unchanged parts may stay invalid. */
interface Old {
  value: unknown;
}

const IN = ' in body';

/** All errors of the value. `base`: the path of the value in the object, for example `status`. */
export function validateValue(value: unknown, schema: Schema, base = '', old?: Old): FieldError[] {
  return new Checker(base).check(value, schema, '', old).problems.map(({ error }) => error);
}

class Checker {
  private readonly base: string;

  constructor(base: string) {
    this.base = base;
  }

  check(value: unknown, schema: Schema, path: string, old?: Old): Result {
    const result = this.checkWhole(value, schema, path, old);
    return result.problems.length && old && deepEqual(value, old.value) ? { problems: [], matches: 0 } : result;
  }

  private checkWhole(value: unknown, schema: Schema, path: string, old?: Old): Result {
    const result: Result = { problems: [], matches: 0 };
    const types = typesOf(schema);
    if (value === null || value === undefined) {
      if (types.length && !schema.nullable) add(result, this.wrongType(path, types.join(','), 'null'));
      else result.matches++;
      merge(result, this.checkEnum(value, schema, path));
      return result;
    }
    const apply = (part: Result): void => {
      merge(result, part);
      result.matches++;
    };
    if (types.length || formatOf(schema)) apply(this.checkType(value, schema, types, path));
    apply(this.checkJunctors(value, schema, path));
    if (typeof value === 'string') {
      apply(this.checkString(value, schema, path));
      if (formatOf(schema)) apply(this.checkFormat(value, schema, path));
    }
    if (typeof value === 'number') apply(this.checkNumber(value, schema, path));
    if (Array.isArray(value)) apply(this.checkList(value, schema, path, old));
    apply(this.checkEnum(value, schema, path));
    if (isObject(value)) apply(this.checkObject(value, schema, path, old));
    result.matches++;
    return result;
  }

  /** The field of a path. */
  private at(path: string): string {
    const relative = path.replace(/^\./, '');
    return [this.base, relative].filter(Boolean).join('.') || '<nil>';
  }

  private wrongType(path: string, expected: string, actual: string): Problem {
    const text = `${path}${IN} must be of type ${expected}: ${JSON.stringify(actual)}`;
    return { text, error: { ...field.invalid(this.at(path), actual, text), reason: 'FieldValueTypeInvalid' } };
  }

  private wrong(path: string, value: unknown, text: string): Problem {
    return { text, error: field.invalid(this.at(path), value, text) };
  }

  /** Errors that the validator reports for the whole object. */
  private nowhere(text: string): Problem {
    return { text, error: field.invalid(this.base || '<nil>', '', text) };
  }

  private checkType(value: unknown, schema: Schema, types: string[], path: string): Result {
    const [actual, actualFormat] = typeOf(value);
    const format = formatOf(schema) ?? '';
    const numeric = types.includes('number') || types.includes('integer');
    const whole = typeof value === 'number' && Number.isInteger(value);
    const fits =
      types.includes(actual) ||
      (typeof value === 'number' && ((whole && types.includes('integer')) || (whole && types.includes('number'))));
    const one = { problems: [], matches: 1 };
    if (typeof value === 'string' && format && !numeric) return one;
    if (typeof value !== 'string' && !Array.isArray(value) && format && !fits && actualFormat !== format)
      return { problems: [this.wrongType(path, format, actualFormat)], matches: 0 };
    if (!fits && types.length) return { problems: [this.wrongType(path, types.join(','), actual)], matches: 0 };
    return one;
  }

  private checkJunctors(value: unknown, schema: Schema, path: string): Result {
    const result: Result = { problems: [], matches: 0 };
    if (schema.anyOf?.length) {
      const { valid, best, first } = this.try(value, schema.anyOf, path, true);
      if (!valid) add(result, this.nowhere(`"${path}" must validate at least one schema (anyOf)`));
      merge(result, (valid ? first : best)!);
    }
    if (schema.oneOf?.length) {
      const { valid, best, first } = this.try(value, schema.oneOf, path, false);
      if (valid === 1) merge(result, first!);
      else {
        const found = valid ? `Found ${valid} valid alternatives` : 'Found none valid';
        add(result, this.nowhere(`"${path}" must validate one and only one schema (oneOf). ${found}`));
        if (!valid) merge(result, best!);
      }
    }
    if (schema.allOf?.length) {
      const results = schema.allOf.map((part) => this.checkWhole(value, part, path));
      for (const part of results) merge(result, part);
      const valid = results.filter(({ problems }) => !problems.length).length;
      if (valid < results.length)
        add(result, this.nowhere(`"${path}" must validate all the schemas (allOf)${valid ? '' : '. None validated'}`));
    }
    if (schema.not && !this.checkWhole(value, schema.not, path).problems.length)
      add(result, this.nowhere(`"${path}" must not validate the schema (not)`));
    result.matches++;
    return result;
  }

  /** Alternatives: the number of matches, the first match, and the best one of the others. */
  private try(
    value: unknown,
    schemas: Schema[],
    path: string,
    stop: boolean,
  ): { valid: number; best?: Result; first?: Result } {
    let valid = 0;
    let best: Result | undefined;
    let first: Result | undefined;
    for (const schema of schemas) {
      const result = this.checkWhole(value, schema, path);
      if (!result.problems.length) {
        valid++;
        first ??= result;
        if (stop) break;
      } else if (!valid && (!best || result.matches > best.matches)) best = result;
    }
    return { valid, ...(best ? { best } : {}), ...(first ? { first } : {}) };
  }

  private checkString(value: string, schema: Schema, path: string): Result {
    const { maxLength, minLength, pattern } = schema;
    const length = [...value].length;
    const problems: Problem[] = [];
    if (maxLength !== undefined && length > maxLength) {
      const error: FieldError = {
        reason: 'FieldValueTooLong',
        field: this.at(path),
        message: `Too long: may not be more than ${maxLength} bytes`,
      };
      problems.push({ error, text: `${path}${IN} should be at most ${maxLength} chars long` });
    } else if (minLength !== undefined && length < minLength)
      problems.push(this.wrong(path, value, `${path}${IN} should be at least ${minLength} chars long`));
    else if (pattern && !goPattern(pattern).test(value))
      problems.push(this.wrong(path, value, `${path}${IN} should match '${pattern}'`));
    return { problems, matches: 0 };
  }

  private checkFormat(value: string, schema: Schema, path: string): Result {
    const format = formatOf(schema, 'string');
    if (!format || format.test(value)) return { problems: [], matches: 0 };
    return { problems: [this.wrongType(path, schema.format!, value)], matches: 0 };
  }

  private checkNumber(value: number, schema: Schema, path: string): Result {
    const result: Result = { problems: [], matches: 1 };
    const { type, format, multipleOf, maximum, minimum, exclusiveMaximum, exclusiveMinimum } = schema;
    if (type === 'integer' && format === 'int32' && Math.abs(value + 0.5) > 2147483648)
      add(result, this.nowhere(`Checked value must be of type integer with format int32 in ${path}`));
    const fail = (text: string): void => add(result, this.wrong(path, value, `${path}${IN} should be ${text}`));
    if (multipleOf && !Number.isInteger(multipleOf < 1 ? (1 / multipleOf) * value : value / multipleOf))
      fail(`a multiple of ${multipleOf}`);
    if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
      fail(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
    if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
      fail(`less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
    return result;
  }

  private checkList(value: unknown[], schema: Schema, path: string, old?: Old): Result {
    const result: Result = { problems: [], matches: 1 };
    if (schema.items) {
      value.forEach((item, i) =>
        merge(result, this.check(item, schema.items!, `${path}[${i}]`, oldItem(schema, item, old))),
      );
    }
    const { minItems, maxItems } = schema;
    if (minItems !== undefined && value.length < minItems)
      add(result, this.wrong(path, value.length, `${path}${IN} should have at least ${minItems} items`));
    if (maxItems !== undefined && value.length > maxItems) add(result, this.tooMany(path, value.length, maxItems));
    if (schema.uniqueItems && value.some((item, i) => value.slice(0, i).some((other) => deepEqual(item, other))))
      add(result, this.wrong(path, '', `${path}${IN} shouldn't contain duplicates`));
    return result;
  }

  private tooMany(path: string, count: number, max: number): Problem {
    const message = `Too many: ${count}: must have at most ${max} items`;
    return { text: `${path} ${message}`, error: { reason: 'FieldValueTooMany', field: this.at(path), message } };
  }

  private checkEnum(value: unknown, schema: Schema, path: string): Result {
    if (!schema.enum?.length || schema.enum.some((allowed) => deepEqual(allowed, value)))
      return { problems: [], matches: 0 };
    const values = schema.enum.map((allowed) => (typeof allowed === 'string' ? allowed : JSON.stringify(allowed)));
    const error = field.notSupported(this.at(path), value ?? null, values);
    return { problems: [{ error, text: `${path} ${error.message}` }], matches: 0 };
  }

  private checkObject(value: Record<string, unknown>, schema: Schema, path: string, old?: Old): Result {
    const result: Result = { problems: [], matches: 0 };
    const { minProperties, maxProperties, properties = {}, additionalProperties } = schema;
    const count = Object.keys(value).length;
    const oldOf = (key: string): Old | undefined =>
      old && isObject(old.value) && Object.hasOwn(old.value, key) && (path || (key !== 'kind' && key !== 'apiVersion'))
        ? { value: old.value[key] }
        : undefined;
    if (minProperties !== undefined && count < minProperties)
      add(result, this.wrong(path, count, `${path}${IN} should have at least ${minProperties} properties`));
    if (maxProperties !== undefined && count > maxProperties) add(result, this.tooMany(path, count, maxProperties));
    for (const [key, child] of Object.entries(value)) {
      if (Object.hasOwn(properties, key)) continue;
      if (additionalProperties === false)
        add(result, this.wrong(path, key, `${path}.${key}${IN} is a forbidden property`));
      else if (typeof additionalProperties === 'object')
        merge(result, this.check(child, additionalProperties, `${path}.${key}`, oldOf(key)));
    }
    for (const [key, property] of Object.entries(properties)) {
      if (Object.hasOwn(value, key))
        merge(result, this.check(value[key], property, path ? `${path}.${key}` : key, oldOf(key)));
    }
    for (const key of schema.required ?? []) {
      if (!Object.hasOwn(value, key))
        add(result, { text: `${path}.${key}${IN} is required`, error: field.required(this.at(`${path}.${key}`)) });
    }
    return result;
  }
}

function add(result: Result, problem: Problem): void {
  if (!result.problems.some(({ text }) => text === problem.text)) result.problems.push(problem);
}

function merge(result: Result, other: Result): void {
  for (const problem of other.problems) add(result, problem);
  result.matches += other.matches;
}

const typesOf = (schema: Schema): string[] =>
  schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type ? [schema.type] : [];

/** Type and format of a value, as the validator reports them. */
function typeOf(value: unknown): [string, string] {
  if (Array.isArray(value)) return ['array', ''];
  if (typeof value === 'number') return Number.isInteger(value) ? ['integer', 'int64'] : ['number', 'float64'];
  return [typeof value, ''];
}

/** The old value of this item. Only items of list maps can be matched. */
function oldItem(schema: Schema, item: unknown, old?: Old): Old | undefined {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (!old || !Array.isArray(old.value) || schema['x-kubernetes-list-type'] !== 'map' || !keys || !isObject(item))
    return undefined;
  const was = old.value.find((other) => isObject(other) && keys.every((key) => deepEqual(other[key], item[key])));
  return was === undefined ? undefined : { value: was };
}
