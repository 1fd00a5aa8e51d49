// Rewrites syntax of Kubernetes' CEL that the library cannot parse into function calls: message literals (`Object.spec{paused: true}`),
// optional entries (`{?"a": x}`, `[?x]`), functions with different behavior, and the iteration count of loops.
import { CelCompileError, internalName, pointAt } from './errors.ts';

export interface Rewritten {
  text: string;
  /** Maps positions of the rewritten text to the original expression. */
  origin(position: number): number;
}

interface Token {
  text: string;
  kind: 'name' | 'literal' | 'punctuation' | 'space';
  at: number;
}

interface Piece {
  text: string;
  /** Position in the expression; -1 for inserted text. */
  at: number;
}

/** One element between commas. */
interface Item {
  pieces: Piece[];
  /** The element begins with `?`. */
  optional: boolean;
  /** Index of the token after the colon of `key: value`; -1 without one. */
  valueFrom: number;
}

const TOKEN =
  /(?<space>\s+|\/\/[^\n]*)|(?<literal>[rRbB]{0,2}(?:"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\[^\n]|[^"\\\n])*"|'(?:\\[^\n]|[^'\\\n])*')|0[xX][0-9a-fA-F]+[uU]?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?[uU]?)|(?<name>[A-Za-z_]\w*)|(?<punctuation>&&|\|\||[=!<>]=|[^])/y;

/** Loop macros. Their last argument is evaluated once per iteration. */
const LOOPS = new Set(
  'all exists exists_one existsOne map filter transformList transformMap transformMapEntry'.split(' '),
);
const REPLACED_METHODS = new Set(['matches']);
const REPLACED_FUNCTIONS = new Set(['has', 'matches']);

export const rewrite = (expression: string): Rewritten => {
  const rewriter = new Rewriter(expression);
  const pieces = rewriter.run();
  let text = '';
  const marks: { from: number; at: number }[] = [];
  for (const piece of pieces) {
    if (piece.at >= 0) marks.push({ from: text.length, at: piece.at });
    text += piece.text;
  }
  return {
    text,
    origin(position) {
      const mark = marks.findLast((candidate) => candidate.from <= position);
      return Math.min(mark ? mark.at + position - mark.from : 0, expression.length);
    },
  };
};

class Rewriter {
  private readonly expression: string;
  private readonly tokens: Token[];
  private next = 0;
  private nesting = 0;

  constructor(expression: string) {
    this.expression = expression;
    this.tokens = tokenize(expression);
  }

  run(): Piece[] {
    const items = this.items(undefined);
    return join(items.map((item) => item.pieces));
  }

  /** Reads up to the closing bracket and splits at commas. */
  private items(close: string | undefined): Item[] {
    const start = this.tokens[this.next - 1]?.at ?? 0;
    const items: Item[] = [];
    let item: Item = { pieces: [], optional: false, valueFrom: -1 };
    let ternaries = 0;
    let previous: Token | undefined;
    for (;;) {
      const token = this.tokens[this.next++];
      if (!token) {
        if (close === undefined) break;
        this.fail(`Syntax error: missing '${close}'`, start);
      }
      if (token.text === close) break;
      if (token.kind === 'space') {
        item.pieces.push({ text: token.text, at: token.at });
        continue;
      }
      if (token.text === ',') {
        items.push(item);
        item = { pieces: [], optional: false, valueFrom: -1 };
        ternaries = 0;
      } else if (token.text === '?' && previous === undefined) {
        item.optional = true;
        continue;
      } else {
        if (token.text === '?' && previous!.text !== '.') ternaries++;
        if (token.text === ':' && ternaries-- <= 0) {
          ternaries = 0;
          item.pieces.push({ text: token.text, at: token.at });
          item.valueFrom = item.pieces.length;
        } else this.token(token, previous, item.pieces);
      }
      // The bracket has been read completely.
      previous = token.text === ',' ? undefined : '([{'.includes(token.text) ? { ...token, text: ')' } : token;
    }
    if (items.length > 0 || item.pieces.some((piece) => piece.text.trim() !== '')) items.push(item);
    else if (item.pieces.length > 0) items.push(item);
    return items;
  }

  private token(token: Token, previous: Token | undefined, out: Piece[]): void {
    if (++this.nesting > 5000) this.fail('Syntax error: expression is too long', token.at);
    switch (token.text) {
      case '(':
        return this.call(token, previous, out);
      case '[':
        return isOperand(previous) ? this.index(token, out) : this.list(token, out);
      case '{':
        return previous?.kind === 'name' && previous.text !== 'in' ? this.message(token, out) : this.map(token, out);
      case ')':
      case ']':
      case '}':
        return this.fail(`Syntax error: extraneous input '${token.text}'`, token.at);
      default:
        out.push({ text: token.text, at: token.at });
    }
  }

