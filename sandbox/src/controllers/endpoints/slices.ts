// Keeps the EndpointSlices of each Service with a selector. Slices that it does not manage are left alone.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import {
  createController,
  isNamespaceTerminating,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import { keyOf, NODES, pathOf, pathOfObject, splitKey } from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { Written } from '../framework/written.ts';
import { isSelecting, podsOf } from './pods.ts';
import { SelectedPods } from './services.ts';
import { MANAGED_BY, MANAGER, planSlices, SERVICE_NAME } from './slice-plan.ts';

const SLICES = { group: 'discovery.k8s.io', resource: 'endpointslices' };
const ZONE = 'topology.kubernetes.io/zone';
/** After a change of a slice that another client made. */
const REPAIR_MS = 1000;

export const createEndpointSliceController = (options: ControllerOptions): Controller =>
  createController('endpointslice-controller', options, (session) => new EndpointSliceController(session));

class EndpointSliceController {
  private readonly session: Session;
  private readonly selected: SelectedPods;
  private readonly queue: WorkQueue;
  /** The slices of all Services, and the nodes. Created only if a Service has a selector. */
  private others: { slices: Cache; nodes: Cache } | undefined;
  private readonly written = new Written();
  /** Slice → its last resourceVersion that this controller wrote. Empty: deleted. */
  private readonly versions = new Map<string, string>();
  /** Services whose slices in the cache are out of date. */
  private readonly waiting = new Set<string>();

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key));
    this.selected = new SelectedPods(session, (service) => this.queue.add(keyOf(service)));
  }

  private watchOthers(): { slices: Cache; nodes: Cache } {
    this.others ??= {
      slices: this.session.cache(SLICES, (event) => this.onSlice(event)),
      nodes: this.session.cache(NODES, ({ type, object, previous }) => {
        if (type === 'MODIFIED' && previous?.metadata.labels?.[ZONE] === object.metadata.labels?.[ZONE]) return;
        for (const service of this.selected.services.objects.values()) this.queue.add(keyOf(service));
      }),
    };
    return this.others;
  }

  private onSlice({ type, object, previous }: CacheEvent): void {
    const key = keyOf(object);
    const expected = this.versions.get(key);
    if (type === 'DELETED') this.versions.delete(key);
    if (expected === (type === 'DELETED' ? '' : object.metadata.resourceVersion)) return this.wake(object);
    for (const slice of [object, previous]) {
      const service = slice && isManaged(slice) ? slice.metadata.labels?.[SERVICE_NAME] : undefined;
      if (service) this.queue.addAfter(`${object.metadata.namespace}/${service}`, REPAIR_MS);
    }
  }

  /** The Service may wait until the cache shows this slice. */
  private wake({ metadata: { namespace, labels } }: KubeObject): void {
    const key = `${namespace}/${labels?.[SERVICE_NAME]}`;
    if (this.waiting.delete(key)) this.queue.add(key);
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = this.selected.services.get(namespace, name);
    // The garbage collector deletes the slices.
    if (!service || service.metadata.deletionTimestamp) return this.written.forget(key);
    if (!isSelecting(service)) return;
    const pods = podsOf(service, this.selected.inNamespace(namespace));
    const { slices, nodes } = this.watchOthers();
    if (!this.written.seen(key)) return void this.waiting.add(key);
    const own = [...slices.inNamespace(namespace)].filter(
      (slice) =>
        isManaged(slice) && slice.metadata.labels?.[SERVICE_NAME] === name && !slice.metadata.deletionTimestamp,
    );
    const zones = new Map([...nodes.objects.values()].map(({ metadata }) => [metadata.name, metadata.labels?.[ZONE]]));
    const { create, update, remove } = planSlices(service, pods, own, zones);
    for (const slice of create) await this.create(key, slices, slice);
    for (const slice of update)
      this.note(key, slices, await this.session.request('PUT', pathOfObject(SLICES, slice), { body: slice }));
    for (const slice of remove) await this.remove(slice);
  }

  private async create(key: string, slices: Cache, slice: KubeObject): Promise<void> {
    try {
      const path = pathOf(SLICES, slice.metadata.namespace);
      this.note(key, slices, await this.session.request('POST', path, { body: slice }));
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
  }

  private async remove(slice: KubeObject): Promise<void> {
    this.versions.set(keyOf(slice), '');
    try {
      await this.session.request('DELETE', pathOfObject(SLICES, slice));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  private note(key: string, slices: Cache, slice: KubeObject): void {
    this.versions.set(keyOf(slice), slice.metadata.resourceVersion!);
    this.written.note(key, slices, slice);
  }
}

const isManaged = ({ metadata }: KubeObject): boolean => metadata.labels?.[MANAGED_BY] === MANAGER;
