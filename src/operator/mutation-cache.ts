// Objects that this process has just written, until the watch has them. Decisions then never use a state from before an own write.
import { kindName } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { isOlder } from '../kube/versions.ts';

interface Written {
  /** resourceVersions of the object before the writes. */
  readonly before: Set<string>;
  object: KubeObject;
  /** Each write contained the resourceVersion that it was decided on, so no other write is in between. */
  isPinned: boolean;
  /** False if it was only read. */
  isOwn: boolean;
}

export class MutationCache {
  private readonly keys = new Map<string, Map<string, Written>>();

  /** Number of remembered keys, for tests only. */
  get size(): number {
    return this.keys.size;
  }

  /** The newer of the object in the cache of a watch and the written one. A write that the cache has is forgotten. */
  seen<T extends KubeObject>(key: string, cached: T): T {
    const newest = this.newest(key, cached);
    if (newest === cached) this.keys.get(key)?.delete(cached.metadata.uid ?? '');
    return newest;
  }

  /**
   * True if the watch has the last write, or a state from before it: after a write, a decision on its result follows anyway. Not after a read: the next
   * decision may use an older state, or wait because of an error.
   */
  confirms(key: string, { metadata }: KubeObject): boolean {
    const writes = this.keys.get(key);
    const [uid = '', version = ''] = [metadata.uid, metadata.resourceVersion];
    const written = writes?.get(uid);
    const isLast = written?.isOwn === true && written.object.metadata.resourceVersion === version;
    if (isLast) writes?.delete(uid);
    // No decision follows that would forget the key.
    if (writes?.size === 0) this.keys.delete(key);
    return isLast || written?.before.has(version) === true;
  }

  /** The newer of the object that a decision was based on and the written one. If other writes may be in between, the resourceVersions are compared. */
  newest<T extends KubeObject>(key: string, known: T): T {
    const written = this.keys.get(key)?.get(known.metadata.uid ?? '');
    if (!written) return known;
    const { resourceVersion = '' } = known.metadata;
    const { resourceVersion: ours = '' } = written.object.metadata;
    if (resourceVersion === ours) return known;
    const isOld = written.before.has(resourceVersion) || (!written.isPinned && isOlder(resourceVersion, ours));
    return isOld ? (written.object as T) : known;
  }

  /** `isPinned`: the write contained the resourceVersion of `before`. */
  remember(key: string, before: KubeObject, after: KubeObject, isPinned = true): void {
    this.keep(key, before, after, { isPinned, isOwn: true });
  }

  /** A state that others wrote, and that was read before the watch told of it. `isPinned`: it is newer than `before`, and no write of this process is in between. */
  read(key: string, before: KubeObject, after: KubeObject, isPinned: boolean): void {
    this.keep(key, before, after, { isPinned, isOwn: false });
  }

  private keep(
    key: string,
    before: KubeObject,
    after: KubeObject,
    { isPinned, isOwn }: Pick<Written, 'isPinned' | 'isOwn'>,
  ): void {
    let writes = this.keys.get(key);
    if (!writes) this.keys.set(key, (writes = new Map()));
    const uid = after.metadata.uid ?? '';
    const earlier = writes.get(uid);
    const known = earlier?.before ?? new Set<string>();
    known.add(before.metadata.resourceVersion ?? '');
    known.delete(after.metadata.resourceVersion ?? '');
    writes.set(uid, { before: known, object: after, isPinned: isPinned && earlier?.isPinned !== false, isOwn });
  }

  /**
   * Called when all objects of a kind (kindName) were listed (`only`: of one key). Forgets writes that are older than the list: the list contains them, or a
   * restored backup lost them. If the server's resourceVersion went back, all writes are forgotten. Returns the keys with forgotten writes, which
   * need a new decision.
   */
  listed(kind: string, { version, back, namespace }: Listing, only?: string): string[] {
    const keys: string[] = [];
    for (const [key, writes] of this.keys) {
      if (only !== undefined ? key !== only : namespace !== undefined && splitKey(key).namespace !== namespace)
        continue;
      const before = writes.size;
      for (const [uid, { object }] of writes) {
        const isMissing = !back && isOlder(version, object.metadata.resourceVersion ?? '');
        if (isOfKind(object, kind) && !isMissing) writes.delete(uid);
      }
      if (writes.size < before) keys.push(key);
    }
    return keys;
  }

  /**
   * Forgets the writes to all other objects. A write to a watched object is forgotten only when the watch has it (seen): until then, the cache has a
   * state from before it.
   */
  keepOnly(key: string, watched: readonly KubeObject[]): void {
    keepOnly(this.keys, key, watched);
  }
}

/** Removes what is kept for the key by uid, except for these objects. */
export function keepOnly(keys: Map<string, Map<string, unknown>>, key: string, objects: readonly KubeObject[]): void {
  const byUid = keys.get(key);
  if (!byUid) return;
  const there = new Set(objects.map(({ metadata }) => metadata.uid ?? ''));
  for (const uid of byUid.keys()) if (!there.has(uid)) byUid.delete(uid);
  if (byUid.size === 0) keys.delete(key);
}

/** Two groups have kinds of the same name. */
const isOfKind = ({ apiVersion, kind = '' }: KubeObject, name: string): boolean =>
  apiVersion === undefined ? kind === name : kindName({ apiVersion, kind }) === name;
