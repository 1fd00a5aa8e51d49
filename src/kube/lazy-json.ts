// Keeps a large field of an object as JSON text, and parses it when it is read. Most objects in the cache of a large cluster are never read.
import { freeze } from './store.ts';

/** Key of the text. It is not enumerable, so copies of the object do not contain it. */
const TEXT = Symbol('text');
/**
 * The values that were read last. A second read returns the same object, so that caches keyed by the object work. The number is bounded.
 * A WeakRef would keep its target through minor collections and so move it to the old generation (measured: 10 kB for each Deployment at
 * start-up).
 */
const recent = new Map<object, object>();
const MAX_RECENT = 8;
const accessors = new Map<string, PropertyDescriptor>();

/** Returns a frozen copy of the object whose field is parsed when it is read. The text takes a quarter of the memory of the parsed value. */
export function withLazyField<T extends object, K extends keyof T & string>(object: T, field: K): T {
  const { [field]: value, ...rest } = object;
  Object.defineProperty(rest, TEXT, { value: JSON.stringify(value) });
  Object.defineProperty(rest, field, accessorOf(field));
  for (const key of Object.keys(rest)) if (key !== field) freeze((rest as Record<string, unknown>)[key]);
  return Object.freeze(rest) as T;
}

/** All objects share one accessor per field, and therefore one hidden class. */
function accessorOf(field: string): PropertyDescriptor {
  let accessor = accessors.get(field);
  if (!accessor) accessors.set(field, (accessor = { enumerable: true, get: parseField }));
  return accessor;
}

function parseField(this: { readonly [TEXT]: string }): object {
  const known = recent.get(this);
  if (known) return known;
  const value = freeze(JSON.parse(this[TEXT]) as object);
  recent.set(this, value);
  if (recent.size > MAX_RECENT) recent.delete(recent.keys().next().value!);
  return value;
}
