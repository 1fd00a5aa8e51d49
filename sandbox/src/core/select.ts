// Label and field selectors, with the error texts of the parser.
import { badRequest } from './errors.ts';
import { checkLabelKey, checkLabelValue } from './names.ts';
import type { KubeObject } from './types.ts';

export type Operator = 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface Requirement {
  key: string;
  operator: Operator;
  values: string[];
}

export type LabelSelector = readonly Requirement[];

type Kind = 'identifier' | 'end' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '>' | '<' | 'in' | 'notin' | 'error';

interface Token {
  kind: Kind;
  text: string;
}

const SYMBOLS = new Set(['(', ')', ',', '!', '=', '==', '!=', '>', '<']);
const SPECIAL = /[=!(),><]/;
const BINARY = 'in, notin, =, ==, !=, gt, lt';

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const first = text[at]!;
    if (/\s/.test(first)) {
      at++;
      continue;
    }
    if (SPECIAL.test(first)) {
      const two = text.slice(at, at + 2);
      const symbol = SYMBOLS.has(two) ? two : first;
      tokens.push({ kind: symbol as Kind, text: symbol });
      at += symbol.length;
      continue;
    }
    let end = at;
    while (end < text.length && !SPECIAL.test(text[end]!) && !/\s/.test(text[end]!)) end++;
    const word = text.slice(at, end);
    tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    at = end;
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

/** Internal. Callers receive a 400. */
class SelectorError extends Error {}

class Parser {
  private readonly tokens: Token[];
  private at = 0;

