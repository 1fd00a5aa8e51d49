// Updates the managers after a change: who loses and who gets fields, and which fields an apply removes.
import type { KubeObject } from '../core/types.ts';
import { deepEqual } from '../patch/values.ts';
import type { Atom } from './atoms.ts';
import { Conflicts } from './conflict.ts';
import type { Conflict } from './conflict.ts';
import { identify } from './managers.ts';
import type { Managed, Manager, Owned } from './managers.ts';
import { FieldSet } from './set.ts';
import { compare, fieldsOf, mergeTyped, removeFields, withNamedFields } from './typed.ts';
import type { Comparison } from './typed.ts';

/** Converts the object to other versions. */
export interface Versions {
  /** The type of a version. Undefined if it is no longer served. */
  type(apiVersion: string): Atom | undefined;
  /** A version that cannot be converted. Its entries stay unchanged (native kinds with several versions). */
  keeps(apiVersion: string): boolean;
  convert(object: KubeObject, apiVersion: string): Promise<KubeObject>;
}

/** Removes the fields that the request cannot change, for example the status. */
export type Filter = (fields: FieldSet) => FieldSet;

export class Updater {
  private readonly versions: Versions;
  private readonly filter: Filter;

  constructor(versions: Versions, filter: Filter) {
    this.versions = versions;
    this.filter = filter;
  }

  /** Records that the manager changed live to next. Changes the managers. */
  async update(live: KubeObject, next: KubeObject, managed: Managed, manager: Manager): Promise<void> {
    const id = identify(manager);
    const changes = await this.takeOver(live, next, managed, id, manager.apiVersion, true);
    const before = managed.get(id)?.fields ?? new FieldSet();
    const fields = this.filter(before.difference(changes.removed).union(changes.modified).union(changes.added));
    if (fields.empty) managed.delete(id);
    else managed.set(id, { manager, apiVersion: manager.apiVersion, fields });
  }

  /** Applies a configuration to live. Undefined if nothing changes. Changes the managers. Throws Conflicts. */
  async apply(
    live: KubeObject,
    applied: KubeObject,
    managed: Managed,
    manager: Manager,
    force: boolean,
  ): Promise<KubeObject | undefined> {
    const { apiVersion } = manager;
    const type = this.versions.type(apiVersion)!;
    const id = identify(manager);
    const last = managed.get(id);
    const merged = mergeTyped(live, applied, type) as KubeObject;
    const fields = this.filter(fieldsOf(applied, type));
    managed.set(id, { manager, apiVersion, fields, ...(last?.time ? { time: last.time } : {}) });
    // If the same configuration is applied again, there is nothing to remove.
    const dropsNone = !last || (last.apiVersion === apiVersion && last.fields.difference(fields).empty);
    const next = dropsNone ? merged : await this.prune(merged, managed, apiVersion, last);
    await this.takeOver(live, next, managed, id, apiVersion, force);
    return deepEqual(live, next) ? undefined : next;
  }

  /** Removes changed fields from all other managers. Throws Conflicts unless forced. */
  private async takeOver(
    live: KubeObject,
    next: KubeObject,
    managed: Managed,
    own: string,
    apiVersion: string,
    force: boolean,
  ): Promise<Comparison> {
    const ownChanges = this.filtered(compare(live, next, this.versions.type(apiVersion)!));
    const byVersion = new Map<string, Comparison>([[apiVersion, ownChanges]]);
    const conflicts: Conflict[] = [];
    const lost = new Map<string, FieldSet>();
    for (const [id, owned] of managed) {
      if (id === own) continue;
      const type = this.versions.type(owned.apiVersion);
      if (!type) {
        if (!this.versions.keeps(owned.apiVersion)) managed.delete(id);
        continue;
      }
      let changes = byVersion.get(owned.apiVersion);
      if (!changes) {
        const [before, after] = [
          await this.versions.convert(live, owned.apiVersion),
          await this.versions.convert(next, owned.apiVersion),
        ];
        changes = this.filtered(compare(before, after, type));
        byVersion.set(owned.apiVersion, changes);
      }
      const taken = owned.fields.intersection(changes.modified.union(changes.added));
      for (const path of taken.paths()) conflicts.push({ id, manager: owned.manager, path });
      lost.set(id, taken.union(changes.removed));
    }
    if (!force && conflicts.length)
      throw new Conflicts(conflicts.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)));
    for (const [id, fields] of lost) {
      const owned = managed.get(id)!;
      managed.set(id, { ...owned, fields: owned.fields.difference(fields) });
    }
    for (const [id, { fields }] of managed) if (fields.empty) managed.delete(id);
    return ownChanges;
  }

  private filtered({ added, modified, removed }: Comparison): Comparison {
    return { added: this.filter(added), modified: this.filter(modified), removed: this.filter(removed) };
  }

  /** Removes fields that the applier no longer applies, unless another manager owns them. */
  private async prune(merged: KubeObject, managed: Managed, apiVersion: string, last: Owned): Promise<KubeObject> {
    const type = this.versions.type(last.apiVersion);
    if (last.fields.empty || !type) return merged;
    let whole = await this.versions.convert(merged, last.apiVersion);
    const inLast = whole;
    let pruned = removeFields(whole, withNamedFields(last.fields, type), type) as KubeObject;
    const owned = new Map<string, FieldSet>([[last.apiVersion, new FieldSet()]]);
    for (const each of managed.values())
      owned.set(each.apiVersion, (owned.get(each.apiVersion) ?? new FieldSet()).union(each.fields));
    for (const [version, fields] of owned) {
      const versioned = this.versions.type(version);
      if (!versioned) continue;
      whole = await this.versions.convert(whole, version);
      pruned = await this.versions.convert(pruned, version);
      const keep = named(pruned, versioned).union(withNamedFields(fields, versioned));
      pruned = removeFields(whole, named(whole, versioned).difference(keep), versioned) as KubeObject;
    }
    // Only fields that this applier owned may be removed.
    const back = await this.versions.convert(pruned, last.apiVersion);
    const gone = named(inLast, type).difference(named(back, type)).intersection(withNamedFields(last.fields, type));
    return this.versions.convert(removeFields(inLast, gone, type) as KubeObject, apiVersion);
  }
}

const named = (object: KubeObject, type: Atom): FieldSet => withNamedFields(fieldsOf(object, type), type);
