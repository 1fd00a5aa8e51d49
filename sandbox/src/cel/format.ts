// `"…%s…".format([…])`, with the output of cel-go's string extension.
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { CelRuntimeError } from './errors.ts';
import { Quantity } from './quantity.ts';

export const formatString = (text: string, values: unknown[]): string => {
  let used = 0;
  return text.replace(/%(?:\.(\d+))?([a-zA-Z%]?)/g, (_, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (used >= values.length) throw new CelRuntimeError(`index ${used} out of range`);
    return formatValue(values[used++], verb, precision === undefined ? 6 : Number(precision));
  });
};

const formatValue = (value: unknown, verb: string, precision: number): string => {
  const integer = typeof value === 'bigint' ? value : undefined;
  switch (verb) {
    case 's':
      return print(value);
    case 'd':
      if (integer !== undefined) return `${integer}`;
      break;
    case 'f':
      if (typeof value === 'number' || integer !== undefined) return Number(value).toFixed(precision);
      break;
    case 'e':
      if (typeof value === 'number') return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
      break;
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      if (integer !== undefined) return integer.toString(2);
      break;
    case 'o':
      if (integer !== undefined) return integer.toString(8);
      break;
    case 'x':
      if (integer !== undefined) return integer.toString(16);
      if (typeof value === 'string') return Buffer.from(value).toString('hex');
      break;
    case 'X':
      return formatValue(value, 'x', precision).toUpperCase();
    default:
      throw new CelRuntimeError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
  throw new CelRuntimeError(`error during formatting: %${verb} cannot print this value`);
};

const print = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(print).join(', ')}]`;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Duration || value instanceof Quantity) return value.toString();
  if (typeof value === 'object') {
    const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
    return `{${entries
      .map(([key, item]) => `${key}: ${print(item)}`)
      .sort()
      .join(', ')}}`;
  }
  return String(value);
};
