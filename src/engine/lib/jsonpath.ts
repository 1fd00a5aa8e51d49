// The common part of Kubernetes' JSONPath: fields, indexes, [*], ..name, filters with one comparison, and {range}…{end}.
import { isObject } from '../../api/json.ts';

type Json = unknown;
type Node = { text: string } | { path: Step[] } | { range: Step[]; body: Node[] };
type Step =
  | { field: string }
  | { index: number }
  | { slice: [number | undefined, number | undefined] }
  | { every: true }
  | { deep: string }
  | { filter: { path: Step[]; op?: string; value?: Json } };

/** A template that cannot be read. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

/** The text that the template makes of a document. Throws JsonPathError. */
export function renderJsonPath(template: string, root: Json): string {
  return render(parsed(template), root, root);
}

/**
 * Reads a template that is one path, for values instead of text. `..` is not accepted: with several of them, the number of results is exponential.
 * Throws JsonPathError.
 */
export function compileJsonPath(template: string): (root: Json) => readonly Json[] {
  const [node, ...more] = parsed(template);
  if (node === undefined || !('path' in node) || more.length > 0)
    throw new JsonPathError('it must be one path, such as {.data.score}');
  const { path } = node;
  if (hasDeep(path)) throw new JsonPathError('".." is not accepted here');
  return (root) => walk(path, root);
}

const hasDeep = (path: readonly Step[]): boolean =>
  path.some((step) => 'deep' in step || ('filter' in step && hasDeep(step.filter.path)));

function parsed(template: string): Node[] {
  const source = template.includes('{') ? template : `{${template.startsWith('.') ? '' : '.'}${template}}`;
  return parse(tokenize(source), false);
}

function tokenize(source: string): { text?: string; code?: string }[] {
  const tokens: { text?: string; code?: string }[] = [];
  let at = 0;
  while (at < source.length) {
    const open = source.indexOf('{', at);
    if (open < 0) {
      tokens.push({ text: source.slice(at) });
      break;
    }
    if (open > at) tokens.push({ text: source.slice(at, open) });
    const close = closing(source, open);
    tokens.push({ code: source.slice(open + 1, close).trim() });
    at = close + 1;
  }
  return tokens;
}

/** The index of the closing brace. Ignores braces in quotes. */
function closing(source: string, open: number): number {
  let quote = '';
  for (let i = open + 1; i < source.length; i++) {
    const char = source.charAt(i);
    if (quote) {
      if (char === '\\') i++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '}') return i;
  }
  throw new JsonPathError('"{" is not closed');
}

function parse(tokens: { text?: string; code?: string }[], inRange: boolean): Node[] {
  const nodes: Node[] = [];
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    const { text, code = '' } = token;
    if (text !== undefined) nodes.push({ text });
    else if (/^".*"$|^'.*'$/s.test(code)) nodes.push({ text: unquote(code) });
    else if (code === 'end') {
      if (!inRange) throw new JsonPathError('{end} without {range}');
      return nodes;
    } else if (/^range\s/.test(code)) {
      nodes.push({ range: steps(code.slice(5).trim()), body: parse(tokens, true) });
    } else nodes.push({ path: steps(code) });
  }
  if (inRange) throw new JsonPathError('{range} without {end}');
  return nodes;
}

const STEP =
  /^(?:\.\.([\w-]+)|\.\*|\.((?:[\w-]|\\\.)+)|\[\*\]|\[(-?\d+)\]|\[(-?\d*):(-?\d*)\]|\[(["'])(.*?)\6\]|\[\?\((.*?)\)\])/s;

function steps(code: string): Step[] {
  let rest = code.replace(/^[$@](?=[.[]|$)/, '');
  if (/^[\w-]/.test(rest)) rest = `.${rest}`;
  if (rest === '.') rest = '';
  const found: Step[] = [];
  while (rest !== '') {
    const match = STEP.exec(rest);
    if (!match) throw new JsonPathError(`invalid "${rest}"`);
    const [all, deep, field, index, from, to, , quoted, filter] = match;
    if (deep !== undefined) found.push({ deep });
    else if (field !== undefined) found.push({ field: field.replaceAll('\\.', '.') });
    else if (index !== undefined) found.push({ index: Number(index) });
    else if (from !== undefined || to !== undefined) found.push({ slice: [bound(from), bound(to)] });
    else if (quoted !== undefined) found.push({ field: quoted });
    else if (filter !== undefined) found.push({ filter: filterOf(filter) });
    else found.push({ every: true });
    rest = rest.slice(all.length);
  }
  return found;
}

const bound = (text: string | undefined): number | undefined => (text ? Number(text) : undefined);

function filterOf(text: string): { path: Step[]; op?: string; value?: Json } {
  const match = /^\s*(@[^\s=!<>]*)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?$/s.exec(text);
  if (!match) throw new JsonPathError(`invalid filter "${text}"`);
  const [, path = '@', op, value = ''] = match;
  if (op === undefined) return { path: steps(path) };
  return { path: steps(path), op, value: literal(value) };
}

function literal(text: string): Json {
  if (/^(["']).*\1$/s.test(text)) return unquote(text);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new JsonPathError(`"${text}" in a filter must be a number or in quotes`);
  }
}

function render(nodes: readonly Node[], root: Json, current: Json): string {
  return nodes
    .map((node) => {
      if ('text' in node) return node.text;
      if ('range' in node)
        return walk(node.range, current)
          .map((item) => render(node.body, root, item))
          .join('');
      return walk(node.path, current).map(show).join(' ');
    })
    .join('');
}

function walk(path: readonly Step[], from: Json): Json[] {
  let found: Json[] = [from];
  for (const step of path) found = found.flatMap((value) => take(step, value));
  return found;
}

function take(step: Step, value: Json): Json[] {
  if ('field' in step) return isObject(value) && Object.hasOwn(value, step.field) ? [value[step.field]] : [];
  if ('every' in step) return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if ('deep' in step) return everywhere(step.deep, value);
  if (!Array.isArray(value)) return [];
  if ('index' in step) {
    const item: Json = value.at(step.index);
    return item === undefined ? [] : [item];
  }
  if ('slice' in step) return value.slice(step.slice[0], step.slice[1]);
  return value.filter((item) => matches(step.filter, item));
}

function everywhere(name: string, value: Json): Json[] {
  if (!isObject(value) && !Array.isArray(value)) return [];
  const own = isObject(value) && Object.hasOwn(value, name) ? [value[name]] : [];
  return [...own, ...Object.values(value).flatMap((child: Json) => everywhere(name, child))];
}

function matches({ path, op, value }: { path: Step[]; op?: string; value?: Json }, item: Json): boolean {
  const [found] = walk(path, item);
  if (op === undefined) return found !== undefined;
  if (op === '==') return found === value;
  if (op === '!=') return found !== value;
  if (typeof found !== typeof value || (typeof found !== 'number' && typeof found !== 'string')) return false;
  const other = value as typeof found;
  return op === '<' ? found < other : op === '>' ? found > other : op === '<=' ? found <= other : found >= other;
}
const show = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));
const unquote = (text: string): string =>
  text.slice(1, -1).replace(/\\(.)/gs, (_, char: string) => ({ n: '\n', t: '\t', r: '\r' })[char] ?? char);
