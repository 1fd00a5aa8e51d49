// Rows of the table of resources for tests of decoding and patching.
import type { ResourceType, Schema } from '../../src/core/types.ts';
import { definitions, schemaFor } from '../../src/schema/index.ts';

const row = (group: string, version: string, kind: string, schema: Schema): ResourceType => ({
  group,
  version,
  kind,
  listKind: `${kind}List`,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: [],
  status: true,
  generation: true,
  schema,
  definitions: {},
  columns: [],
  storageVersion: version,
  strategicMerge: false,
  fieldSelectors: [],
});

export const native = (group: string, version: string, kind: string): ResourceType => ({
  ...row(group, version, kind, schemaFor(group, version, kind)),
  definitions,
  strategicMerge: true,
});

export const custom = (schema: Schema, version = 'v1', kind = 'Widget'): ResourceType =>
  row('example.com', version, kind, schema);

export const bytes = (body: unknown): Uint8Array =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
