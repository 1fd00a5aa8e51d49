// What the CEL library passes to a macro, and what a macro gives back; the library itself declares neither.
import type { ASTNode } from '@marcbachmann/cel-js';

/** A static type, as far as macros look into it. */
export interface Type {
  readonly kind: string;
  readonly keyType?: Type;
  readonly valueType?: Type;
}

/** Which variables there are. */
export interface Scope {
  forkWithVariable(name: string, type: Type): Overlay;
}

/** A scope with one more variable. */
export interface Overlay extends Scope {
  /** A copy for one evaluation, on top of that evaluation's own scope. */
  reuse(parent: Scope): Overlay;
  setIterValue(value: unknown, evaluator: Evaluator): Overlay;
}

export interface Checker {
  /** The type of an expression. Throws when the expression is wrong. */
  check(expression: ASTNode, scope: Scope): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: ASTNode): Error;
  readonly registry: { getOptionalType(type: Type): Type };
}

export interface Evaluator {
  /** The value of an expression. */
  run(expression: ASTNode, scope: Scope): unknown;
}

/** The arguments of a macro, unevaluated. */
export type Args = readonly ASTNode[];

/** One use of a macro in an expression, with as many arguments as its signature says. */
export interface Call<A extends Args> {
  readonly args: A;
  readonly receiver: ASTNode;
}

/** How one use is checked, once, and then evaluated. `self` is this object. */
export interface Macro {
  typeCheck(checker: Checker, self: unknown, scope: Scope): Type;
  evaluate(evaluator: Evaluator, self: unknown, scope: Scope): unknown;
}
