// Updates the table of resources for CustomResourceDefinitions: adds their kinds, and cleans up after their deletion.
import { collectionOf, type Registry } from './core/resources.ts';
import { establish, resourceTypesOf, type Conversion } from './crd/index.ts';
import { CLEANUP } from './kinds/extensions.ts';
import { timestamp } from './core/names.ts';
import { ApiError, type Client, type Clock, type KubeObject, type ResourceType } from './core/types.ts';
import type { Store } from './core/store.ts';

const COLLECTION = 'apiextensions.k8s.io/customresourcedefinitions';
/** Names are accepted shortly after the creation of the definition, not during it. */
const ESTABLISH_MS = 5;
const CLEANUP_MS = 50;

export class Definitions {
  private readonly store: Store;
  private readonly registry: Registry;
  private readonly clock: Clock;
  private readonly client: Client;
  private readonly conversion: Conversion | undefined;
  /** The rows of each definition by its name, with the spec that they come from. */
  private readonly served = new Map<string, { spec: unknown; rows: ResourceType[] }>();
  private stopped = false;

  constructor(options: { store: Store; registry: Registry; clock: Clock; client: Client; conversion?: Conversion }) {
    this.store = options.store;
    this.registry = options.registry;
    this.clock = options.clock;
    this.client = options.client;
    this.conversion = options.conversion;
    this.store.subscribe(COLLECTION, ({ type, object }) => {
      if (type === 'DELETED') this.drop(object.metadata.name);
      else this.clock.after(ESTABLISH_MS, () => this.look(object.metadata.name));
    });
    // Definitions from before a restart.
    for (const { metadata } of this.store.list(COLLECTION)) this.look(metadata.name);
  }

  stop(): void {
    this.stopped = true;
  }

  private look(name: string): void {
    const definition = this.store.get(COLLECTION, '', name);
    if (!definition || this.stopped) return;
    if (definition.metadata.deletionTimestamp) {
      void this.cleanUp(definition).catch(() => this.clock.after(CLEANUP_MS, () => this.look(name)));
      return;
    }
    const next = establish(definition, timestamp(this.clock.now()), [...this.store.list(COLLECTION)]);
    // The commit calls this function again. The second call changes nothing.
    if (next && this.store.commit(COLLECTION, definition, next)) return;
    if (isEstablished(definition)) this.serve(definition);
  }

  private serve(definition: KubeObject): void {
    const { name } = definition.metadata;
    if (this.served.get(name)?.spec === definition.spec) return;
    const rows = resourceTypesOf(definition, this.conversion);
    const { group, plural } = rows[0] ?? {};
    if (this.served.has(name) && group !== undefined) this.registry.remove(group, plural!);
    this.registry.add(...rows);
    this.served.set(name, { spec: definition.spec, rows });
  }

  private drop(name: string): void {
    const [row] = this.served.get(name)?.rows ?? [];
    this.served.delete(name);
    if (row) this.registry.remove(row.group, row.plural);
  }

  /** Deletes all objects of the kind as a client would, then removes the finalizer of the definition. */
  private async cleanUp(definition: KubeObject): Promise<void> {
    const { name } = definition.metadata;
    const [row] = this.served.get(name)?.rows ?? [];
    if (row) {
      const objects = this.store.list(collectionOf(row));
      for (const { metadata } of objects) {
        if (metadata.deletionTimestamp) continue;
        const within = metadata.namespace ? `namespaces/${encodeURIComponent(metadata.namespace)}/` : '';
        const path = `/apis/${row.group}/${row.version}/${within}${row.plural}/${encodeURIComponent(metadata.name)}`;
        await this.client.request('DELETE', path).catch(unlessGone);
      }
      if (this.store.list(collectionOf(row)).length) {
        this.clock.after(CLEANUP_MS, () => this.look(name));
        return;
      }
    }
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
    const finalizers = (definition.metadata.finalizers ?? []).filter((each) => each !== CLEANUP);
    if (finalizers.length === definition.metadata.finalizers?.length) return;
    await this.client
      .request('PATCH', path, {
        type: 'application/merge-patch+json',
        body: { metadata: { finalizers, resourceVersion: definition.metadata.resourceVersion } },
      })
      .catch(unlessGone);
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof ApiError && error.status.code === 404)) throw error;
}

const isEstablished = ({ status }: KubeObject): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(
    (each) => each.type === 'Established' && each.status === 'True',
  );
