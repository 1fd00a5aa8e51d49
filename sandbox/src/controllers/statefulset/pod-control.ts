// Creates, repairs and deletes the Pods of a StatefulSet, with their claims and Events.
import type { Cache } from '../framework/cache.ts';
import { isAlreadyExists, isNotFound, type Session } from '../framework/controller.ts';
import { keyOf, pathOf, pathOfObject, PODS } from '../framework/meta.ts';
import type { Written } from '../framework/written.ts';
import type { GroupResource, KubeObject } from '../../core/types.ts';
import { claimsFor, madeItself } from './pods.ts';

const CLAIMS: GroupResource = { group: '', resource: 'persistentvolumeclaims' };

export class PodControl {
  private readonly session: Session;
  private readonly pods: Cache;
  private readonly written: Written;
  /** Created only for a StatefulSet with claims. */
  private claims: Cache | undefined;

  constructor(session: Session, pods: Cache, written: Written) {
    this.session = session;
    this.pods = pods;
    this.written = written;
  }

  async create(set: KubeObject, pod: KubeObject): Promise<void> {
    try {
      await this.createClaims(set, pod);
      const created = await this.session.request('POST', pathOf(PODS, set.metadata.namespace), { body: pod });
      this.written.note(keyOf(set), this.pods, created);
    } catch (error) {
      if (!isAlreadyExists(error)) this.report(set, pod, 'Create', error as Error);
      throw error;
    }
    this.report(set, pod, 'Create');
  }

  /** Creates missing claims. Nothing provisions them. */
  async createClaims(set: KubeObject, pod: KubeObject): Promise<void> {
    const wanted = claimsFor(set, pod);
    if (wanted.length === 0) return;
    this.claims ??= this.session.cache(CLAIMS);
    for (const claim of wanted) {
      const { namespace, name } = claim.metadata;
      const found = this.claims.get(namespace, name);
      if (found?.metadata.deletionTimestamp) throw new Error(`pvc ${name} is being deleted`);
      if (found) continue;
      try {
        await this.session.request('POST', pathOf(CLAIMS, namespace), { body: claim });
      } catch (error) {
        if (isAlreadyExists(error)) continue;
        throw new Error(`failed to create PVC ${name}: ${(error as Error).message}`, { cause: error });
      }
      const message = `Create Claim ${name} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} success`;
      this.session.events.record(set, 'Normal', 'SuccessfulCreate', message);
    }
  }

  async repair(set: KubeObject, pod: KubeObject): Promise<void> {
    try {
      await this.createClaims(set, pod);
      const updated = await this.session.request('PUT', pathOfObject(PODS, pod), { body: madeItself(set, pod) });
      this.written.note(keyOf(set), this.pods, updated);
    } catch (error) {
      this.report(set, pod, 'Update', error as Error);
      throw error;
    }
    this.report(set, pod, 'Update');
  }

  async delete(set: KubeObject, pod: KubeObject): Promise<void> {
    try {
      const deleted = await this.session.request('DELETE', pathOfObject(PODS, pod));
      // A real controller may delete twice. Its cache is rarely so late.
      if (deleted.kind === 'Pod') this.written.note(keyOf(set), this.pods, deleted);
    } catch (error) {
      if (!isNotFound(error)) {
        this.report(set, pod, 'Delete', error as Error);
        throw error;
      }
    }
    this.report(set, pod, 'Delete');
  }

  private report(set: KubeObject, pod: KubeObject, verb: 'Create' | 'Update' | 'Delete', error?: Error): void {
    const did = `${verb} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
    if (error) this.session.events.record(set, 'Warning', `Failed${verb}`, `${did} failed error: ${error.message}`);
    else this.session.events.record(set, 'Normal', `Successful${verb}`, `${did} successful`);
  }
}
