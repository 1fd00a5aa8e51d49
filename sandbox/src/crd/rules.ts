// x-kubernetes-validations: the CEL rules of a schema, compiled once and evaluated for each object.
import { compileRule } from '../cel/index.ts';
import type { Rule } from '../cel/index.ts';
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';
import { deepEqual, isObject } from '../patch/values.ts';
import { forEachField } from './lists.ts';

export type Validation = NonNullable<Schema['x-kubernetes-validations']>[number];

const compiled = new WeakMap<Schema, { rule: Rule; validation: Validation }[]>();

/** The only place that calls CEL. Throws CelCompileError. */
export const compile = (validation: Validation, schema: Schema, root: boolean): Rule =>
  compileRule(validation, schema, { root });

function rulesOf(schema: Schema, root: boolean): { rule: Rule; validation: Validation }[] {
  let rules = compiled.get(schema);
  if (!rules) {
    rules = (schema['x-kubernetes-validations'] ?? []).map((validation) => ({
      validation,
      rule: compile(validation, schema, root || schema['x-kubernetes-embedded-resource'] === true),
    }));
    compiled.set(schema, rules);
  }
  return rules;
}

/** Whether a part of the schema has a rule. */
export function hasRules(schema: Schema): boolean {
  if (schema['x-kubernetes-validations']?.length) return true;
  const { items, properties, additionalProperties } = schema;
  return (
    (items !== undefined && hasRules(items)) ||
    Object.values(properties ?? {}).some(hasRules) ||
    (typeof additionalProperties === 'object' && hasRules(additionalProperties))
  );
}

/** All rules that fail. `old`: the previous object. Rules on unchanged parts may continue to fail. */
export function validateRules(value: unknown, schema: Schema, old: unknown, path = '', root = true): FieldError[] {
  return new RuleChecker(old !== undefined).check(value, schema, old, path, root);
}

class RuleChecker {
  private readonly isUpdate: boolean;

  constructor(isUpdate: boolean) {
    this.isUpdate = isUpdate;
  }

  check(value: unknown, schema: Schema, old: unknown, path: string, root = false): FieldError[] {
    if (value === null || value === undefined) return [];
    const errors = this.checkHere(value, schema, old, path, root);
    if (Array.isArray(value) && schema.items) {
      value.forEach((item, i) =>
        errors.push(...this.check(item, schema.items!, oldItem(schema, item, old), `${path}[${i}]`)),
      );
    }
    const correlates = schema['x-kubernetes-map-type'] !== 'atomic' && isObject(old);
    forEachField(value, schema, path, (child, property, place, key) => {
      const before = correlates && Object.hasOwn(old, key) ? old[key] : undefined;
      errors.push(...this.check(child, property, before, place));
    });
    return errors;
  }

  private checkHere(value: unknown, schema: Schema, old: unknown, path: string, root: boolean): FieldError[] {
    const errors: FieldError[] = [];
    for (const { rule, validation } of rulesOf(schema, root)) {
      if (rule.usesOldSelf && old == null && !validation.optionalOldSelf) continue;
      const problem = rule.check(value, old ?? undefined);
      if (problem === undefined) continue;
      if (this.isUpdate && !rule.usesOldSelf && old !== undefined && deepEqual(value, old)) continue;
      errors.push(errorOf(problem, validation, schema, value, path));
    }
    return errors;
  }
}

const RUN_TIME = 'rule evaluation error: ';

function errorOf(problem: string, validation: Validation, schema: Schema, value: unknown, path: string): FieldError {
  const where = path || '<nil>';
  if (problem.startsWith(RUN_TIME)) {
    const rule = validation.message?.trim() || validation.rule.trim();
    return field.invalid(where, schema.type ?? '', `${problem.slice(RUN_TIME.length)} evaluating rule: ${rule}`);
  }
  const below = (validation.fieldPath ?? '').trim().replace(/\['([^']*)'\]/g, '.$1');
  const place = below ? `${path}${path ? below : below.replace(/^\./, '')}` : where;
  const simple = schema.type === 'object' || schema.type === 'array';
  switch (validation.reason) {
    case 'FieldValueForbidden':
      return field.forbidden(place, problem);
    case 'FieldValueRequired':
      return field.required(place, problem);
    case 'FieldValueDuplicate':
      return simple
        ? { reason: 'FieldValueDuplicate', field: place, message: 'Duplicate value' }
        : field.duplicate(place, value);
    default:
      return simple
        ? { reason: 'FieldValueInvalid', field: place, message: `Invalid value: ${problem}` }
        : field.invalid(place, value, problem);
  }
}

/** The old item with the same keys. Only items of list maps can be matched. */
function oldItem(schema: Schema, item: unknown, old: unknown): unknown {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] !== 'map' || !keys || !Array.isArray(old) || !isObject(item)) return undefined;
  return old.find((other: unknown) => isObject(other) && keys.every((key) => deepEqual(other[key], item[key])));
}
