// The undeclared interface between the CEL library and its macros.
import type { ASTNode } from '@marcbachmann/cel-js';

/** The part of a static type that macros use. */
export interface Type {
  readonly kind: string;
  readonly keyType?: Type;
  readonly valueType?: Type;
}

/** The declared variables. */
export interface Scope {
  forkWithVariable(name: string, type: Type): Overlay;
}

/** Returns a scope with one more variable. */
export interface Overlay extends Scope {
  /** Returns a copy for one evaluation, based on the scope of that evaluation. */
  reuse(parent: Scope): Overlay;
  setIterValue(value: unknown, evaluator: Evaluator): Overlay;
}

export interface Checker {
  /** Returns the type of an expression. Throws if the expression is invalid. */
  check(expression: ASTNode, scope: Scope): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: ASTNode): Error;
  readonly registry: { getOptionalType(type: Type): Type };
}

export interface Evaluator {
  /** Evaluates an expression. */
  run(expression: ASTNode, scope: Scope): unknown;
}

/** The unevaluated arguments of a macro. */
export type Args = readonly ASTNode[];

/** Expands one use of a macro. The arguments match its signature. */
export interface Call<A extends Args> {
  readonly args: A;
  readonly receiver: ASTNode;
}

/** Checks a use once, then evaluates it. `self` is this object. */
export interface Macro {
  typeCheck(checker: Checker, self: unknown, scope: Scope): Type;
  evaluate(evaluator: Evaluator, self: unknown, scope: Scope): unknown;
}
