// Parses JSON like Go's decoder: the same syntax errors, and the positions of duplicate keys.

/** A syntax error in the wording of Go. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

export interface Parsed {
  value: unknown;
  /** Paths of duplicate keys, for example `spec.replicas`. The last value counts. */
  duplicates: string[];
}

const MAX_DEPTH = 10000;

/** `spec` + `replicas` → `spec.replicas`. */
export const join = (path: string, key: string): string => (path ? `${path}.${key}` : key);

export function parseJson(bytes: Uint8Array | string): Parsed {
  const text = typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
  return new Parser(text).document();
}

class Parser {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private readonly duplicates: string[] = [];

  constructor(text: string) {
    this.text = text;
  }

  document(): Parsed {
    const value = this.value('');
    this.space();
    if (this.at < this.text.length) this.fail('after top-level value');
    return { value, duplicates: this.duplicates };
  }

  private fail(context: string): never {
    const code = this.text.codePointAt(this.at);
    if (code === undefined) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quote(String.fromCodePoint(code))} ${context}`);
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  private value(path: string): unknown {
    this.space();
    switch (this.text[this.at]) {
      case '{':
        return this.object(path);
      case '[':
        return this.array(path);
      case '"':
        return this.string();
      case 't':
        return this.literal('true', true);
      case 'f':
        return this.literal('false', false);
      case 'n':
        return this.literal('null', null);
      default:
        return this.number();
    }
  }

  private enter(): void {
    this.at++;
    if (++this.depth > MAX_DEPTH) throw new JsonSyntaxError('exceeded max depth');
  }

  private object(path: string): Record<string, unknown> {
    this.enter();
    const result: Record<string, unknown> = {};
    this.space();
    if (this.text[this.at] === '}') {
      this.leave();
      return result;
    }
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') this.fail('looking for beginning of object key string');
      const key = this.string();
      const place = join(path, key);
      this.space();
      if (this.text[this.at] !== ':') this.fail('after object key');
      this.at++;
      if (Object.hasOwn(result, key) && !this.duplicates.includes(place)) this.duplicates.push(place);
      const value = this.value(place);
      if (key === '__proto__')
        Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
      else result[key] = value;
      this.space();
      const next = this.text[this.at];
      if (next === '}') {
        this.leave();
        return result;
      }
      if (next !== ',') this.fail('after object key:value pair');
      this.at++;
    }
  }

  private leave(): void {
    this.at++;
    this.depth--;
  }

  private array(path: string): unknown[] {
    this.enter();
    const result: unknown[] = [];
    this.space();
    if (this.text[this.at] === ']') {
      this.leave();
      return result;
    }
    for (;;) {
      result.push(this.value(`${path}[${result.length}]`));
      this.space();
      const next = this.text[this.at];
      if (next === ']') {
        this.leave();
        return result;
      }
      if (next !== ',') this.fail('after array element');
      this.at++;
    }
  }

  private string(): string {
    const start = this.at++;
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === 0x22) break;
      if (code === 0x5c) {
        escaped = true;
        this.at++;
        this.escape();
      } else if (Number.isNaN(code) || code < 0x20) this.fail('in string literal');
      else this.at++;
    }
    this.at++;
    const raw = this.text.slice(start, this.at);
    return escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  }

  private escape(): void {
    if (this.text[this.at] !== 'u') {
      if (!/["\\/bfnrt]/.test(this.text[this.at] ?? '')) this.fail('in string escape code');
      this.at++;
      return;
    }
    this.at++;
    for (let i = 0; i < 4; i++, this.at++) {
      if (!/[0-9a-fA-F]/.test(this.text[this.at] ?? '')) this.fail('in \\u hexadecimal character escape');
    }
  }

  private literal<T>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++, this.at++) {
      if (this.text[this.at] !== word[i]) this.fail(`in literal ${word} (expecting ${quote(word[i]!)})`);
    }
    return value;
  }

  private number(): number {
    const start = this.at;
    const negative = this.text[this.at] === '-';
    if (negative) this.at++;
    if (this.text[this.at] === '0') this.at++;
    else if (!this.digits()) this.fail(negative ? 'in numeric literal' : 'looking for beginning of value');
    if (this.text[this.at] === '.') {
      this.at++;
      if (!this.digits()) this.fail('after decimal point in numeric literal');
    }
    if (this.text[this.at] === 'e' || this.text[this.at] === 'E') {
      this.at++;
      if (this.text[this.at] === '+' || this.text[this.at] === '-') this.at++;
      if (!this.digits()) this.fail('in exponent of numeric literal');
    }
    return Number(this.text.slice(start, this.at));
  }

  private digits(): boolean {
    const start = this.at;
    for (let code = this.text.charCodeAt(this.at); code >= 0x30 && code <= 0x39; code = this.text.charCodeAt(this.at))
      this.at++;
    return this.at > start;
  }
}

/** A character in Go's quoted form. */
function quote(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  const named: Record<string, string> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\b': '\\b',
    '\f': '\\f',
    '\v': '\\v',
    '\x07': '\\a',
    '\\': '\\\\',
  };
  const code = character.codePointAt(0)!;
  if (character in named) return `'${named[character]}'`;
  return code < 0x20 || code === 0x7f ? `'\\x${code.toString(16).padStart(2, '0')}'` : `'${character}'`;
}
