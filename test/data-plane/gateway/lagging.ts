// A copy of a collection that is behind by some time, as each part of a real gateway is: changes come in order, and late.
import type { Resource } from '../../../src/api/resources.ts';
import type { KubeObject } from '../../../src/api/types.ts';
import type { Api } from '../../../src/kube/api.ts';
import { realClock } from '../../../src/kube/clock.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { Reflector } from '../../../src/kube/reflector.ts';

export interface LaggingOptions {
  readonly api: Api;
  readonly resource: Resource;
  readonly namespace: string;
  /** By how much it is behind, in milliseconds. Asked for each change. */
  readonly lagMs: () => number;
  /** Told after each change of the copy. */
  readonly onChange: () => void;
  /** Told at once, without the lag. */
  readonly onSeen?: (object: KubeObject) => void;
}

export class Lagging<T extends KubeObject> {
  readonly #reflector: Reflector<T>;
  readonly #objects = new Map<string, T>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastAt = 0;

  constructor({ api, resource, namespace, lagMs, onChange, onSeen }: LaggingOptions) {
    this.#reflector = new Reflector<T>({ api, clock: realClock, path: pathOf(resource, { namespace }) });
    this.#reflector.on(({ type, key, object }) => {
      const apply = (): void => {
        if (type === 'deleted') this.#objects.delete(key);
        else this.#objects.set(key, object);
        onChange();
      };
      if (type !== 'deleted') onSeen?.(object);
      // What was there at the start is known at once.
      if (!this.#reflector.synced) apply();
      else this.#later(lagMs(), apply);
    });
    this.#reflector.start();
  }

  /** Never before an earlier change. */
  #later(ms: number, apply: () => void): void {
    this.#lastAt = Math.max(this.#lastAt, performance.now() + ms);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      apply();
    }, this.#lastAt - performance.now());
    this.#timers.add(timer);
  }

  get objects(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** The objects as they are now. */
  get current(): readonly T[] {
    return [...this.#reflector.values()];
  }

  whenSynced(): Promise<boolean> {
    return this.#reflector.whenSynced();
  }

  async stop(): Promise<void> {
    await this.#reflector.stop();
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
