// The cache of a kind that comes with a CustomResourceDefinition: filled while the definition is served, and empty otherwise.
import type { KubeObject } from '../api/types.ts';
import { DEFINITIONS } from '../api/resources.ts';
import type { Api, Clock } from './api.ts';
import type { Collection } from './collection.ts';
import type { Logger } from './log.ts';
import { nameSelector, pathOf } from './path.ts';
import { Reflector, type ChangeHandler, type Listing } from './reflector.ts';
import { keyOf } from './store.ts';

/** Why objects of a kind cannot be read. */
export interface Absence {
  /** `waiting for the CustomResourceDefinition clonesets.apps.kruise.io`. */
  readonly message: string;
  /** The kind is not served, so there are no objects. Otherwise there may be some that cannot be read. */
  readonly gone: boolean;
}

export interface ServedOptions<T extends KubeObject> {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of the CustomResourceDefinition. */
  readonly definition: string;
  /** The version of the API that is read: `v1alpha1`. */
  readonly version: string;
  /** The objects in words, in the plural. */
  readonly what: string;
  /** Makes the cache, which is started when the kind is served. `onTrouble` must be called for each failure of its watch. */
  readonly make: (onTrouble: () => void) => Collection<T>;
  readonly onRestart?: (resource: string, reason: string) => void;
}

interface Definition extends KubeObject {
  readonly spec?: { readonly versions?: readonly { readonly name?: string; readonly served?: boolean }[] };
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] };
}

interface Open<T extends KubeObject> {
  readonly objects: Collection<T>;
  readonly ends: (() => unknown)[];
}

/** Watches one definition by its name, so that RBAC can limit the right to this name. Never unready because the definition is missing. */
export class Served<T extends KubeObject> implements Collection<T> {
  private readonly options: ServedOptions<T>;
  private readonly definitions: Reflector<Definition>;
  private readonly handlers = new Map<ChangeHandler<T>, (() => unknown) | undefined>();
  private readonly listeners = new Map<(listing: Listing) => void, (() => unknown) | undefined>();
  private readonly absences = new Set<() => void>();
  private readonly waiting: ((synced: boolean) => void)[] = [];
  private readonly stopping: Promise<void>[] = [];
  private open: Open<T> | undefined;
  private said: string | undefined;

  constructor(options: ServedOptions<T>) {
    this.options = options;
    const { api, clock, logger, definition, onRestart } = options;
    this.definitions = new Reflector<Definition>({
      api,
      clock,
      logger,
      path: pathOf(DEFINITIONS),
      fieldSelector: nameSelector(definition),
      transform: keepVersions,
      onRestart: (reason) => {
        onRestart?.(DEFINITIONS.plural, reason);
        this.changed();
      },
    });
    this.definitions.on(() => this.look());
    this.definitions.onListed(() => this.look());
  }

  get synced(): boolean {
    if (!this.definitions.synced) return this.definitions.refused !== undefined;
    return this.open === undefined || this.open.objects.synced || this.open.objects.refused !== undefined;
  }

  get problem(): string | undefined {
    return this.synced ? undefined : (this.definitions.problem ?? this.open?.objects.problem);
  }

  get doubt(): string | undefined {
    return this.definitions.refused === undefined ? (this.definitions.doubt ?? this.open?.objects.doubt) : undefined;
  }

  get refused(): string | undefined {
    return this.definitions.refused ?? this.open?.objects.refused;
  }

  /** Why objects cannot be read. Undefined if they can, or if that is not known yet. */
  get absence(): Absence | undefined {
    const { definition, version, what } = this.options;
    const { refused } = this.definitions;
    if (refused !== undefined) return { message: `cannot read ${what}: ${refused}`, gone: false };
    if (!this.definitions.synced) return undefined;
    const found = this.definitions.get(definition);
    if (found === undefined) {
      return { message: `the cluster has no ${what}: waiting for CustomResourceDefinition ${definition}`, gone: true };
    }
    if (!serves(found, version)) {
      const message = `waiting until CustomResourceDefinition ${definition} serves ${version}`;
      return { message, gone: false };
    }
    const why = this.open?.objects.refused;
    return why === undefined ? undefined : { message: `cannot read ${what}: ${why}`, gone: false };
  }

