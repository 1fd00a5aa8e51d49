// Checks that several kinds share.
import { field } from '../core/errors.ts';
import { checkLabelKey, checkLabelValue, type NameCheck } from '../core/names.ts';
import { same } from '../core/objects.ts';
import type { FieldError } from '../core/types.ts';
import type { LabelSelector } from './native.ts';

export const IMMUTABLE = 'field is immutable';
export const NOT_NEGATIVE = 'must be greater than or equal to 0';

export const named = (path: string, value: string, check: NameCheck): FieldError[] =>
  check(value).map((problem) => field.invalid(path, value, problem));

export const notNegative = (path: string, value: unknown): FieldError[] =>
  typeof value === 'number' && value < 0 ? [field.invalid(path, value, NOT_NEGATIVE)] : [];

/** A counter of collisions only grows. */
export const notLess = (path: string, value: number | undefined, old: number | undefined): FieldError[] =>
  old !== undefined && (value ?? 0) < old ? [field.invalid(path, value ?? 0, 'cannot be decremented')] : [];

export const oneOf = (path: string, value: unknown, allowed: readonly string[]): FieldError[] =>
  allowed.includes(value as string) ? [] : [field.notSupported(path, value ?? '', allowed)];

export const immutable = (path: string, value: unknown, old: unknown): FieldError[] =>
  same(value, old) ? [] : [field.invalid(path, value ?? null, IMMUTABLE)];

/** An integer or a percentage of Pods. */
export function positiveIntOrPercent(path: string, value: unknown): FieldError[] {
  if (typeof value === 'number') return notNegative(path, value);
  if (value === undefined || /^[0-9]+%$/.test(String(value))) return [];
  return [
    field.invalid(
      path,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ),
  ];
}

export const notMoreThan100Percent = (path: string, value: unknown): FieldError[] =>
  typeof value === 'string' && /^[0-9]+%$/.test(value) && parseInt(value, 10) > 100
    ? [field.invalid(path, value, 'must not be greater than 100%')]
    : [];

export const isZero = (value: unknown): boolean =>
  typeof value === 'string' ? !Number(value.replace(/^([0-9]+)%$/, '$1')) : !value;

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** metav1.LabelSelector. */
export function checkSelector(path: string, selector: LabelSelector | undefined): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) {
    errors.push(...named(`${path}.matchLabels`, key, checkLabelKey));
    errors.push(...named(`${path}.matchLabels`, value, checkLabelValue));
  }
  for (const [i, expression] of (selector?.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    const { key, operator, values } = expression;
    const count = values?.length ?? 0;
    if (!OPERATORS.includes(operator)) {
      errors.push(field.invalid(`${at}.operator`, operator ?? '', 'not a valid selector operator'));
    } else if (operator.endsWith('In') && count === 0) {
      errors.push(field.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (!operator.endsWith('In') && count > 0) {
      errors.push(
        field.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
    }
    errors.push(...named(`${at}.key`, key ?? '', checkLabelKey));
    for (const [j, value] of (values ?? []).entries()) {
      errors.push(...named(`${at}.values[${j}]`, value, checkLabelValue));
    }
  }
  return errors;
}

export const isPort = (value: unknown): boolean => typeof value === 'number' && value >= 1 && value <= 65535;
export const PORT_RANGE = 'must be between 1 and 65535, inclusive';

/** Names of ports: IANA service names. */
export const checkPortName: NameCheck = (name) => {
  const problems: string[] = [];
  if (name.length > 15) problems.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(name)) problems.push('must contain at least one letter (a-z)');
  if (name.includes('--')) problems.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
};

const CONFIG_KEY =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/** Keys of ConfigMaps and Secrets. */
export const checkConfigKey: NameCheck = (key) => {
  const problems: string[] = [];
  if (key.length > 253) problems.push('must be no more than 253 bytes');
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) problems.push(CONFIG_KEY);
  if (key === '.' || key === '..') problems.push(`must not be '${key}'`);
  else if (key.startsWith('..')) problems.push("must not start with '..'");
  return problems;
};
