// What we have just written, until the watch shows it: nothing is decided on a state that we ourselves have left behind.
import type { KubeObject } from '../api/types.ts';
import type { Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { isOlder } from '../kube/versions.ts';

interface Written {
  /** resourceVersions that the object had before our writes. */
  readonly before: Set<string>;
  object: KubeObject;
}

export class MutationCache {
  private readonly keys = new Map<string, Map<string, Written>>();

  /**
   * Our writes carry the resourceVersion they were decided on: after it comes ours, and only then anybody else's. Labels of Pods carry none:
   * what was written in between is told apart by the number.
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
   * All objects of a kind were listed (under one key only, where it is given): a list that is newer than our write shows it, or it is lost,
   * since the cluster was restored from a backup. So are all that were made before, when the server has gone back in time. Returns the
   * keys under which something was forgotten: what was decided there is to be decided again.
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

/** Labels of Pods carry no resourceVersion, so that anybody may have written in between. */
const isOldPod = (version: string, { kind, metadata: { resourceVersion: ours = '' } }: KubeObject): boolean =>
  kind === 'Pod' && isOlder(version, ours);
