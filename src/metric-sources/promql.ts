// Reads PromQL that users write: what cannot be parsed is refused with its position, and each selector is limited to the namespace of the release.
import { parser } from '@prometheus-io/lezer-promql';

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
export function withMatcher(query: string, label: string, value: string): string {
  const matcher = `${label}=${quoted(value)}`;
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
  if (!isWhole || another)
    throw new PromqlError(
      1,
      'write one selector, for example http_requests_total{code=~"5.."}, without functions and ranges',
    );
}

/** The sum of a selector for each Pod. The selector must be checked. */
export const sumByPod = (selector: string): string => `sum by (pod) (${selector.trim()})`;

const startOf = (text: string): number => text.length - text.trimStart().length;
const quoted = (value: string): string => JSON.stringify(value);

interface Selector {
  readonly start: number;
  readonly end: number;
  /** Position of the opening brace. Undefined without braces. */
  readonly matchersAt: number | undefined;
}

function selectorsOf(query: string): Selector[] {
  if (query.length > MAX_CHARACTERS)
    throw new PromqlError(MAX_CHARACTERS + 1, `must have at most ${MAX_CHARACTERS} characters`);
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
      if (name !== 'VectorSelector') return;
      const matchers = node.node.getChild('LabelMatchers');
      found.push({ start: from, end: to, matchersAt: matchers?.from });
    },
  });
  if (query.trim() === '') throw new PromqlError(1, 'the query is empty');
  return found;
}

const unexpected = (query: string, at: number): string =>
  at >= query.trimEnd().length
    ? 'the query ends too early'
    : `${JSON.stringify(query.slice(at, at + 20))} is not expected here`;
