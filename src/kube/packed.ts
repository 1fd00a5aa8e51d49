// Large fields that lie in a cache unread: kept as text until somebody reads them, and lent to what says the same in the same words.
import { freeze } from './store.ts';

/** Where the text is, or the object that has it; no enumeration and no copy has them. */
const TEXT = Symbol('text');
const LOAN = Symbol('loan');
/**
 * What was read last: the same object again, so that what is worked out for it is found again. A bounded number and no WeakRef: those keep
 * what they point to through all the quick collections, and so make old garbage of it (measured: 10 kB for each Deployment at start-up).
 */
const read = new Map<object, object>();
const REMEMBERED = 8;
/** Of values that are not packed. */
const texts = new WeakMap<object, string>();

/** The same object to every reader, frozen, with the field in a quarter of the memory that its value takes when it has been worked with. */
export function packed<T extends object, K extends keyof T & string>(object: T, field: K): T {
  const { [field]: value, ...rest } = object;
  Object.defineProperty(rest, TEXT, { value: write(value) });
  Object.defineProperty(rest, field, accessor(packedFields, field, unpack));
  for (const key of Object.keys(rest)) if (key !== field) freeze((rest as Record<string, unknown>)[key]);
  return Object.freeze(rest) as T;
}

/** The field of an object of a cache, packed or not, as the API server writes it. */
export function textIn<K extends string>(object: Readonly<Record<K, object>>, field: K): string {
  const kept = (object as { readonly [TEXT]?: string })[TEXT];
  if (kept !== undefined) return kept;
  const value = object[field];
  let text = texts.get(value);
  if (text === undefined) texts.set(value, (text = write(value)));
  return text;
}

interface Loan {
  readonly lender: Readonly<Record<string, unknown>>;
  readonly field: string;
}
interface Lent {
  readonly [LOAN]?: Loan;
}

/** From now on the field reads as that of the lender does. Whoever does not read it does not parse it either. */
export function lend<K extends string>(lender: Readonly<Record<K, object>>, field: K, to: object): void {
  Object.defineProperty(to, LOAN, { value: { lender, field } satisfies Loan });
  Object.defineProperty(to, field, accessor(lentFields, field, borrow));
}

/** The object has a field that was lent to it. */
export const isLent = (object: object): boolean => (object as Lent)[LOAN] !== undefined;

/** Both have the same field of the same lender. */
export function areLentTheSame(a: object, b: object): boolean {
  const [one, other] = [(a as Lent)[LOAN], (b as Lent)[LOAN]];
  return one !== undefined && one.lender === other?.lender && one.field === other.field;
}

type Accessors = Map<string, PropertyDescriptor>;
const packedFields: Accessors = new Map();
const lentFields: Accessors = new Map();

/** One for all objects: they share a shape then. */
function accessor(known: Accessors, field: string, get: (this: never) => unknown): PropertyDescriptor {
  let descriptor = known.get(field);
  if (!descriptor) known.set(field, (descriptor = { enumerable: true, get }));
  return descriptor;
}

function unpack(this: { readonly [TEXT]: string }): object {
  const known = read.get(this);
  if (known) return known;
  const value = freeze(JSON.parse(this[TEXT]) as object);
  read.set(this, value);
  if (read.size > REMEMBERED) read.delete(read.keys().next().value!);
  return value;
}

function borrow(this: { readonly [LOAN]: Loan }): unknown {
  const { lender, field } = this[LOAN];
  return lender[field];
}

/** Go's encoder, and so the API server, escapes what HTML and JavaScript would stumble over. */
const ESCAPED = /[<>&\u2028\u2029]/g;
const write = (value: unknown): string =>
  (JSON.stringify(value) ?? 'null').replace(
    ESCAPED,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
