// What a reflector has seen: frozen objects by key, with secondary indexes.
import type { KubeObject } from '../api/types.ts';

/** From an object to the values under which it is found. */
export type Index<T> = (object: T) => readonly string[];

/** `namespace/name`, or `name` of an object without namespace: the key of stores and queues. */
export const keyOf = (object: KubeObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

/** The two halves of a key; namespace is "" where there is none. Neither half has a slash: a key that has more is nobody's. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  if (slash !== key.lastIndexOf('/')) throw new Error(`key ${JSON.stringify(key)} is not namespace/name`);
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export class Store<T extends KubeObject> {
  private readonly objects = new Map<string, T>();
  private readonly indexes: ReadonlyMap<string, { of: Index<T>; keys: Map<string, Set<string>> }>;

  constructor(indexes: Readonly<Record<string, Index<T>>> = {}) {
    this.indexes = new Map(Object.entries(indexes).map(([name, of]) => [name, { of, keys: new Map() }]));
  }

  get size(): number {
    return this.objects.size;
  }

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.objects.keys();
  }

  entries(): IterableIterator<[string, T]> {
    return this.objects.entries();
  }

  values(): IterableIterator<T> {
    return this.objects.values();
  }

  /** The objects under this value of a named index. */
  by(index: string, value: string): T[] {
    const found = this.indexes.get(index);
    if (!found) throw new Error(`no index ${index}; this store has: ${[...this.indexes.keys()].join(', ') || 'none'}`);
    return [...(found.keys.get(value) ?? [])].map((key) => this.objects.get(key)!);
  }

  /** Puts the object in, or takes it out (undefined); returns what was there. */
  set(key: string, object: T | undefined): T | undefined {
    const old = this.objects.get(key);
    if (object) this.objects.set(key, object);
    else this.objects.delete(key);
    for (const { of, keys } of this.indexes.values()) {
      if (old) for (const value of of(old)) forget(keys, value, key);
      if (object) for (const value of of(object)) remember(keys, value, key);
    }
    return old;
  }
}

function remember(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value);
  if (set) set.add(key);
  else keys.set(value, new Set([key]));
}

function forget(keys: Map<string, Set<string>>, value: string, key: string): void {
  const set = keys.get(value);
  set?.delete(key);
  if (set?.size === 0) keys.delete(value);
}

/** Freezes JSON all the way down, and keeps equal texts once. What is frozen already is taken to be so throughout. */
export function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value;
  const fields = value as Record<string, unknown>;
  for (const key in fields) {
    const field = fields[key];
    if (typeof field !== 'string') freeze(field);
    else if (field.length >= MIN_SHARED && field.length <= MAX_SHARED) fields[key] = shared(field);
  }
  return Object.freeze(value);
}

/** Shorter texts JSON.parse keeps once by itself; longer ones are hardly ever equal. */
const MIN_SHARED = 11;
const MAX_SHARED = 128;
const MAX_TEXTS = 1_000;
const texts = new Map<string, string>();

/** An object says the same again and again (names, labels, digests), and so do objects that arrive together: a tenth of what they take. */
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= MAX_TEXTS) texts.clear();
  texts.set(text, text);
  return text;
}

/** Leaves out what nobody reads and everybody would keep in memory: managedFields, and kubectl's copy of the whole manifest. */
export function trimBallast<T extends KubeObject>(object: T): T {
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata['managedFields'];
  const annotations = object.metadata.annotations;
  if (annotations && LAST_APPLIED in annotations) {
    const { [LAST_APPLIED]: _, ...rest } = annotations;
    metadata['annotations'] = rest;
  }
  return { ...object, metadata };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