  constructor(text: string) {
    this.tokens = tokenize(text);
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    for (;;) {
      const { kind, text } = this.peek();
      if (kind === 'end') return requirements;
      if (kind !== 'identifier' && kind !== '!') {
        throw new SelectorError(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      try {
        requirements.push(this.requirement());
      } catch (error) {
        throw new SelectorError(`unable to parse requirement: ${(error as Error).message}`);
      }
      const next = this.take();
      if (next.kind === 'end') return requirements;
      if (next.kind !== ',') throw new SelectorError(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.peek();
      if (after.kind !== 'identifier' && after.kind !== '!') {
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  private requirement(): Requirement {
    let token = this.take();
    const absent = token.kind === '!';
    if (absent) token = this.take();
    if (token.kind !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const wrong = checkLabelKey(key)[0];
    if (wrong) throw new SelectorError(`key: Invalid value: ${JSON.stringify(key)}: ${wrong}`);
    const next = this.peek().kind;
    if (absent) return { key, operator: '!', values: [] };
    if (next === 'end' || next === ',') return { key, operator: 'exists', values: [] };
    const operator = this.operator();
    const values = operator === 'in()' || operator === 'notin()' ? this.valueList() : [this.value()];
    values.forEach((value, i) => {
      const bad = checkLabelValue(value)[0];
      if (bad) throw new SelectorError(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${bad}`);
    });
    if ((operator === 'gt' || operator === 'lt') && !/^[-+]?\d+$/.test(values[0]!)) {
      throw new SelectorError(
        `values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
    return { key, operator: operator.replace('()', '') as Operator, values };
  }

  private operator(): 'in()' | 'notin()' | 'in' | 'notin' | 'gt' | 'lt' {
    const { kind, text } = this.take(false);
    switch (kind) {
      case 'in':
        return 'in()';
      case 'notin':
        return 'notin()';
      case '=':
      case '==':
        return 'in';
      case '!=':
        return 'notin';
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        throw new SelectorError(`found '${text}', expected: ${BINARY}`);
    }
  }

  private value(): string {
    const { kind } = this.peek();
    if (kind === 'end' || kind === ',') return '';
    const token = this.take();
    if (token.kind !== 'identifier') throw new SelectorError(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  private valueList(): string[] {
    const open = this.take();
    if (open.kind !== '(') throw new SelectorError(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    const first = this.peek();
    if (first.kind === ')') values.add('');
    else if (first.kind !== 'identifier' && first.kind !== ',') {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    let wanted = true;
    for (;;) {
      const token = this.peek();
      if (token.kind === ')') {
        if (wanted) values.add('');
        break;
      }
      if (token.kind === ',') {
        if (wanted) values.add('');
        wanted = true;
      } else if (token.kind === 'identifier' && wanted) {
        values.add(token.text);
        wanted = false;
      } else {
        throw new SelectorError(
          wanted
            ? `found '${token.text}', expected: ',', or identifier`
            : `found '${token.text}', expected: ',' or ')'`,
        );
      }
      this.take();
    }
    this.take();
    return [...values].sort();
  }

  /** In the place of a name or value, `in` and `notin` are normal words. */
  private peek(words = true): Token {
    const token = this.tokens[this.at]!;
    return words && (token.kind === 'in' || token.kind === 'notin') ? { ...token, kind: 'identifier' } : token;
  }

  private take(words = true): Token {
    const token = this.peek(words);
    if (this.at < this.tokens.length - 1) this.at++;
    return token;
  }
}

const parsed = new Map<string, LabelSelector>();

/** Throws a 400 for an invalid selector. */
export function parseLabelSelector(text: string): LabelSelector {
  let selector = parsed.get(text);
  if (!selector) {
    try {
      selector = new Parser(text).parse();
    } catch (error) {
      if (error instanceof SelectorError) throw badRequest(error.message);
      throw error;
    }
    if (parsed.size > 1000) parsed.clear();
    parsed.set(text, selector);
  }
  return selector;
}

/** Converts a metav1.LabelSelector (matchLabels, matchExpressions) to the same form. */
export function labelSelectorOf(selector: {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}): LabelSelector {
  const operators: Record<string, Operator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]): Requirement => ({
      key,
      operator: 'in',
      values: [value],
    })),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values }): Requirement => ({
      key,
      operator: operators[operator]!,
      values: values ?? [],
    })),
  ];
}

export function matchesLabels(selector: LabelSelector, labels: Record<string, string> | undefined): boolean {
  for (const { key, operator, values } of selector) {
    const value = labels?.[key];
    if (!holds(operator, value, values)) return false;
  }
  return true;
}

function holds(operator: Operator, value: string | undefined, values: string[]): boolean {
  switch (operator) {
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return value !== undefined && /^[-+]?\d+$/.test(value) && BigInt(value) > BigInt(values[0]!);
    case 'lt':
      return value !== undefined && /^[-+]?\d+$/.test(value) && BigInt(value) < BigInt(values[0]!);
  }
}

/** The selector in the format of Scale.status.selector: sorted by key. */
export function formatLabelSelector(selector: LabelSelector): string {
  return [...selector]
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ key, operator, values }) => {
      const list = [...values].sort();
      if (operator === 'exists') return key;
      if (operator === '!') return `!${key}`;
      if (operator === 'gt') return `${key}>${list[0]}`;
      if (operator === 'lt') return `${key}<${list[0]}`;
      if (operator === 'in' && list.length === 1) return `${key}=${list[0]}`;
      return `${key} ${operator} (${list.join(',')})`;
    })
    .join(',');
}

export interface FieldTerm {
  path: string;
  value: string;
  negate: boolean;
}

/** Splits at unescaped commas. */
const splitTerms = (text: string): string[] => text.match(/(?:\\.|[^,\\])+/g) ?? [];
const unescape = (text: string): string => text.replace(/\\([\\,=])/g, '$1');

/** `metadata.name=a,status.phase!=Running`. Throws a 400 for an invalid term or an unsupported field. */
export function parseFieldSelector(text: string, known: readonly string[], ownConversion: boolean): FieldTerm[] {
  return splitTerms(text).map((term) => {
    const match = /^((?:\\.|[^=!\\])*)(!=|==|=)(.*)$/s.exec(term);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const path = match[1]!;
    if (!known.includes(path)) {
      throw badRequest(
        ownConversion
          ? `field label not supported: ${path}`
          : `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
    return { path, value: unescape(match[3]!), negate: match[2] === '!=' };
  });
}

/** Absent means false. */
const FLAGS = new Set(['spec.hostNetwork', 'spec.unschedulable']);

export function fieldValue(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const key of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[key];
  if (value === undefined || value === null) return FLAGS.has(path) ? 'false' : '';
  return String(value);
}

export const matchesFields = (terms: readonly FieldTerm[], object: KubeObject): boolean =>
  terms.every(({ path, value, negate }) => (fieldValue(object, path) === value) !== negate);
