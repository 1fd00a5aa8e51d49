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
}

export class MutationCache {
  private readonly keys = new Map<string, Map<string, Written>>();

  /** The newer of the cached and the written object. If other writes may be in between, the resourceVersions are compared. */
  newest<T extends KubeObject>(key: string, cached: T): T {
    const written = this.keys.get(key)?.get(cached.metadata.uid ?? '');
    if (!written) return cached;
    const { resourceVersion = '' } = cached.metadata;
    const { resourceVersion: ours = '' } = written.object.metadata;
    // The written object itself: from the watch, or from a decision on it. The cache may still have an older one.
    if (resourceVersion === ours) return cached;
    const isOld = written.before.has(resourceVersion) || (!written.isPinned && isOlder(resourceVersion, ours));
    if (isOld) return written.object as T;
    this.keys.get(key)?.delete(cached.metadata.uid ?? '');
    return cached;
  }

  /** `isPinned`: the write contained the resourceVersion of `before`. */
  remember(key: string, before: KubeObject, after: KubeObject, isPinned = true): void {
    let writes = this.keys.get(key);
    if (!writes) this.keys.set(key, (writes = new Map()));
    const uid = after.metadata.uid ?? '';
    const earlier = writes.get(uid);
    const known = earlier?.before ?? new Set<string>();
    known.add(before.metadata.resourceVersion ?? '');
    known.delete(after.metadata.resourceVersion ?? '');
    writes.set(uid, { before: known, object: after, isPinned: isPinned && earlier?.isPinned !== false });
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

  forget(key: string): void {
    this.keys.delete(key);
  }
}

/** Two groups have kinds of the same name. */
const isOfKind = ({ apiVersion, kind = '' }: KubeObject, name: string): boolean =>
  apiVersion === undefined ? kind === name : kindName({ apiVersion, kind }) === name;
