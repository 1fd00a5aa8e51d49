// What we have just written, until the watch shows it: nothing is decided on a state that we ourselves have left behind.
import type { KubeObject } from '../api/types.ts';

interface Written {
  /** resourceVersions that the object had before our writes. */
  readonly before: Set<string>;
  object: KubeObject;
}

export class OwnWrites {
  private readonly keys = new Map<string, Map<string, Written>>();

  /**
   * Our writes carry the resourceVersion they were decided on: after it comes ours, and only then anybody else's. Labels of Pods carry none:
   * what was written in between is told apart by the number, which Kubernetes lets clients compare (since 1.35 by contract). Of nothing else:
   * numbers go back when a cluster is restored from a backup, and a label too few is all the harm there may be.
   */
  newest<T extends KubeObject>(key: string, cached: T): T {
    const written = this.keys.get(key)?.get(cached.metadata.uid ?? '');
    if (!written) return cached;
    const { resourceVersion = '' } = cached.metadata;
    if (written.before.has(resourceVersion) || isOlder(resourceVersion, written.object)) return written.object as T;
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

/** Of decimal numbers of any length. */
function isOlder(version: string, { kind, metadata: { resourceVersion: ours = '' } }: KubeObject): boolean {
  if (kind !== 'Pod' || !/^\d+$/.test(version) || !/^\d+$/.test(ours)) return false;
  return version.length === ours.length ? version < ours : version.length < ours.length;
}
