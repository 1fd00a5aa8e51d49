// Keeps a large field of an object as text until somebody reads it: of a large cluster's objects, most lie in a cache unread.
import { freeze } from './store.ts';

/** Where the text is; no enumeration and no copy has it. */
const TEXT = Symbol('text');
/**
 * What was read last: the same object again, so that what is worked out for it is found again. A bounded number and no WeakRef: those keep
 * what they point to through all the quick collections, and so make old garbage of it (measured: 10 kB for each Deployment at start-up).
 */
const read = new Map<object, object>();
const REMEMBERED = 8;
const accessors = new Map<string, PropertyDescriptor>();

/** The same object to every reader, frozen, with the field in a quarter of the memory that its value takes when it has been worked with. */
export function packed<T extends object, K extends keyof T & string>(object: T, field: K): T {
  const { [field]: value, ...rest } = object;
  Object.defineProperty(rest, TEXT, { value: JSON.stringify(value) });
  Object.defineProperty(rest, field, accessorOf(field));
  for (const key of Object.keys(rest)) if (key !== field) freeze((rest as Record<string, unknown>)[key]);
  return Object.freeze(rest) as T;
}

/** One for all objects: they share a shape then. */
function accessorOf(field: string): PropertyDescriptor {
  let accessor = accessors.get(field);
  if (!accessor) accessors.set(field, (accessor = { enumerable: true, get: unpack }));
  return accessor;
}

function unpack(this: { readonly [TEXT]: string }): object {
  const known = read.get(this);
  if (known) return known;
  const value = freeze(JSON.parse(this[TEXT]) as object);
  read.set(this, value);
  if (read.size > REMEMBERED) read.delete(read.keys().next().value!);
  return value;
}
