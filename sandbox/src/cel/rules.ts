// `x-kubernetes-validations`: a rule of a schema node, type-checked against the schema and evaluated on `self` and `oldSelf`.
import { Optional, type Environment } from '@marcbachmann/cel-js';
import type { Schema } from '../core/types.ts';
import { CelCompileError, CelRuntimeError } from './errors.ts';
import { compile, newEnvironment } from './compile.ts';
import { declare } from './types.ts';
import { toTyped, type Resolve } from './values.ts';

type Validation = NonNullable<Schema['x-kubernetes-validations']>[number];

export interface Rule {
  /** A transition rule: uses oldSelf. Without an old value it is skipped, unless optionalOldSelf is set. */
  readonly usesOldSelf: boolean;
  /** Undefined if the rule is true. Otherwise the message for the user. */
  check(self: unknown, oldSelf?: unknown): string | undefined;
}

export interface RuleOptions {
  /** Resolves `$ref`s. CRD schemas have none. */
  resolve?: Resolve;
  /** The schema is that of a whole object or an embedded resource: apiVersion, kind and metadata.name are visible. */
  root?: boolean;
}

/** Throws CelCompileError. Its message is the text after `Invalid value: …: ` in Kubernetes. */
export const compileRule = (validation: Validation, schema: Schema, options: RuleOptions = {}): Rule => {
  const resolve = options.resolve ?? ((s: Schema) => s);
  const root = options.root ?? false;
  const usesOldSelf = /\boldSelf\b/.test(withoutStrings(validation.rule));
  const variables = ['self', 'oldSelf'];
  const check: Environment = newEnvironment();
  const type = declare(check, schema, resolve, root);
  check.registerVariable('self', type);
  check.registerVariable('oldSelf', validation.optionalOldSelf ? `optional<${type}>` : type);
  const rule = compile(validation.rule, { variables, check });
  if (rule.type !== 'bool') throw new CelCompileError('cel expression must evaluate to a bool');
  const message = validation.messageExpression && compile(validation.messageExpression, { variables, check });
  if (message && message.type !== 'string') throw new CelCompileError('messageExpression must evaluate to a string');
  return {
    usesOldSelf,
    check(self, oldSelf) {
      const old = oldSelf === undefined ? undefined : toTyped(oldSelf, schema, resolve, root);
      const values: Record<string, unknown> = { self: toTyped(self, schema, resolve, root) };
      if (validation.optionalOldSelf) values.oldSelf = old === undefined ? Optional.none() : Optional.of(old);
      else if (old !== undefined) values.oldSelf = old;
      try {
        if (rule.run(values) === true) return undefined;
      } catch (error) {
        if (error instanceof CelRuntimeError) return `rule evaluation error: ${error.message}`;
        throw error;
      }
      return (
        (message && expressed(message.run, values)) || validation.message || `failed rule: ${validation.rule.trim()}`
      );
    },
  };
};

/** If a message expression fails or returns no printable text, the fixed message is used. */
const expressed = (
  run: (values: Record<string, unknown>) => unknown,
  values: Record<string, unknown>,
): string | undefined => {
  try {
    const text = run(values);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : undefined;
  } catch (error) {
    if (error instanceof CelRuntimeError) return undefined;
    throw error;
  }
};

const withoutStrings = (expression: string): string => expression.replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/g, '""');
