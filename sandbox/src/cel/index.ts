// The entry point of CEL, with the functions of Kubernetes.
//
// Missing compared with a real server: the ip, cidr, semver and format libraries (refused at compile time); lists of type set and map
// are compared in order; list literals may mix types, which a real server refuses.
export { authorizerOf } from './authorizer.ts';
export { compile, newEnvironment, type CompileOptions, type Program } from './compile.ts';
export { CelCompileError, CelRuntimeError } from './errors.ts';
export { JsonPatch, Message, resultToJson } from './functions.ts';
export { compileRule, type Rule, type RuleOptions } from './rules.ts';
export { fromCel, toCel } from './values.ts';
