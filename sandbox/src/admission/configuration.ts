// Merges an apply configuration of a MutatingAdmissionPolicy into an object, using the list and map types of the schema.
import { Message } from '../cel/index.ts';
import { same } from '../core/objects.ts';
import type { KubeObject, ResourceType, Schema } from '../core/types.ts';

type Json = Record<string, unknown>;

/** `Object.spec{template: Object.spec.wrong{}}`: the type name of a literal must match its path. Returns what is wrong. */
export const checkNames = (message: Message): string | undefined => {
  for (const [field, value] of Object.entries(message.fields)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (!(item instanceof Message)) continue;
      const expected = `${message.type}.${field}`;
      if (item.type !== expected)
        return `unexpected type name ${JSON.stringify(item.type)}, expected ${JSON.stringify(expected)}, which matches field name path from root Object type`;
      const deeper = checkNames(item);
      if (deeper) return deeper;
    }
  }
  return undefined;
};

/** Returns the merged object, or the reason why it cannot be merged. */
export const mergeConfiguration = (
  object: KubeObject,
  configuration: object,
  type: ResourceType,
): { merged: KubeObject; problem?: undefined } | { merged?: undefined; problem: string } => {
  const merger = new Merger(type.definitions);
  const merged = merger.map(object, configuration as Json, type.schema, '') as KubeObject;
  if (merger.unknown.length > 0)
    return {
      problem: `failed to convert patch object to typed object: ${merger.unknown.join(', ')}: field not declared in schema`,
    };
  if (merger.atomic.length > 0) {
    return {
      problem: `invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${merger.atomic.join(', ')}`,
    };
  }
  return { merged };
};

class Merger {
  readonly atomic: string[] = [];
  readonly unknown: string[] = [];
  private readonly definitions: Record<string, Schema>;

  constructor(definitions: Record<string, Schema>) {
    this.definitions = definitions;
  }

  map(old: Json, next: Json, schema: Schema | undefined, path: string): Json {
    const s = this.resolve(schema);
    if (s['x-kubernetes-map-type'] === 'atomic') this.atomic.push(path);
    const result: Json = { ...old };
    for (const [key, value] of Object.entries(next)) {
      const here = `${path}.${key}`;
      const property =
        s.properties?.[key] ?? (typeof s.additionalProperties === 'object' ? s.additionalProperties : undefined);
      const open =
        s['x-kubernetes-preserve-unknown-fields'] || s.additionalProperties || !s.properties || path === '.metadata';
      if (!property && !open && !(path === '' && key === 'metadata')) this.unknown.push(here);
      result[key] = this.value(old[key], value, property, here);
    }
    return result;
  }

  private value(old: unknown, next: unknown, schema: Schema | undefined, path: string): unknown {
    if (Array.isArray(next)) return this.list(Array.isArray(old) ? old : [], next, schema, path);
    if (isMap(next)) return this.map(isMap(old) ? old : {}, next, schema, path);
    return next;
  }

  private list(old: unknown[], next: unknown[], schema: Schema | undefined, path: string): unknown[] {
    const s = this.resolve(schema);
    const keys = s['x-kubernetes-list-map-keys'];
    if (s['x-kubernetes-list-type'] === 'set') {
      return [...old, ...next.filter((item) => !old.some((other) => same(item, other)))];
    }
    if (s['x-kubernetes-list-type'] !== 'map' || !keys) {
      this.atomic.push(path);
      return next;
    }
    const result = [...old];
    for (const item of next as Json[]) {
      const at = result.findIndex((other) => keys.every((key) => same((other as Json)[key], item[key])));
      if (at < 0) result.push(item);
      else result[at] = this.value(result[at], item, s.items, `${path}[]`);
    }
    return result;
  }

  private resolve(schema: Schema | undefined): Schema {
    let s = schema ?? {};
    while (s.$ref) s = this.definitions[s.$ref.slice(s.$ref.lastIndexOf('/') + 1)] ?? {};
    return s;
  }
}

const isMap = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value);
