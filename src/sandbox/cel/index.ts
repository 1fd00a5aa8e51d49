// The door of this room: Kubernetes' CEL.
export { compile, newEnvironment, type CompileOptions, type Program } from './compile.ts';
export { CelCompileError, CelRuntimeError } from './errors.ts';
export { JsonPatch, Message, resultToJson } from './functions.ts';
export { compileRule, type Rule, type RuleOptions } from './rules.ts';
export { fromCel, toCel } from './values.ts';
