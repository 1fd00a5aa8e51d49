// The syntax of names, labels and annotations, with Kubernetes' error texts.
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED})?`;
/** A subdomain consists of labels of up to 63 characters, but may be longer in total. */
const whole = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);
const labelPattern = whole(LABEL);
const subdomainPattern = whole(SUBDOMAIN);
const label1035Pattern = whole(LABEL_1035);
const qualifiedPattern = whole(QUALIFIED);
const labelValuePattern = whole(LABEL_VALUE);

const regexError = (text: string, pattern: string, ...examples: string[]): string =>
  `${text} (${examples.length ? `e.g. ${examples.map((each) => `'${each}'`).join(',  or ')}, ` : ''}regex used for validation is '${pattern}')`;
const maxLength = (bytes: number): string => `must be no more than ${bytes} bytes`;
const bytes = (text: string): number => Buffer.byteLength(text);

/** Each check returns the errors of a value. Most return an empty list. */
export type NameCheck = (value: string) => string[];

const matches =
  (pattern: RegExp, max: number, complaint: string): NameCheck =>
  (value) => [...(bytes(value) > max ? [maxLength(max)] : []), ...(pattern.test(value) ? [] : [complaint])];

export const checkSubdomain = matches(
  subdomainPattern,
  253,
  regexError(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    SUBDOMAIN,
    'example.com',
  ),
);

export const checkLabel = matches(
  labelPattern,
  63,
  regexError(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    LABEL,
    'my-name',
    '123-abc',
  ),
);

export const checkLabel1035 = matches(
  label1035Pattern,
  63,
  regexError(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    LABEL_1035,
    'my-name',
    'abc-123',
  ),
);

/** Names of RBAC objects: any path segment. */
export const checkPathSegment: NameCheck = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((each) => value.includes(each)).map((each) => `may not contain '${each}'`);
};

const qualifiedName = regexError(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  QUALIFIED,
  'MyName',
  'my.name',
  '123-abc',
);

/** Keys of labels and annotations. */
export const checkLabelKey: NameCheck = (value) => {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a qualified name ${qualifiedName} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1)!;
  const problems: string[] = [];
  if (parts.length === 2) {
    if (!parts[0]) problems.push('prefix part must be non-empty');
    else problems.push(...checkSubdomain(parts[0]).map((each) => `prefix part ${each}`));
  }
  if (!name) problems.push('name part must be non-empty');
  else if (bytes(name) > 63) problems.push(`name part ${maxLength(63)}`);
  if (!qualifiedPattern.test(name)) problems.push(`name part ${qualifiedName}`);
  return problems;
};

export const checkLabelValue = matches(
  labelValuePattern,
  63,
  regexError(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    LABEL_VALUE,
    'MyValue',
    'my_value',
    '12345',
  ),
);

/** Without vowels and without characters that look alike. */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

export function randomSuffix(random: () => number, length = 5): string {
  let text = '';
  for (let i = 0; i < length; i++) text += SAFE[Math.floor(random() * SAFE.length)];
  return text;
}

/** Cuts the base of generateName so that the name has at most 63 characters. */
export const generatedName = (base: string, random: () => number): string => base.slice(0, 58) + randomSuffix(random);

const HEX = '0123456789abcdef';

/** A version 4 UUID from the clock's random numbers. */
export function newUid(random: () => number): string {
  let text = '';
  for (let i = 0; i < 36; i++) {
    if (i === 8 || i === 13 || i === 18 || i === 23) text += '-';
    else if (i === 14) text += '4';
    else if (i === 19) text += HEX[8 + Math.floor(random() * 4)];
    else text += HEX[Math.floor(random() * 16)];
  }
  return text;
}

/** Times in metadata have no fractions of seconds. */
export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
