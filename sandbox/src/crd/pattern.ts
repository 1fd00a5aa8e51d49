// Regular expressions of schemas: written for Go's RE2, executed by JavaScript.

const compiled = new Map<string, RegExp>();

/** Throws SyntaxError for an invalid expression. */
export function goPattern(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = (flags ? pattern.slice(flags[0].length) : pattern)
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\(\?P</g, '(?<')
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posix[name] ?? whole);
  let result: RegExp;
  try {
    result = new RegExp(source, `u${flags?.[1] ?? ''}`);
  } catch {
    // RE2 allows escapes such as \- outside of a class, JavaScript's unicode mode does not.
    result = new RegExp(source, flags?.[1] ?? '');
  }
  compiled.set(pattern, result);
  return result;
}

const posix: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\s',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};
