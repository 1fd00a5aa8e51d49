// A controller's own writes that its caches do not show yet. Until then, it must not act on them.
import type { KubeObject } from '../../core/types.ts';
import type { Cache } from './cache.ts';

export class Written {
  private readonly byOwner = new Map<string, Map<Cache, number>>();

  note(owner: string, cache: Cache, written: KubeObject): void {
    let writes = this.byOwner.get(owner);
    if (!writes) this.byOwner.set(owner, (writes = new Map<Cache, number>()));
    writes.set(cache, Math.max(writes.get(cache) ?? 0, Number(written.metadata.resourceVersion)));
  }

  /** Whether the caches show all noted writes. The event that shows the last one makes the controller look again. */
  seen(owner: string): boolean {
    const writes = this.byOwner.get(owner);
    for (const [cache, revision] of writes ?? []) if (cache.revision < revision) return false;
    this.byOwner.delete(owner);
    return true;
  }

  forget(owner: string): void {
    this.byOwner.delete(owner);
  }
}
