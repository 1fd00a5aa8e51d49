// Checks the schema of a version: supported keywords, lists and their keys, defaults, and the compilation of rules.
import { CelCompileError } from '../cel/index.ts';
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import { validateEmbedded, validateLists } from './lists.ts';
import { checkListType, checkMapType } from './list-types.ts';
import { prune } from './prune.ts';
import { compile, hasRules, validateRules } from './rules.ts';
import type { Validation } from './rules.ts';
import { validateStructural } from './structural.ts';
import { validateValue } from './values.ts';

/** The errors of a schema. `path`: the path of `openAPIV3Schema`. */
export function validateSchema(schema: Schema, path: string, hasStatus: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (hasStatus) errors.push(...checkRootWithStatus(schema, path));
  if (schema.nullable) errors.push(field.forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const structural = validateStructural(schema, path);
  errors.push(...structural);
  if (!structural.length) errors.push(...checkDefaults(schema, path, false));
  const checker = new SchemaChecker();
  checker.check(schema, path, { root: true });
  errors.push(...checker.errors);
  if (!errors.length) errors.push(...checker.checkRules());
  return errors;
}

const allowedAtRoot =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';

/** With the status subresource, the root of the schema may only contain certain keywords. */
function checkRootWithStatus(schema: Schema, path: string): FieldError[] {
  if (schema.type !== undefined && schema.type !== 'object')
    return [
      field.invalid(
        `${path}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ];
  const allowed = allowedAtRoot.toLowerCase().split(' ');
  const name = (key: string): string =>
    key
      .replace(/^x-kubernetes-/, 'x')
      .replaceAll('-', '')
      .toLowerCase();
  if (Object.keys(schema).every((key) => allowed.includes(name(key)))) return [];
  return [
    field.invalid(
      path,
      schema,
      `only [${allowedAtRoot}] fields are allowed at the root of the schema if the status subresource is enabled`,
    ),
  ];
}

/** Defaults must match the schema and contain nothing that would be pruned. */
function checkDefaults(schema: Schema, path: string, insideMeta: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.default !== undefined && !insideMeta) {
    const place = `${path}.default`;
    const value = schema.default;
    if (isObject(value) && prune(value, schema).pruned.length)
      errors.push(field.invalid(place, value, 'must not have unknown fields'));
    const problems = [...validateEmbedded(value, schema, place), ...validateValue(value, schema, place)];
    errors.push(...problems, ...validateLists(value, schema, place));
    if (!problems.length && hasRules(schema) && compiles(schema))
      errors.push(...validateRules(value, schema, undefined, place, false));
  }
  if (schema.items) errors.push(...checkDefaults(schema.items, `${path}.items`, insideMeta));
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const meta =
      insideMeta || (schema['x-kubernetes-embedded-resource'] === true && /^(metadata|apiVersion|kind)$/.test(key));
    errors.push(...checkDefaults(property, `${path}.properties[${key}]`, meta));
  }
  return errors;
}

/** Another check reports rules that do not compile. */
function compiles(schema: Schema): boolean {
  try {
    validateRules({}, schema, undefined, '', false);
    return true;
  } catch {
    return false;
  }
}

interface Context {
  root?: boolean;
  /** The reason why a default is not allowed here. */
  noDefault?: string;
  insideMeta?: boolean;
  /** The closest parent whose items cannot be matched between two revisions, so that oldSelf has no value. */
  uncorrelatable?: string;
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'];

class SchemaChecker {
  readonly errors: FieldError[] = [];
  private readonly withRules: { schema: Schema; path: string; context: Context }[] = [];

  check(schema: Schema, path: string, context: Context): void {
    const bad = (...errors: FieldError[]): number => this.errors.push(...errors);
    const { type, properties = {}, items, additionalProperties } = schema;
    if (type && !TYPES.includes(type)) bad(field.notSupported(`${path}.type`, type, TYPES));
    if ((type as string) === 'null')
      bad(field.forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
    if (schema.default !== undefined && context.noDefault !== undefined)
      bad(field.forbidden(`${path}.default`, `must not be set${context.noDefault && ` ${context.noDefault}`}`));
    for (const key of UNSUPPORTED) if (key in schema) bad(field.forbidden(`${path}.${key}`, `${key} is not supported`));
    if (Array.isArray(items)) bad(field.forbidden(`${path}.items`, 'items must be a schema object and not an array'));
    if (context.insideMeta && schema['x-kubernetes-embedded-resource'])
      bad(field.forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'));
    if (schema.uniqueItems)
      bad(
        field.forbidden(
          `${path}.uniqueItems`,
          'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
        ),
      );
    if (additionalProperties !== undefined && Object.keys(properties).length)
      bad(field.forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
    bad(...checkListType(schema, path), ...checkMapType(schema, path));
    this.checkChildren(schema, path, context);
    this.checkRuleTexts(schema, path);
    if (schema['x-kubernetes-validations']?.length) this.withRules.push({ schema, path, context });
  }

  private checkChildren(schema: Schema, path: string, context: Context): void {
    const { root: _, ...inherited } = context;
    const { properties = {}, items, additionalProperties } = schema;
    if (typeof additionalProperties === 'object')
      this.check(additionalProperties, `${path}.additionalProperties`, {
        ...inherited,
        ...(context.insideMeta ? { noDefault: 'inside additionalProperties applying to object metadata' } : {}),
      });
    const mapIsAtomic = schema['x-kubernetes-map-type'] === 'atomic';
    for (const [key, property] of Object.entries(properties)) {
      const isMeta =
        (context.root || schema['x-kubernetes-embedded-resource']) && /^(metadata|kind|apiVersion)$/.test(key);
      this.check(property, `${path}.properties[${key}]`, {
        ...inherited,
        ...(mapIsAtomic ? { uncorrelatable: context.uncorrelatable ?? path } : {}),
        ...(isMeta ? { insideMeta: true } : {}),
        ...(isMeta && context.root ? { noDefault: `in top-level ${key}` } : {}),
      });
    }
    if (isObject(items)) {
      const isMap = schema['x-kubernetes-list-type'] === 'map';
      this.check(items as Schema, `${path}.items`, {
        ...inherited,
        ...(isMap ? {} : { uncorrelatable: context.uncorrelatable ?? path }),
      });
    }
    const parts: [string, Schema][] = [
      ...(['allOf', 'oneOf', 'anyOf'] as const).flatMap((key) =>
        (schema[key] ?? []).map((part, i): [string, Schema] => [`${path}.${key}[${i}]`, part]),
      ),
      ...(schema.not ? [[`${path}.not`, schema.not] as [string, Schema]] : []),
    ];
    for (const [place, part] of parts) this.check(part, place, { ...inherited, noDefault: '' });
  }

  private checkRuleTexts(schema: Schema, path: string): void {
    const bad = (...errors: FieldError[]): number => this.errors.push(...errors);
    schema['x-kubernetes-validations']?.forEach((validation, i) => {
      const place = `${path}.x-kubernetes-validations[${i}]`;
      const { rule, message, messageExpression, reason, fieldPath } = validation;
      const hasBreak = (text: string): boolean => /[\n\r]/.test(text.trim());
      if (!rule?.trim()) bad(field.required(`${place}.rule`, 'rule is not specified'));
      else if (message && !message.trim())
        bad(field.invalid(`${place}.message`, message, 'must be non-empty if specified'));
      else if (message && hasBreak(message))
        bad(field.invalid(`${place}.message`, message, 'must not contain line breaks'));
      else if (hasBreak(rule) && !message?.trim())
        bad(field.required(`${place}.message`, 'message must be specified if rule contains line breaks'));
      if (messageExpression && !messageExpression.trim())
        bad(field.required(`${place}.messageExpression`, 'messageExpression must be non-empty if specified'));
      if (reason && !REASONS.includes(reason)) bad(field.notSupported(`${place}.reason`, reason, REASONS));
      if (fieldPath && !isPath(fieldPath, schema))
        bad(field.invalid(`${place}.fieldPath`, fieldPath, 'must be a valid path'));
    });
  }

  /** Compiles all rules. Call it only for a schema without other errors. */
  checkRules(): FieldError[] {
    const errors: FieldError[] = [];
    for (const { schema, path, context } of this.withRules) {
      schema['x-kubernetes-validations']!.forEach((validation, i) => {
        const place = `${path}.x-kubernetes-validations[${i}]`;
        try {
          const root = context.root === true || schema['x-kubernetes-embedded-resource'] === true;
          const { usesOldSelf } = compile(validation, schema, root);
          if (usesOldSelf && context.uncorrelatable)
            errors.push(
              field.invalid(
                `${place}.rule`,
                validation.rule,
                `oldSelf cannot be used on the uncorrelatable portion of the schema within ${context.uncorrelatable}`,
              ),
            );
          if (!usesOldSelf && validation.optionalOldSelf !== undefined)
            errors.push(
              field.invalid(
                `${place}.optionalOldSelf`,
                validation.optionalOldSelf,
                'may not be set if oldSelf is not used in rule',
              ),
            );
        } catch (error) {
          if (!(error instanceof CelCompileError)) throw error;
          errors.push({
            reason: 'FieldValueInvalid',
            field: `${place}.rule`,
            message: `Invalid value: ${goRule(validation)}: ${error.message}`,
          });
        }
      });
    }
    return errors;
  }
}

/** A rule in the format in which Go prints its struct. */
const goRule = ({ rule, message, messageExpression, reason, fieldPath, optionalOldSelf }: Validation): string =>
  JSON.stringify({
    Rule: rule,
    Message: message ?? '',
    MessageExpression: messageExpression ?? '',
    Reason: reason ?? null,
    FieldPath: fieldPath ?? '',
    OptionalOldSelf: optionalOldSelf ?? null,
  });

/** A path such as `.spec.a['b c']` below a schema. */
function isPath(path: string, schema: Schema): boolean {
  let rest = path.trim();
  let at: Schema | undefined = schema;
  while (rest && at) {
    const found: RegExpExecArray | null = /^(?:\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\])/.exec(rest);
    if (!found) return false;
    const key: string = found[1] ?? found[2]!.replace(/\\(.)/g, '$1');
    const additional: Schema | boolean | undefined = at.additionalProperties;
    at = at.properties ? at.properties[key] : typeof additional === 'object' ? additional : undefined;
    rest = rest.slice(found[0].length);
  }
  return at !== undefined;
}
