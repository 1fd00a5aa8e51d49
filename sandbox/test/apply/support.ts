// A small store with one object, written like the pipeline does.
import { keepTimes, serverSideApply, trackUpdate } from '../../src/apply/index.ts';
import type { KubeObject, ManagedFieldsEntry, ResourceType } from '../../src/core/types.ts';
import { readObject } from '../../src/schema/index.ts';

export class OneObject {
  readonly type: ResourceType;
  object: KubeObject | undefined;
  private seconds = 0;

  constructor(type: ResourceType) {
    this.type = type;
  }

  private get time(): string {
    return new Date(Date.UTC(2026, 0, 1, 0, 0, ++this.seconds)).toISOString().replace('.000', '');
  }

  get owners(): ManagedFieldsEntry[] {
    return this.object?.metadata.managedFields ?? [];
  }

  /** Who owns what: `manager/operation[/subresource]` → fields. */
  get books(): Record<string, unknown> {
    return Object.fromEntries(
      this.owners.map(({ manager, operation, subresource, fieldsV1 }) => [
        [manager, operation, ...(subresource ? [subresource] : [])].join('/'),
        fieldsV1,
      ]),
    );
  }

  async apply(manager: string, applied: object, { force = false, subresource = '' } = {}): Promise<KubeObject> {
    const { type, object: live } = this;
    const head = { apiVersion: type.group ? `${type.group}/${type.version}` : type.version, kind: type.kind };
    this.object = await serverSideApply({
      live,
      applied: { ...head, metadata: { name: 'x' }, ...applied } as KubeObject,
      manager,
      force,
      type,
      subresource,
      time: this.time,
    });
    this.object.metadata.uid = 'u';
    if (live) keepTimes(live, this.object);
    return this.object;
  }

  /** PUT: the object becomes what change makes of a copy. */
  async update(manager: string, change: (object: KubeObject) => void, subresource = ''): Promise<KubeObject> {
    const { type } = this;
    const next: KubeObject = structuredClone(this.object) ?? ({ metadata: { name: 'x' } } as KubeObject);
    change(next);
    next.apiVersion ??= type.group ? `${type.group}/${type.version}` : type.version;
    next.kind ??= type.kind;
    const decoded = readObject(type, next as unknown as Record<string, unknown>);
    const entries = await trackUpdate({ old: this.object, next: decoded, manager, type, subresource, time: this.time });
    const { managedFields: _, ...metadata } = decoded.metadata;
    this.object = {
      ...decoded,
      metadata: { ...metadata, uid: 'u', ...(entries.length ? { managedFields: entries } : {}) },
    };
    return this.object;
  }
}
