// Compiles the expressions of webhook configurations and policies when they are written, so that errors are refused early.
import { CelCompileError, compile, newEnvironment, type CompileOptions } from '../cel/index.ts';
import { field } from '../core/errors.ts';
import { checkLabelKey } from '../core/names.ts';
import type { FieldError, KubeObject } from '../core/types.ts';
import { POLICY_VARIABLES, WEBHOOK_VARIABLES } from './conditions.ts';

interface Expression extends CompileOptions {
  path: string;
  text: string | undefined;
}

interface Named {
  name?: string;
  expression?: string;
}

/** The functions that the table of kinds uses. */
export const policyChecks = {
  /** Checks one webhook. */
  matchConditions(path: string, conditions: unknown): FieldError[] {
    const list = conditions as Named[] | undefined;
    return [...check(conditionExpressions(path, list, WEBHOOK_OPTIONS)), ...checkNames(path, list)];
  },
  /** Checks a ValidatingAdmissionPolicy or MutatingAdmissionPolicy. Expressions that `old` already has are not checked. */
  policy(object: KubeObject, old?: KubeObject): FieldError[] {
    const before = new Set(old ? policyExpressions((old.spec ?? {}) as PolicyExpressions).map(({ text }) => text) : []);
    const spec = (object.spec ?? {}) as PolicyExpressions;
    const all = policyExpressions(spec);
    return [
      ...checkParts(object.kind, spec),
      ...check(all.filter(({ text }) => text === undefined || !before.has(text))),
      ...checkNames('spec.matchConditions', spec.matchConditions),
    ];
  },
};

/** The kinds that a policy applies to, and the expressions about them. */
function checkParts(kind: string, spec: PolicyExpressions): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.matchConstraints) errors.push(field.required('spec.matchConstraints'));
  else if (!spec.matchConstraints.resourceRules?.length)
    errors.push(field.required('spec.matchConstraints.resourceRules'));
  if (kind !== 'ValidatingAdmissionPolicy' || spec.validations?.length || spec.auditAnnotations?.length) return errors;
  const why = 'validations or auditAnnotations must contain at least one item';
  return [...errors, field.required('spec.validations', why), field.required('spec.auditAnnotations', why)];
}

/** Conditions are identified by their names. */
function checkNames(path: string, conditions: Named[] = []): FieldError[] {
  return conditions.flatMap(({ name = '' }, i) => {
    const at = `${path}[${i}].name`;
    if (!name) return [field.required(at)];
    if (conditions.findIndex((other) => other.name === name) < i) return [field.duplicate(at, name)];
    return checkLabelKey(name).map((problem) => field.invalid(at, name, problem));
  });
}

const check = (expressions: Expression[]): FieldError[] =>
  expressions.flatMap(({ path, text, ...options }) => {
    if (text === undefined || text.trim() === '') return [field.required(path)];
    try {
      compile(text, options);
      return [];
    } catch (error) {
      if (error instanceof CelCompileError) return [field.invalid(path, text, error.message)];
      throw error;
    }
  });

const conditionExpressions = (path: string, list: Named[] | undefined, options: CompileOptions): Expression[] =>
  (list ?? []).map(({ expression }, i) => ({
    ...options,
    path: `${path}[${i}].expression`,
    text: expression,
    returns: BOOL,
  }));

const BOOL = ['bool'];

interface PolicyExpressions {
  paramKind?: unknown;
  matchConstraints?: { resourceRules?: unknown[] };
  matchConditions?: Named[];
  variables?: Named[];
  validations?: { expression?: string; messageExpression?: string }[];
  auditAnnotations?: { valueExpression?: string }[];
  mutations?: { applyConfiguration?: Named; jsonPatch?: Named }[];
}

const policyExpressions = (spec: PolicyExpressions): Expression[] => {
  const options = policyOptions(spec);
  const expression = (path: string, text: string | undefined, returns?: string[]): Expression => ({
    ...options,
    path: `spec.${path}`,
    text,
    ...(returns && { returns }),
  });
  return [
    ...conditionExpressions('spec.matchConditions', spec.matchConditions, options),
    ...(spec.variables ?? []).map((each, i) => expression(`variables[${i}].expression`, each.expression)),
    ...(spec.validations ?? []).flatMap((each, i) => [
      expression(`validations[${i}].expression`, each.expression, BOOL),
      ...(each.messageExpression
        ? [expression(`validations[${i}].messageExpression`, each.messageExpression, ['string'])]
        : []),
    ]),
    ...(spec.auditAnnotations ?? []).map((each, i) =>
      expression(`auditAnnotations[${i}].valueExpression`, each.valueExpression, ['string', 'null', 'dyn']),
    ),
    ...(spec.mutations ?? []).flatMap(({ applyConfiguration, jsonPatch }, i) => [
      ...(applyConfiguration
        ? [expression(`mutations[${i}].applyConfiguration.expression`, applyConfiguration.expression, ['Object'])]
        : []),
      ...(jsonPatch
        ? [expression(`mutations[${i}].jsonPatch.expression`, jsonPatch.expression, ['list(JSONPatch)'])]
        : []),
    ]),
  ];
};

/** `params` exists only with a paramKind, and `variables` has only declared fields. */
const policyOptions = (spec: PolicyExpressions): CompileOptions =>
  typed(
    POLICY_VARIABLES.filter((name) => name !== 'params' || spec.paramKind !== undefined),
    (spec.variables ?? []).map(({ name = '' }) => name),
  );

const GVK = { group: 'string', version: 'string', kind: 'string' };
const GVR = { group: 'string', version: 'string', resource: 'string' };
const USER_INFO = { username: 'string', uid: 'string', groups: 'list<string>', extra: 'map<string, list<string>>' };
const REQUEST = {
  kind: 'request.kind',
  resource: 'request.resource',
  subResource: 'string',
  requestKind: 'request.kind',
  requestResource: 'request.resource',
  requestSubResource: 'string',
  name: 'string',
  namespace: 'string',
  operation: 'string',
  userInfo: 'request.userInfo',
  dryRun: 'bool',
  options: 'dyn',
};

/** The types of the variables, so that a wrong use such as `request.user` is found at compile time. */
const typed = (variables: readonly string[], declared: readonly string[] = []): CompileOptions => {
  const check = newEnvironment()
    .registerType('request.kind', { fields: GVK })
    .registerType('request.resource', { fields: GVR })
    .registerType('request.userInfo', { fields: USER_INFO })
    .registerType('kubernetes.request', { fields: REQUEST })
    .registerType('kubernetes.variables', { fields: Object.fromEntries(declared.map((name) => [name, 'dyn'])) });
  const types: Record<string, string> = {
    request: 'kubernetes.request',
    authorizer: 'kubernetes.authorization.Authorizer',
    variables: 'kubernetes.variables',
  };
  for (const name of variables) check.registerVariable(name, types[name] ?? 'dyn');
  return { variables, check };
};

const WEBHOOK_OPTIONS = typed(WEBHOOK_VARIABLES);
