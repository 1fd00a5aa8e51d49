// The door of this room: Kubernetes' CEL.
//
// What a real server has and this lacks: the ip, cidr, semver and format libraries (refused when compiled); lists of type set and map
// compare in order; list literals may mix types, which a real server refuses.
export { authorizerOf } from './authorizer.ts';
export { compile, newEnvironment, type CompileOptions, type Program } from './compile.ts';
export { CelCompileError, CelRuntimeError } from './errors.ts';
export { JsonPatch, Message, resultToJson } from './functions.ts';
export { compileRule, type Rule, type RuleOptions } from './rules.ts';
export { fromCel, toCel } from './values.ts';
