// A watched collection of the dashboard, which knows why it has nothing: the user may not list it, or the cluster does not serve it.
import type { Resource } from '../../api/resources.ts';
import type { KubeObject, LabelSelector } from '../../api/types.ts';
import { selectorText } from '../../engine/lib/selector.ts';
import type { Api } from '../../kube/api.ts';
import { realClock } from '../../kube/clock.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { silent, type Fields } from '../../kube/log.ts';
import { nameSelector, pathOf } from '../../kube/path.ts';
import { Reflector } from '../../kube/reflector.ts';

export interface Scope {
  /** Undefined: all namespaces. */
  readonly namespace?: string | undefined;
  readonly selector?: LabelSelector | undefined;
  /** Only the object with this name. */
  readonly only?: string | undefined;
}

export class Kept<T extends KubeObject> {
  readonly resource: Resource;
  private readonly reflector: Reflector<T>;
  private failure: unknown;

  /** Starts to watch. `notice`: something has changed, or is known now. */
  constructor(api: Api, resource: Resource, { namespace, selector, only }: Scope, notice: () => void) {
    this.resource = resource;
    const logger = {
      ...silent,
      warn: (_: string, { error }: Fields = {}) => {
        this.failure = error;
        notice();
      },
      child: () => logger,
    };
    this.reflector = new Reflector<T>({
      api,
      clock: realClock,
      logger,
      path: pathOf(resource, { namespace }),
      ...(selector && { labelSelector: selectorText(selector) }),
      ...(only !== undefined && { fieldSelector: nameSelector(only) }),
    });
    this.reflector.on(notice);
    this.reflector.start();
    void this.reflector.whenSynced().then(notice);
  }

  get items(): T[] {
    return [...this.reflector.store.values()];
  }

  get(key: string): T | undefined {
    return this.reflector.get(key);
  }

  /** It has the collection, or knows why not. */
  get settled(): boolean {
    return this.reflector.synced || this.refused || this.unserved;
  }

  /** The user may not list or watch it. */
  get refused(): boolean {
    return !this.reflector.synced && isForbidden(this.failure);
  }

  /** The cluster does not have the kind. */
  get unserved(): boolean {
    return !this.reflector.synced && isNotFound(this.failure);
  }

  /** Why it may be out of date. Undefined while the watch works. */
  get trouble(): string | undefined {
    return this.reflector.doubt ?? this.reflector.problem;
  }

  stop(): Promise<void> {
    return this.reflector.stop();
  }
}
