// Reads PromQL that users write: what cannot be parsed is refused with its position, and each selector is limited to the namespace of the release.
import { parser } from '@prometheus-io/lezer-promql';
import { PLACEHOLDERS } from '../engine/analysis/query.ts';
import { show } from '../engine/validate/violation.ts';

/** Why a query is refused. `position`: of its first character that is wrong, from 1. */
export class PromqlError extends Error {
  override readonly name = 'PromqlError';
  readonly position: number;

  constructor(position: number, message: string) {
    super(`at character ${position}: ${message}`);
    this.position = position;
  }
}

/** A query is sent with each look. */
const MAX_CHARACTERS = 2_000;

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/**
 * The query with the matcher in every selector, so that it reads no other namespace. A matcher of the user for the same label stays: both must match.
 * Throws PromqlError.
 */
export const withMatcher = (query: string, label: string, value: string): string =>
  withMatchers(query, `${label}=${quoted(value)}`);

/** Pods of a workload have its name as a prefix. A long name is cut at 58 characters, before the 5 random ones. */
const LONGEST_PREFIX = 57;

/** The query with a matcher for the names of a workload's Pods in every selector, so that the answer has no more than them. */
export const withPods = (query: string, label: string, workload: string): string => {
  const prefix = `${workload}-`.slice(0, LONGEST_PREFIX).replaceAll('.', '[.]');
  return withMatchers(query, `${label}=~${quoted(`${prefix}.+`)}`);
};

function withMatchers(query: string, matcher: string): string {
  const insertions = selectorsOf(query).map(({ end, matchersAt }): Insertion =>
    matchersAt === undefined ? { at: end, text: `{${matcher}}` } : { at: matchersAt + 1, text: `${matcher},` },
  );
  return insertions
    .sort((one, other) => other.at - one.at)
    .reduce((text, { at, text: added }) => text.slice(0, at) + added + text.slice(at), query);
}

/** Checks that the text is one selector of counters, such as `http_requests_total{code=~"5.."}`. Throws PromqlError. */
export function checkSelector(text: string): void {
  const [selector, another] = selectorsOf(text);
  const isWhole = selector?.start === startOf(text) && selector.end === text.trimEnd().length;
  if (!isWhole || another) throw new PromqlError(1, 'must be one selector, without functions and ranges');
  for (const { at, written } of placeholdersIn(text))
    throw new PromqlError(
      at + 1,
      `${shown(written)} is not replaced in a selector, which is limited to the Pods of the workload anyway`,
    );
}

/** Checks that the text is one selector of a histogram, to whose name `_bucket` and `_count` are added. Throws PromqlError. */
export function checkHistogram(text: string): void {
  checkSelector(text);
  const name = /^[A-Za-z_:][\w:]*/.exec(text.trimStart())?.[0];
  if (name === undefined) throw new PromqlError(1, 'must start with the name of the histogram');
  const suffix = /_(bucket|count|sum)$/.exec(name)?.[0];
  if (suffix !== undefined) throw new PromqlError(1, `must be the name of the histogram, without ${suffix}`);
}

/** Expressions without a single value. */
const NO_NUMBER = new Set(['MatrixSelector', 'SubqueryExpr', 'StringLiteral']);

/** Checks that the text is an expression whose placeholders are known and in quotes. Throws PromqlError. */
export function checkExpression(text: string): void {
  checkLength(text);
  const quotes: { readonly from: number; readonly to: number }[] = [];
  const tree = parser.parse(text);
  tree.iterate({
    enter({ name, from, to }) {
      if (name === 'StringLiteral') quotes.push({ from, to });
    },
  });
  for (const { name, written, at } of placeholdersIn(text)) {
    if (!PLACEHOLDERS.includes(name)) {
      const known = PLACEHOLDERS.map((one) => `{{${one}}}`).join(', ');
      throw new PromqlError(at + 1, `unknown placeholder ${shown(written)}; known are ${known}`);
    }
    if (!quotes.some(({ from, to }) => from < at && at + written.length < to))
      throw new PromqlError(at + 1, `${written} must be in quotes`);
  }
  selectorsOf(text);
  const kind = tree.topNode.firstChild?.name;
  if (kind !== undefined && NO_NUMBER.has(kind)) throw new PromqlError(1, 'must have one value, not a range or a text');
}

/** The sum of a selector for each Pod. The selector must be checked. */
export const sumByPod = (selector: string, podLabel = 'pod'): string => `sum by (${podLabel}) (${selector.trim()})`;

/** All that looks like a placeholder, with its position from 0. Spaces around the name are allowed. */
const placeholdersIn = (text: string): { readonly name: string; readonly written: string; readonly at: number }[] =>
  [...text.matchAll(/\{\{([^{}]*)\}\}/g)].map(({ 0: written, 1: inner = '', index }) => ({
    name: /[^ \w]/.test(inner) ? inner : inner.trim(),
    written,
    at: index,
  }));

const shown = (text: string): string => show(text.slice(0, 40));
const startOf = (text: string): number => text.length - text.trimStart().length;
const quoted = (value: string): string => JSON.stringify(value);

interface Selector {
  readonly start: number;
  readonly end: number;
  /** Position of the opening brace. Undefined without braces. */
  readonly matchersAt: number | undefined;
}

function checkLength(query: string): void {
  if (query.length > MAX_CHARACTERS)
    throw new PromqlError(MAX_CHARACTERS + 1, `must have at most ${MAX_CHARACTERS} characters`);
}

function selectorsOf(query: string): Selector[] {
  checkLength(query);
  const found: Selector[] = [];
  const tree = parser.parse(query);
  tree.iterate({
    enter(node) {
      const { name, from, to } = node;
      if (node.type.isError) throw new PromqlError(from + 1, unexpected(query, from));
      // `info()` reads series that no selector in the query names.
      if (name === 'Info') throw new PromqlError(from + 1, 'the function info() is not supported');
      // A comment could hide from the parser of a compatible server what this parser reads.
      if (name === 'LineComment') throw new PromqlError(from + 1, 'comments are not supported');
      if (name === 'StringLiteral' && !isPlainString(query.slice(from, to)))
        throw new PromqlError(from + 1, 'a text must end on its line, and not with a backslash');
      if (name !== 'VectorSelector') return;
      const matchers = node.node.getChild('LabelMatchers');
      found.push({ start: from, end: to, matchersAt: matchers?.from });
    },
  });
  if (query.trim() === '') throw new PromqlError(1, 'the query is empty');
  return found;
}

/**
 * Where all servers see the same end: this parser accepts a text without its last quote, and for VictoriaMetrics a backslash hides the last quote
 * of a text in backquotes, too.
 */
const isPlainString = (text: string): boolean =>
  text.length > 1 && text.at(-1) === text[0] && !text.includes('\n') && !(text[0] === '`' && text.at(-2) === '\\');

const unexpected = (query: string, at: number): string =>
  at >= query.trimEnd().length ? 'the query ends too early' : `${show(query.slice(at, at + 20))} is not expected here`;
