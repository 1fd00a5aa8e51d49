// Objects that this process has just written, until the watch has them. Decisions then never use a state from before an own write.
import type { KubeObject } from '../api/types.ts';
import type { Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { isOlder } from '../kube/versions.ts';

interface Written {
  /** resourceVersions of the object before the writes. */
  readonly before: Set<string>;
  object: KubeObject;
}

export class MutationCache {
  private readonly keys = new Map<string, Map<string, Written>>();

  /**
   * The newer of the cached and the written object. Writes contain the resourceVersion that they were decided on, so no other write is in between.
   * Labels of Pods do not contain it, so their resourceVersions are compared.
   */
  newest<T extends KubeObject>(key: string, cached: T): T {
    const written = this.keys.get(key)?.get(cached.metadata.uid ?? '');
    if (!written) return cached;
    const { resourceVersion = '' } = cached.metadata;
    if (written.before.has(resourceVersion) || isOldPod(resourceVersion, written.object)) return written.object as T;
    this.keys.get(key)?.delete(cached.metadata.uid ?? '');
    return cached;
  }

  remember(key: string, before: KubeObject, after: KubeObject): void {
    let writes = this.keys.get(key);
    if (!writes) this.keys.set(key, (writes = new Map()));
    const uid = after.metadata.uid ?? '';
    const known = writes.get(uid)?.before ?? new Set<string>();
    known.add(before.metadata.resourceVersion ?? '');
    known.delete(after.metadata.resourceVersion ?? '');
    writes.set(uid, { before: known, object: after });
  }

  /**
   * Called when all objects of a kind were listed (`only`: of one key). Forgets writes that are older than the list: the list contains them, or a
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
        if (object.kind === kind && !isMissing) writes.delete(uid);
      }
      if (writes.size < before) keys.push(key);
    }
    return keys;
  }

  forget(key: string): void {
    this.keys.delete(key);
  }
}

/** Labels of Pods are written without resourceVersion, so another write may be in between. */
const isOldPod = (version: string, { kind, metadata: { resourceVersion: ours = '' } }: KubeObject): boolean =>
  kind === 'Pod' && isOlder(version, ours);
