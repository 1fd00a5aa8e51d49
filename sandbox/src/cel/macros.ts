// Macros the library lacks: has() of any selection, optMap/optFlatMap, loops over two variables, and the count of rounds.
import { Optional, type Environment } from '@marcbachmann/cel-js';
import { CelRuntimeError, internalName } from './errors.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- the library's macro hooks are untyped */

/** Rounds of all loops of one evaluation; Kubernetes bounds the cost of an expression likewise. */
const MAX_ROUNDS = 200_000;
let rounds = 0;
export const resetRounds = (): void => {
  rounds = 0;
};

export const registerMacros = (env: Environment): void => {
  const macro = (signature: string, handler: (call: any) => any): void => {
    env.registerFunction(signature, (call: any) => ({ async: false, call, ...handler(call) }));
  };

  macro(`${internalName('round')}(ast): dyn`, ({ args }) => ({
    typeCheck: (checker: any, _macro: any, ctx: any) => checker.check(args[0], ctx),
    evaluate(evaluator: any, _macro: any, ctx: any) {
      if (++rounds > MAX_ROUNDS) throw new CelRuntimeError('operation cancelled: actual cost limit exceeded');
      return evaluator.run(args[0], ctx);
    },
  }));

  macro(`${internalName('has')}(ast): bool`, ({ args }) => {
    const selection = args[0];
    return {
      typeCheck(checker: any, _macro: any, ctx: any) {
        if (selection.op !== '.') {
          throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', selection);
        }
        checker.check(selection, ctx);
        return checker.getType('bool');
      },
      evaluate(evaluator: any, _macro: any, ctx: any) {
        const [operand, field] = selection.args;
        let value = evaluator.run(operand, ctx);
        if (value instanceof Optional) {
          if (!value.hasValue()) return false;
          value = value.value();
        }
        if (value instanceof Map) return value.has(field);
        if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
          return Object.hasOwn(value, field) && value[field] !== undefined;
        }
        throw new CelRuntimeError(`no such key: ${field}`);
      },
    };
  });

  for (const name of ['optMap', 'optFlatMap']) {
    macro(`optional.${name}(ast, ast): optional<dyn>`, ({ receiver, args: [variable, expression] }) => ({
      scope: undefined as any,
      typeCheck(checker: any, self: any, ctx: any) {
        const type = checker.check(receiver, ctx);
        self.scope = ctx.forkWithVariable(identifier(variable), type.valueType ?? checker.getType('dyn'));
        const result = checker.check(expression, self.scope);
        return name === 'optMap' ? checker.registry.getOptionalType(result) : result;
      },
      evaluate(evaluator: any, self: any, ctx: any) {
        const value = evaluator.run(receiver, ctx);
        if (!(value instanceof Optional)) throw new CelRuntimeError('no such overload');
        if (!value.hasValue()) return value;
        const result = evaluator.run(expression, self.scope.reuse(ctx).setIterValue(value.value(), evaluator));
        return name === 'optMap' ? Optional.of(result) : result;
      },
    }));
  }

  for (const [name, args, result, finish] of TWO_VARIABLE_LOOPS) {
    const parameters = Array.from({ length: args }, () => 'ast').join(', ');
    macro(`list.${name}(${parameters}): ${result}`, ({ receiver, args: [first, second, ...expressions] }) => ({
      outer: undefined as any,
      inner: undefined as any,
      typeCheck(checker: any, self: any, ctx: any) {
        const type = checker.check(receiver, ctx);
        const list = type.kind === 'list';
        const dyn = checker.getType('dyn');
        self.outer = ctx.forkWithVariable(identifier(first), list ? checker.getType('int') : (type.keyType ?? dyn));
        self.inner = self.outer.forkWithVariable(identifier(second), type.valueType ?? dyn);
        for (const expression of expressions) checker.check(expression, self.inner);
        return checker.getType(result);
      },
      evaluate(evaluator: any, self: any, ctx: any) {
        const outer = self.outer.reuse(ctx);
        const inner = self.inner.reuse(outer);
        const run = (key: unknown, value: unknown) => (expression: any) => {
          outer.setIterValue(key, evaluator);
          inner.setIterValue(value, evaluator);
          return evaluator.run(expression, inner);
        };
        return finish(entriesOf(evaluator.run(receiver, ctx)), expressions, run);
      },
    }));
  }
};

type Run = (key: unknown, value: unknown) => (expression: any) => any;
type Finish = (entries: [unknown, unknown][], expressions: any[], run: Run) => unknown;

/** Results of the predicate until one decides; an error counts only when none did, as in CEL's `||`. */
const decide = (entries: [unknown, unknown][], expression: any, run: Run, decisive: boolean): boolean => {
  let error: unknown;
  for (const [key, value] of entries) {
    try {
      if (run(key, value)(expression) === decisive) return decisive;
    } catch (thrown) {
      error ??= thrown;
    }
  }
  if (error !== undefined) throw error;
  return !decisive;
};

const kept = (entries: [unknown, unknown][], expressions: any[], run: Run): [unknown, unknown][] => {
  const transform = expressions.at(-1);
  return entries
    .filter(([key, value]) => expressions.length === 1 || run(key, value)(expressions[0]) === true)
    .map(([key, value]) => [key, run(key, value)(transform)]);
};

const merge = (entries: [unknown, unknown][]): object => {
  const result: Record<string, unknown> = {};
  for (const [, part] of entries) {
    for (const [key, value] of Object.entries(part as object)) {
      if (Object.hasOwn(result, key)) throw new CelRuntimeError(`insert failed: key ${key} already exists`);
      result[key] = value;
    }
  }
  return result;
};

const TWO_VARIABLE_LOOPS: [name: string, args: number, result: string, finish: Finish][] = [
  ['all', 3, 'bool', (entries, [predicate], run) => decide(entries, predicate, run, false)],
  ['exists', 3, 'bool', (entries, [predicate], run) => decide(entries, predicate, run, true)],
  [
    'existsOne',
    3,
    'bool',
    (entries, [predicate], run) => entries.filter(([key, value]) => run(key, value)(predicate) === true).length === 1,
  ],
  ...[3, 4].flatMap((args): [string, number, string, Finish][] => [
    [
      'transformList',
      args,
      'list<dyn>',
      (entries, expressions, run) => kept(entries, expressions, run).map(([, item]) => item),
    ],
    [
      'transformMap',
      args,
      'map<dyn, dyn>',
      (entries, expressions, run) => Object.fromEntries(kept(entries, expressions, run)),
    ],
    ['transformMapEntry', args, 'map<dyn, dyn>', (entries, expressions, run) => merge(kept(entries, expressions, run))],
  ]),
];

const entriesOf = (collection: unknown): [unknown, unknown][] => {
  if (Array.isArray(collection)) return collection.map((item, i) => [BigInt(i), item]);
  if (collection instanceof Map) return [...collection];
  if (collection !== null && typeof collection === 'object') return Object.entries(collection);
  throw new CelRuntimeError('no such overload');
};

const identifier = (node: any): string => {
  if (node.op !== 'id') throw new CelRuntimeError('argument must be a simple name');
  return node.args;
};
