// Identifies a review from its first bytes, for reviews that cannot be read completely.

/** The fields found in the first bytes. An API server writes them before the objects. */
export interface About {
  readonly uid: string;
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly operation: string;
}

export type ReviewKind = 'AdmissionReview' | 'ConversionReview';

export interface Head {
  readonly review: ReviewKind;
  readonly about: About;
}

/** More than an API server writes before the user's groups. */
export const HEAD_BYTES = 64 * 1024;
const MAX_UID_LENGTH = 64;

const VERSIONS: Readonly<Record<ReviewKind, string>> = {
  AdmissionReview: 'admission.k8s.io/v1',
  ConversionReview: 'apiextensions.k8s.io/v1',
};

type Scalars = Record<string, string>;

/** Undefined if the bytes are not the start of a review, or end before its uid. */
export function readHead(bytes: Uint8Array): Head | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, HEAD_BYTES)).toString('utf8');
  const found: Scalars = {};
  new Scanner(text).object((key, scanner) => {
    if (key !== 'request') return scanner.keep(found, key);
    return scanner.object((inner, one) => {
      if (inner !== 'kind') return one.keep(found, `request.${inner}`);
      return one.object((part, last) => last.keep(found, `request.kind.${part}`));
    });
  });
  const of = (key: string): string => found[`request.${key}`] ?? '';
  const { kind: review, apiVersion } = found;
  if (review !== 'AdmissionReview' && review !== 'ConversionReview') return undefined;
  if (apiVersion !== VERSIONS[review]) return undefined;
  const uid = of('uid');
  if (uid === '' || uid.length > MAX_UID_LENGTH) return undefined;
  const about = {
    uid,
    group: of('kind.group'),
    kind: of('kind.kind'),
    namespace: of('namespace'),
    name: of('name'),
    operation: of('operation'),
  };
  return { review, about };
}

/** Scans the start of a JSON text, until it ends or is invalid. Each method returns whether to continue. */
class Scanner {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Calls `visit` at the value of each key. It must skip the value. */
  object(visit: (key: string, scanner: Scanner) => boolean): boolean {
    if (!this.take('{')) return this.skip();
    if (this.take('}')) return true;
    do {
      const key = this.string();
      if (key === undefined || !this.take(':') || !visit(key, this)) return false;
    } while (this.take(','));
    return this.take('}');
  }

  /** Skips the value, and keeps it if it is a string. The first of duplicate keys counts. */
  keep(found: Scalars, name: string): boolean {
    this.space();
    if (this.text[this.at] !== '"') return this.skip();
    const value = this.string();
    if (value === undefined) return false;
    if (!Object.hasOwn(found, name)) found[name] = value;
    return true;
  }

  private skip(): boolean {
    let depth = 0;
    do {
      this.space();
      const char = this.text[this.at];
      if (char === undefined) return false;
      if (char === '"') {
        if (this.string() === undefined) return false;
      } else {
        if (char === '{' || char === '[') depth++;
        else if (char === '}' || char === ']') depth--;
        if (depth < 0) return false;
        this.at++;
        // Numbers and words.
        if (depth === 0 && !'}]'.includes(char)) while (/[-+.\w]/.test(this.text[this.at] ?? '')) this.at++;
      }
    } while (depth > 0);
    return true;
  }

  private string(): string | undefined {
    this.space();
    if (this.text[this.at] !== '"') return undefined;
    for (let end = this.at + 1; end < this.text.length; end++) {
      if (this.text[end] === '\\') end++;
      else if (this.text[end] === '"') {
        const raw = this.text.slice(this.at, end + 1);
        this.at = end + 1;
        return decoded(raw);
      }
    }
    return undefined;
  }

  private take(char: string): boolean {
    this.space();
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private space(): void {
    while (' \n\r\t'.includes(this.text[this.at] ?? '-')) this.at++;
  }
}

function decoded(raw: string): string | undefined {
  try {
    return JSON.parse(raw) as string;
  } catch {
    return undefined;
  }
}
