// Tells which Services a change concerns: of a Service, or of a Pod that it selects or selected.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import type { Session } from '../framework/controller.ts';
import { PODS, sameJson, SERVICES } from '../framework/meta.ts';
import { isSameEndpoint, isSelected, isSelecting } from './pods.ts';

export class SelectedPods {
  readonly services: Cache;
  private readonly session: Session;
  private readonly changed: (service: KubeObject) => void;
  /** Created only if a Service has a selector. Clusters without Services do not need to watch Pods here. */
  private pods: Cache | undefined;

  constructor(session: Session, changed: (service: KubeObject) => void) {
    this.session = session;
    this.changed = changed;
    this.services = session.cache(SERVICES, ({ object }) => changed(object));
  }

  inNamespace(namespace: string): Iterable<KubeObject> {
    this.pods ??= this.session.cache(PODS, (event) => this.onPod(event));
    return this.pods.inNamespace(namespace);
  }

  private onPod({ type, object, previous }: CacheEvent): void {
    const { namespace, labels } = object.metadata;
    const relabelled = previous && !sameJson(previous.metadata.labels, labels);
    if (type === 'MODIFIED' && previous && !relabelled && isSameEndpoint(object, previous)) return;
    for (const service of this.services.inNamespace(namespace!)) {
      if (!isSelecting(service)) continue;
      if (isSelected(service, labels) || (relabelled && isSelected(service, previous.metadata.labels)))
        this.changed(service);
    }
  }
}
