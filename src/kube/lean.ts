// Parses objects as the API server sends them without reading who owns their fields, nor a template that is known: half to three quarters of the work.
import { randomUUID } from 'node:crypto';
import { lend, textIn } from './packed.ts';

const FIELD = '"managedFields":[';
/** What comes after the metadata. In a string these quotes would be escaped. */
const SPEC = '"spec":{';
const TEMPLATE = '"template":';
/** The second object of an AdmissionReview. */
const OLD_OBJECT = '"oldObject":{';
/** What of the envelope comes before the objects. */
const NAMES = /"name":"([^"\\]+)","namespace":"([^"\\]+)","operation":"UPDATE"/;
const HEAD_LENGTH = 1_500;
/** What stands for a known template while the rest is parsed: nobody can have written it. */
const KNOWN = randomUUID();

/**
 * The JSON with an empty list for `metadata.managedFields`, also as an item or in an event of a watch; as it is where the end of that list is
 * not easily told. Throws SyntaxError.
 */
export function parseLean(bytes: Buffer): unknown {
  const json = bytes.toString('utf8');
  return parse(json, [cut(json, 0)]);
}

interface Spec {
  readonly template: object;
}

/**
 * An AdmissionReview, likewise of both of its objects. `specOf` finds the spec that a cache has for the object to be updated: a
 * `spec.template` in the same words is that of the cache, and not read again (`isLent`). `check` gets all that was read, before anything is
 * lent to it. Throws SyntaxError, and what `check` throws.
 */
export function parseLeanReview(
  json: string,
  specOf: (namespace: string, name: string) => Spec | undefined = () => undefined,
  check: (review: unknown) => void = () => undefined,
): unknown {
  const old = json.indexOf(OLD_OBJECT);
  const [object, oldObject] = [cut(json, 0), old < 0 ? undefined : cut(json, old)];
  const spec = old < 0 ? undefined : specNamedIn(json, specOf);
  const text = spec && textIn(spec, 'template');
  const before = text ? known(json, text, old) : undefined;
  const first = before && known(json, text!, 0);
  const after = first?.from === before?.from ? undefined : first;
  let review = parse(json, [object, after, oldObject?.from === object?.from ? undefined : oldObject, before]);
  const { object: next, oldObject: previous } = (review as Review | null)?.request ?? {};
  const borrowers = [...(before ? [previous?.spec] : []), ...(after ? [next?.spec] : [])];
  const found = borrowers.every((one) => one?.template === KNOWN);
  // Elsewhere than thought: as it is, then.
  if (!found) review = JSON.parse(json);
  check(review);
  if (found) for (const borrower of borrowers) lend(spec!, 'template', borrower!);
  return review;
}

function specNamedIn(json: string, specOf: (namespace: string, name: string) => Spec | undefined): Spec | undefined {
  const [, name, namespace] = NAMES.exec(json.slice(0, HEAD_LENGTH)) ?? [];
  return name && namespace ? specOf(namespace, name) : undefined;
}

interface Review {
  readonly request?: Readonly<
    Record<'object' | 'oldObject', { readonly spec?: { readonly template?: unknown } } | null>
  >;
}

interface Part {
  readonly from: number;
  readonly to: number;
  /** What is read instead. */
  readonly by: string;
}

/** What is in the list in the metadata of the object that begins at `start`; undefined when there is none, or it is not easily told. */
function cut(json: string, start: number): Part | undefined {
  const at = json.indexOf(FIELD, start);
  const from = at + FIELD.length;
  if (at < 1 || json[at - 1] === '\\') return undefined;
  // Behind `spec` it would be the metadata of a template, of which every byte makes a version.
  if (json.slice(start, at).includes(SPEC)) return undefined;
  // Nothing in the list is a list: the first `]` ends it, unless it is in a string, after which no name of a field can follow like this.
  const to = json.indexOf(']', from);
  return to > from && /^\}\]\}?,"[a-z]/i.test(json.slice(to - 1, to + 5)) ? { from, to, by: '' } : undefined;
}

/** The first template after `start`, if it is this text: a whole object, and so all of the value that begins like it. */
function known(json: string, text: string, start: number): Part | undefined {
  const at = json.indexOf(TEMPLATE, start);
  const from = at + TEMPLATE.length;
  return at >= 0 && json.startsWith(text, from) ? { from, to: from + text.length, by: `"${KNOWN}"` } : undefined;
}

function parse(json: string, parts: readonly (Part | undefined)[]): unknown {
  let [lean, at] = ['', 0];
  for (const part of parts) {
    if (!part || part.from < at) continue;
    lean += json.slice(at, part.from) + part.by;
    at = part.to;
  }
  if (at === 0) return JSON.parse(json);
  try {
    return JSON.parse(lean + json.slice(at));
  } catch {
    // A list within the list: its end was taken for that of the outer one, and brackets are left over.
    return JSON.parse(json);
  }
}
