// The generated schemas of native kinds.
import { readFileSync } from 'node:fs';
import type { Schema } from '../core/types.ts';

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

export type Definition = Schema & { 'x-kubernetes-group-version-kind'?: GroupVersionKind[] };

/** By name, for example `io.k8s.api.apps.v1.Deployment`. `$ref`s between them are `#/definitions/<name>`. */
export const definitions = JSON.parse(
  readFileSync(new URL('generated/definitions.json', import.meta.url), 'utf8'),
) as Record<string, Definition>;

const names = new Map<string, string>();
for (const [name, definition] of Object.entries(definitions)) {
  for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? [])
    names.set(`${group}/${version}/${kind}`, name);
}

/** The definition name of a native kind. Undefined for other kinds. */
export const definitionName = (group: string, version: string, kind: string): string | undefined =>
  names.get(`${group}/${version}/${kind}`);

/** The schema of a native kind. */
export function schemaFor(group: string, version: string, kind: string): Schema {
  const name = definitionName(group, version, kind);
  if (!name) throw new Error(`no schema of ${group || 'core'}/${version} ${kind}: name it in schema/roots.ts`);
  return definitions[name]!;
}
