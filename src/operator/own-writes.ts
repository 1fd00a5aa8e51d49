// What we have just written, until the watch shows it: nothing is decided on a state that we ourselves have left behind.
import type { KubeObject } from '../api/types.ts';

interface Written {
  /** resourceVersions that the object had before our writes. */
  readonly before: Set<string>;
  object: KubeObject;
}

export class OwnWrites {
  private readonly keys = new Map<string, Map<string, Written>>();

  /** Our writes carry the resourceVersion they were decided on: after it comes ours, and only then anybody else's. */
  newest<T extends KubeObject>(key: string, cached: T): T {
    const written = this.keys.get(key)?.get(cached.metadata.uid ?? '');
    if (!written) return cached;
    if (written.before.has(cached.metadata.resourceVersion ?? '')) return written.object as T;
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

  forget(key: string): void {
    this.keys.delete(key);
  }
}
