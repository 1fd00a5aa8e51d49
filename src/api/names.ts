// Kubernetes' rules for names of objects, for the schemas and for checks of stored objects.

export interface NameRule {
  /** Valid in Go's RE2 and in JavaScript, and without exponential backtracking. */
  readonly pattern: string;
  readonly minLength: number;
  readonly maxLength: number;
  /** Kubernetes' term for the name. */
  readonly what: string;
  /** The API server's message for an invalid name. */
  readonly must: string;
  readonly example: string;
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;

/** Names of most kinds of objects, for example Deployments. */
export const SUBDOMAIN_NAME: NameRule = {
  pattern: `^${SUBDOMAIN}$`,
  minLength: 1,
  maxLength: 253,
  what: 'a lowercase RFC 1123 subdomain',
  must: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  example: 'web',
};

/** Also accepts "", because typed clients may write "" for an absent name. */
export const OPTIONAL_SUBDOMAIN_NAME: NameRule = {
  ...SUBDOMAIN_NAME,
  minLength: 0,
  pattern: `^$|${SUBDOMAIN_NAME.pattern}`,
};

/** Names of namespaces and Services. */
export const LABEL_NAME: NameRule = {
  pattern: `^${LABEL}$`,
  minLength: 1,
  maxLength: 63,
  what: 'a lowercase RFC 1123 label',
  must: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  example: 'web',
};

export const KIND_NAME: NameRule = {
  pattern: '^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$',
  minLength: 1,
  maxLength: 63,
  what: 'a kind',
  must: "a kind must consist of alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  example: 'Deployment',
};

/** `v1`, or `apps/v1`. */
export const API_VERSION: NameRule = {
  pattern: `^(${SUBDOMAIN}/)?[a-z]([-a-z0-9]*[a-z0-9])?$`,
  minLength: 1,
  maxLength: 253,
  what: 'VERSION or GROUP/VERSION',
  must: "an API version must be VERSION or GROUP/VERSION, of lower case alphanumeric characters, '-' or '.'",
  example: 'apps/v1',
};

export const NAME_RULES: readonly NameRule[] = [
  SUBDOMAIN_NAME,
  OPTIONAL_SUBDOMAIN_NAME,
  LABEL_NAME,
  KIND_NAME,
  API_VERSION,
];

const compiled = new Map<NameRule, RegExp>();

export function isName(rule: NameRule, name: unknown): name is string {
  if (typeof name !== 'string' || name.length > rule.maxLength) return false;
  let pattern = compiled.get(rule);
  if (!pattern) compiled.set(rule, (pattern = new RegExp(rule.pattern)));
  return pattern.test(name);
}
