// Declares a structural schema to the type checker, so that errors in rules are found when a CRD is created.
import type { Environment } from '@marcbachmann/cel-js';
import type { Schema } from '../core/types.ts';
import { escapeField, type Resolve } from './values.ts';

/** Declares the CEL types of this schema to env. Returns the name of the root type. */
export const declare = (env: Environment, schema: Schema, resolve: Resolve, root = false): string =>
  new Declarer(env, resolve).type(schema, 'object', root);

class Declarer {
  private readonly env: Environment;
  private readonly resolve: Resolve;
  private count = 0;
  private depth = 0;

  constructor(env: Environment, resolve: Resolve) {
    this.env = env;
    this.resolve = resolve;
  }

  type(schema: Schema, name: string, root = false): string {
    const s = this.resolve(schema);
    if (s['x-kubernetes-int-or-string'] || s.nullable || this.depth > 30) return 'dyn';
    this.depth++;
    try {
      return this.typeOf(s, name, root);
    } finally {
      this.depth--;
    }
  }

  private typeOf(s: Schema, name: string, root: boolean): string {
    switch (s.type) {
      case 'boolean':
        return 'bool';
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'string':
        return STRING_FORMATS[s.format ?? ''] ?? 'string';
      case 'array':
        return s.items ? `list<${this.type(s.items, `${name}.item`)}>` : 'list<dyn>';
      case 'object':
        return this.object(s, name, root);
      default:
        return 'dyn';
    }
  }

  private object(s: Schema, name: string, root: boolean): string {
    const embedded = root || s['x-kubernetes-embedded-resource'] === true;
    if (!s.properties && !embedded) {
      return typeof s.additionalProperties === 'object'
        ? `map<string, ${this.type(s.additionalProperties, `${name}.value`)}>`
        : 'map<string, dyn>';
    }
    const fields: Record<string, string> = {};
    for (const [key, property] of Object.entries(s.properties ?? {})) {
      fields[escapeField(key)] = this.type(property, `${name}.${escapeField(key)}`);
    }
    if (embedded) {
      Object.assign(fields, { apiVersion: 'string', kind: 'string', metadata: this.register('metadata', METADATA) });
    }
    return this.register(name, fields);
  }

  private register(name: string, fields: Record<string, string>): string {
    const type = `schema${this.count++}.${name}`;
    this.env.registerType(type, { fields });
    this.env.registerOperator(`${type} == ${type}: bool`, () => false);
    return type;
  }
}

const METADATA = { name: 'string', generateName: 'string' };

const STRING_FORMATS: Record<string, string> = {
  'date-time': 'google.protobuf.Timestamp',
  date: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  byte: 'bytes',
};
