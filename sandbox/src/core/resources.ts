// The table of resources: native kinds from kinds/, and custom resources of the current definitions.
import type { Column, ResourceType, Schema } from './types.ts';

export const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export const NAME_COLUMN: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description:
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  priority: 0,
  value: (object) => object.metadata.name,
};

/** Creates a row with the usual values of native kinds. */
export function resource(
  group: string,
  version: string,
  kind: string,
  plural: string,
  more: Partial<ResourceType> = {},
): ResourceType {
  const open: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: VERBS,
    status: false,
    generation: false,
    schema: open,
    definitions: {},
    columns: [],
    storageVersion: version,
    strategicMerge: true,
    fieldSelectors: [],
    ...more,
  };
}

/** The storage key of a kind. All its versions and all groups that serve the same objects share it. */
export const collectionOf = (type: ResourceType): string =>
  type.storage ? `${type.storage.group}/${type.storage.resource}` : `${type.group}/${type.plural}`;

export const apiVersionOf = (group: string, version: string): string => (group ? `${group}/${version}` : version);

export class Registry {
  private readonly rows = new Map<string, ResourceType>();
  private readonly listeners = new Set<() => void>();
  /** Increases with each change. For caches of values derived from the table. */
  generation = 0;

  add(...types: ResourceType[]): void {
    for (const type of types) this.rows.set(`${type.group}/${type.version}/${type.plural}`, type);
    this.changed();
  }

  remove(group: string, plural: string): void {
    for (const [key, type] of this.rows) if (type.group === group && type.plural === plural) this.rows.delete(key);
    this.changed();
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.rows.get(`${group}/${version}/${plural}`);
  }

  findKind(group: string, version: string, kind: string): ResourceType | undefined {
    return this.all().find((type) => type.group === group && type.version === version && type.kind === kind);
  }

  /** All versions of a kind, in the order of their addition. */
  versions(group: string, plural: string): ResourceType[] {
    return this.all().filter((type) => type.group === group && type.plural === plural);
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.all().some((type) => type.group === group && type.version === version);
  }

  all(): ResourceType[] {
    return [...this.rows.values()];
  }

  /** Calls the listener after each change of the table. */
  observe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    this.generation++;
    for (const listener of this.listeners) listener();
  }
}
