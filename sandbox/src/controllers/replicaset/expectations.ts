// Changes that a ReplicaSet or DaemonSet has requested and its cache does not show yet. Until then, it must not act.
import type { Clock } from '../../core/types.ts';

const TIMEOUT_MS = 5 * 60_000;

interface Expected {
  creations: number;
  deletions: Set<string>;
  since: number;
}

export class Expectations {
  private readonly byOwner = new Map<string, Expected>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  satisfied(owner: string): boolean {
    const expected = this.byOwner.get(owner);
    if (!expected) return true;
    if (expected.creations <= 0 && expected.deletions.size === 0) return true;
    return this.clock.now() - expected.since > TIMEOUT_MS;
  }

  /** `uids`: the Pods that are deleted. */
  expect(owner: string, creations: number, uids: readonly string[]): void {
    this.byOwner.set(owner, { creations, deletions: new Set(uids), since: this.clock.now() });
  }

  creationObserved(owner: string): void {
    const expected = this.byOwner.get(owner);
    if (expected) expected.creations--;
  }

  deletionObserved(owner: string, uid: string): void {
    this.byOwner.get(owner)?.deletions.delete(uid);
  }

  forget(owner: string): void {
    this.byOwner.delete(owner);
  }
}
