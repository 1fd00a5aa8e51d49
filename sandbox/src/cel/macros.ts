// Macros that the library lacks: has() of any selection, optMap/optFlatMap, loops with two variables, and the iteration limit.
import { Optional, type ASTNode, type Environment } from '@marcbachmann/cel-js';
import { spend } from './cost.ts';
import { CelRuntimeError, internalName } from './errors.ts';
import type { Args, Call, Macro, Overlay } from './macro-hooks.ts';

export const registerMacros = (env: Environment): void => {
  const macro = <A extends Args>(signature: string, handler: (call: Call<A>) => Macro): void => {
    env.registerFunction(signature, (call: Call<A>) => ({ async: false, call, ...handler(call) }));
  };

  macro(`${internalName('round')}(ast): dyn`, ({ args: [expression] }: Call<[ASTNode]>) => ({
    typeCheck: (checker, _self, scope) => checker.check(expression, scope),
    evaluate(evaluator, _self, scope) {
      spend();
      return evaluator.run(expression, scope);
    },
  }));

  macro(`${internalName('has')}(ast): bool`, ({ args: [selection] }: Call<[ASTNode]>) => ({
    typeCheck(checker, _self, scope) {
      if (selection.op !== '.') {
        throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', selection);
      }
      checker.check(selection, scope);
      return checker.getType('bool');
    },
    evaluate: (evaluator, _self, scope) => hasField(selection, (operand) => evaluator.run(operand, scope)),
  }));

  for (const name of ['optMap', 'optFlatMap']) {
    macro(
      `optional.${name}(ast, ast): optional<dyn>`,
      ({ receiver, args: [variable, expression] }: Call<[ASTNode, ASTNode]>) => {
        let inner: Overlay;
        return {
          typeCheck(checker, _self, scope) {
            const type = checker.check(receiver, scope);
            inner = scope.forkWithVariable(identifier(variable), type.valueType ?? checker.getType('dyn'));
            const result = checker.check(expression, inner);
            return name === 'optMap' ? checker.registry.getOptionalType(result) : result;
          },
          evaluate(evaluator, _self, scope) {
            const value = evaluator.run(receiver, scope);
            if (!(value instanceof Optional)) throw new CelRuntimeError('no such overload');
            if (!value.hasValue()) return value;
            const result = evaluator.run(expression, inner.reuse(scope).setIterValue(value.value(), evaluator));
            return name === 'optMap' ? Optional.of(result) : result;
          },
        };
      },
    );
  }

  for (const [name, args, result, finish] of TWO_VARIABLE_LOOPS) {
    const parameters = Array.from({ length: args }, () => 'ast').join(', ');
    macro(
      `list.${name}(${parameters}): ${result}`,
      ({ receiver, args: [first, second, ...expressions] }: Call<[ASTNode, ASTNode, ...Expressions]>) => {
        let checkedOuter: Overlay;
        let checkedInner: Overlay;
        return {
          typeCheck(checker, _self, scope) {
            const type = checker.check(receiver, scope);
            const dyn = checker.getType('dyn');
            const keyType = type.kind === 'list' ? checker.getType('int') : (type.keyType ?? dyn);
            checkedOuter = scope.forkWithVariable(identifier(first), keyType);
            checkedInner = checkedOuter.forkWithVariable(identifier(second), type.valueType ?? dyn);
            for (const expression of expressions) checker.check(expression, checkedInner);
            return checker.getType(result);
          },
          evaluate(evaluator, _self, scope) {
            const outer = checkedOuter.reuse(scope);
            const inner = checkedInner.reuse(outer);
            const run: Run = (key, value) => (expression) => {
              outer.setIterValue(key, evaluator);
              inner.setIterValue(value, evaluator);
              return evaluator.run(expression, inner);
            };
            return finish(entriesOf(evaluator.run(receiver, scope)), expressions, run);
          },
        };
      },
    );
  }
};

/** Whether the selected field exists. */
function hasField(selection: ASTNode, run: (operand: ASTNode) => unknown): boolean {
  if (selection.op !== '.') throw new CelRuntimeError('no such overload');
  const [operand, field] = selection.args;
  let value = run(operand);
  if (value instanceof Optional) {
    if (!value.hasValue()) return false;
    value = value.value();
  }
  if (value instanceof Map) return value.has(field);
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.hasOwn(value, field) && (value as Record<string, unknown>)[field] !== undefined;
  }
  throw new CelRuntimeError(`no such key: ${field}`);
}

type Expressions = [ASTNode, ...ASTNode[]];
type Run = (key: unknown, value: unknown) => (expression: ASTNode) => unknown;
type Finish = (entries: [unknown, unknown][], expressions: Expressions, run: Run) => unknown;

/** Evaluates the predicate until a result decides. An error counts only if no result decides, as in CEL's `||`. */
const decide = (entries: [unknown, unknown][], expression: ASTNode, run: Run, decisive: boolean): boolean => {
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

/** With two expressions, the first one filters the entries. */
const kept = (
  entries: [unknown, unknown][],
  [first, transform = first]: Expressions,
  run: Run,
): [unknown, unknown][] => {
  return entries
    .filter(([key, value]) => first === transform || run(key, value)(first) === true)
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

const identifier = (node: ASTNode): string => {
  if (node.op !== 'id') throw new CelRuntimeError('argument must be a simple name');
  return node.args;
};