  /** Calls the listener when `absence` has changed. Returns a function that removes the listener. */
  onAbsence(listener: () => void): () => boolean {
    this.absences.add(listener);
    return () => this.absences.delete(listener);
  }

  whenSynced(): Promise<boolean> {
    return this.synced ? Promise.resolve(true) : new Promise((resolve) => this.waiting.push(resolve));
  }

  get(key: string): T | undefined {
    return this.open?.objects.get(key);
  }

  by(index: string, value: string): T[] {
    return this.open?.objects.by(index, value) ?? [];
  }

  values(): Iterable<T> {
    return this.open?.objects.values() ?? [];
  }

  on(handler: ChangeHandler<T>): () => boolean {
    this.handlers.set(handler, this.open?.objects.on(handler));
    return () => {
      this.handlers.get(handler)?.();
      return this.handlers.delete(handler);
    };
  }

  onListed(listener: (listing: Listing) => void): () => boolean {
    this.listeners.set(listener, this.open?.objects.onListed(listener));
    return () => {
      this.listeners.get(listener)?.();
      return this.listeners.delete(listener);
    };
  }

  start(): void {
    this.definitions.start();
    void this.definitions.whenSynced().then(() => this.changed());
  }

  async stop(): Promise<void> {
    await this.definitions.stop();
    const { open } = this;
    for (const end of open?.ends ?? []) end();
    await Promise.all([...this.stopping, open?.objects.stop()]);
    for (const resolve of this.waiting.splice(0)) resolve(this.synced);
  }

  /** Opens or closes the cache. */
  private look(): void {
    const { definition, version, what, logger } = this.options;
    const found = this.definitions.get(definition);
    const isServed = found !== undefined && serves(found, version);
    if (isServed && this.open === undefined) {
      logger.info(`${what} are served`, { definition });
      this.begin();
    } else if (!isServed && this.open !== undefined) {
      logger.info(`${what} are not served any more`, { definition });
      this.end(this.open);
    }
    this.changed();
  }

  private begin(): void {
    const objects = this.options.make(() => this.changed());
    this.open = { objects, ends: [objects.onListed(() => this.changed())] };
    for (const handler of this.handlers.keys()) this.handlers.set(handler, objects.on(handler));
    for (const listener of this.listeners.keys()) this.listeners.set(listener, objects.onListed(listener));
    objects.start();
    void objects.whenSynced().then(() => this.changed());
  }

  private end({ objects, ends }: Open<T>): void {
    this.open = undefined;
    for (const end of ends) end();
    for (const [listener, end] of this.listeners) {
      end?.();
      this.listeners.set(listener, undefined);
    }
    for (const [handler, end] of this.handlers) {
      end?.();
      this.handlers.set(handler, undefined);
      for (const object of objects.values()) handler({ type: 'deleted', key: keyOf(object), object });
    }
    this.stopping.push(objects.stop());
  }

  private changed(): void {
    if (this.synced) for (const resolve of this.waiting.splice(0)) resolve(true);
    const { message } = this.absence ?? {};
    if (message === this.said) return;
    this.said = message;
    for (const listener of this.absences) listener();
  }
}

const isEstablished = ({ status }: Definition): boolean =>
  status?.conditions?.some(({ type, status: state }) => type === 'Established' && state === 'True') ?? false;

const serves = (definition: Definition, version: string): boolean =>
  isEstablished(definition) &&
  (definition.spec?.versions?.some(({ name, served }) => name === version && served === true) ?? false);

/** A definition is large, because of its schemas. */
function keepVersions({ apiVersion, kind, metadata, spec, status }: Definition): Definition {
  const { name, uid, resourceVersion } = metadata;
  return {
    ...(apiVersion && { apiVersion }),
    ...(kind && { kind }),
    metadata: { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    spec: { versions: (spec?.versions ?? []).map((one) => ({ name: one.name ?? '', served: one.served === true })) },
    status: { conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Established') },
  };
}
