// CEL as in kube-apiserver: compiles expressions once (cached), evaluates them on JSON, and refuses what it cannot compile.
//
// The library is @marcbachmann/cel-js: it type-checks, is fast (microseconds), and has the optionals (`.?field`, `optional.none()`)
// Kubernetes' expressions use. @bufbuild/cel, the other maintained one, parses no optionals. What the library lacks is added here.
import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import { CelCompileError, CelRuntimeError, compileMessage, pointAt, runtimeMessage } from './errors.ts';
import { registerAuthorizer } from './authorizer.ts';
import { registerFunctions, resultToJson } from './functions.ts';
import { resetCost } from './cost.ts';
import { registerMacros } from './macros.ts';
import { rewrite } from './rewrite.ts';
import { toCel } from './values.ts';

/** Kubernetes refuses longer expressions because of their cost. */
const MAX_EXPRESSION_LENGTH = 16 * 1024;

export interface Program {
  /** Static type of the result in the format of cel-go: `bool`, `string`, `dyn`, `list(int)`, `Object`, … */
  readonly type: string;
  /** Evaluates with CEL values as variables and returns a CEL value. Throws CelRuntimeError. */
  run(variables: Record<string, unknown>): unknown;
  /** Evaluates with JSON variables and returns JSON. Throws CelRuntimeError. */
  evaluate(variables: Record<string, unknown>): unknown;
}

export interface CompileOptions {
  /** Names of the variables. Their values are dynamic. */
  variables: readonly string[];
  /** Allowed static types of the result. Absent: all. */
  returns?: readonly string[];
  /** An environment with typed variables. The expression is type-checked against it first (rules of CRDs). */
  check?: Environment;
}

const base = new Environment({
  enableOptionalTypes: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 10_000, maxDepth: 100 },
});
registerFunctions(base);
registerMacros(base);
registerAuthorizer(base);

const functions = new Set(base.getDefinitions().functions.map((definition) => definition.name));
/** Converts `list<kubernetes.Object>` to the format of Kubernetes: `list(Object)`. */
const printType = (type: string): string =>
  type.replaceAll('kubernetes.', '').replaceAll('<', '(').replaceAll('>', ')');

const environments = new Map<string, Environment>();
const programs = new Map<string, Program>();

/** An environment with the whole library and custom variables. */
export const newEnvironment = (): Environment => base.clone();

const environmentFor = (variables: readonly string[]): Environment => {
  const key = variables.join();
  let env = environments.get(key);
  if (!env) {
    env = newEnvironment();
    for (const name of variables) env.registerVariable(name, 'dyn');
    environments.set(key, env);
  }
  return env;
};

/** Throws CelCompileError. Its message begins as in Kubernetes: `compilation failed: ERROR: <input>:1:1: …`. */
export const compile = (expression: string, options: CompileOptions): Program => {
  const key = JSON.stringify([options.variables, options.returns, expression]);
  const known = options.check ? undefined : programs.get(key);
  if (known) return known;
  const program = compileUncached(expression, options);
  if (!options.check) {
    if (programs.size > 2000) programs.clear();
    programs.set(key, program);
  }
  return program;
};

const compileUncached = (expression: string, options: CompileOptions): Program => {
  if (expression.length > MAX_EXPRESSION_LENGTH) {
    throw new CelCompileError(`compilation failed: expression is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  }
  let rewritten;
  try {
    rewritten = rewrite(expression);
  } catch (error) {
    throw error instanceof CelCompileError ? new CelCompileError(`compilation failed: ${error.message}`) : error;
  }
  const failed = (error: unknown): CelCompileError => {
    const known = error as { code?: string; summary?: string; message: string; range?: { start: number } };
    const message = compileMessage(known, (name) => functions.has(name));
    // cel-go reports the position of the dot of a selection, the library that of the name after it.
    const at = rewritten.origin(known.range?.start ?? 0) - (message.startsWith('undefined field') ? 1 : 0);
    return new CelCompileError(`compilation failed: ${pointAt(message, expression, at)}`, { cause: error });
  };
  let parsed: ParseResult;
  try {
    parsed = environmentFor(options.variables).parse(rewritten.text);
  } catch (error) {
    throw failed(error);
  }
  const typed = options.check?.check(rewritten.text);
  if (typed && !typed.valid) throw failed(typed.error);
  const dynamic = parsed.check();
  if (!dynamic.valid) throw failed(dynamic.error);
  const type = printType((typed ?? dynamic).type ?? 'dyn');
  if (options.returns && !options.returns.includes(type)) {
    const wanted = options.returns.length === 1 ? options.returns[0] : `one of [${options.returns.join(' ')}]`;
    throw new CelCompileError(`must evaluate to ${wanted}${options.returns.length === 1 ? ` but got ${type}` : ''}`);
  }
  const run = (variables: Record<string, unknown>): unknown => {
    resetCost();
    try {
      return parsed(variables);
    } catch (error) {
      if (error instanceof CelRuntimeError) throw error;
      throw new CelRuntimeError(runtimeMessage(error as Error), { cause: error });
    }
  };
  return {
    type,
    run,
    evaluate: (variables) =>
      resultToJson(run(Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, toCel(value)])))),
  };
};