  private call(token: Token, previous: Token | undefined, out: Piece[]): void {
    const name = previous?.kind === 'name' ? previous.text : '';
    const nameAt = out.findLastIndex((piece) => piece.text.trim() !== '');
    const method = out.findLast((piece, i) => piece.text.trim() !== '' && i < nameAt)?.text === '.';
    const items = this.items(')');
    const pieces = items.map((item) => item.pieces);
    if (method && LOOPS.has(name) && pieces.length > 1) {
      const last = pieces.at(-1)!;
      last.unshift({ text: `${internalName('round')}(`, at: -1 });
      last.push({ text: ')', at: -1 });
    }
    if (name !== '' && (method ? REPLACED_METHODS : REPLACED_FUNCTIONS).has(name)) {
      out[nameAt] = { text: internalName(name), at: previous!.at };
    }
    out.push({ text: '(', at: token.at }, ...join(pieces), { text: ')', at: -1 });
  }

  private index(token: Token, out: Piece[]): void {
    const [item, ...more] = this.items(']');
    if (!item || more.length > 0) this.fail('Syntax error: an index is one expression', token.at);
    out.push({ text: item.optional ? '[?' : '[', at: token.at }, ...item.pieces, { text: ']', at: -1 });
  }

  private list(token: Token, out: Piece[]): void {
    const items = this.items(']');
    if (!items.some((item) => item.optional)) {
      out.push({ text: '[', at: token.at }, ...join(items.map((item) => item.pieces)), { text: ']', at: -1 });
      return;
    }
    const parts = items.map((item) => [
      { text: `${internalName(item.optional ? 'optionalItem' : 'item')}(`, at: -1 },
      ...item.pieces,
      { text: ')', at: -1 },
    ]);
    out.push({ text: `${internalName('list')}([`, at: token.at }, ...join(parts), { text: '])', at: -1 });
  }

  private map(token: Token, out: Piece[]): void {
    const items = this.items('}');
    if (!items.some((item) => item.optional)) {
      out.push({ text: '{', at: token.at }, ...join(items.map((item) => item.pieces)), { text: '}', at: -1 });
      return;
    }
    out.push({ text: `${internalName('map')}([`, at: token.at }, ...join(this.pairs(items, false)), {
      text: '])',
      at: -1,
    });
  }

  /** `Name.name{field: value}`. The name has already been written. */
  private message(token: Token, out: Piece[]): void {
    let from = out.length;
    while (from > 0 && /^(\w+|\.)$/.test(out[from - 1]!.text)) from--;
    const name = out.splice(from);
    const at = name[0]?.at ?? token.at;
    const type = name.map((piece) => piece.text).join('');
    const make = /^Object(\.|$)/.test(type) ? 'object' : type === 'JSONPatch' ? 'jsonPatch' : undefined;
    if (!make) this.fail(`undeclared reference to '${type}' (in container '')`, at);
    const items = this.items('}');
    out.push({ text: `${internalName(make)}("${type}", [`, at }, ...join(this.pairs(items, true)), {
      text: '])',
      at: -1,
    });
  }

  private pairs(items: Item[], fields: boolean): Piece[][] {
    return items
      .filter((item) => item.pieces.some((piece) => piece.text.trim() !== ''))
      .map((item) => {
        if (item.valueFrom < 0)
          this.fail("Syntax error: missing ':'", item.pieces.find((piece) => piece.at >= 0)?.at ?? 0);
        const key = item.pieces.slice(0, item.valueFrom - 1);
        const value = item.pieces.slice(item.valueFrom);
        const quote = { text: fields ? '"' : '', at: -1 };
        const trimmed = fields ? key.filter((piece) => piece.text.trim() !== '') : key;
        return [
          { text: `${internalName(item.optional ? 'optionalPair' : 'pair')}(`, at: -1 },
          quote,
          ...trimmed,
          quote,
          { text: ',', at: -1 },
          ...value,
          { text: ')', at: -1 },
        ];
      });
  }

  private fail(message: string, at: number): never {
    throw new CelCompileError(pointAt(message, this.expression, at));
  }
}

const tokenize = (expression: string): Token[] => {
  const tokens: Token[] = [];
  for (const match of expression.matchAll(new RegExp(TOKEN, 'gy'))) {
    const [kind, text] = Object.entries(match.groups!).find(([, value]) => value !== undefined)!;
    // Expressions cannot use the names that rewriting inserts.
    if (kind === 'name' && text.startsWith(internalName(''))) {
      throw new CelCompileError(
        pointAt(`undeclared reference to '${text}' (in container '')`, expression, match.index),
      );
    }
    tokens.push({ kind: kind as Token['kind'], text, at: match.index });
  }
  return tokens;
};

/** Whether a `[` after this token is an index. */
const isOperand = (token: Token | undefined): boolean => {
  if (!token) return false;
  if (token.kind === 'name') return token.text !== 'in';
  return token.kind === 'literal' || [')', ']', '}'].includes(token.text);
};

const join = (parts: Piece[][]): Piece[] =>
  parts.flatMap((part, i) => (i === 0 ? part : [{ text: ',', at: -1 }, ...part]));
