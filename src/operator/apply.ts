// Carries out decisions: first the effects in order, then one write of the status, then the events.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import { concernsWorkload, EVENTS, type EventReason } from '../api/reasons.ts';
import type { KubeObject, Pod, Rollout, RolloutStatus, Workload } from '../api/types.ts';
import { isTooLarge, tooLargeForUs } from '../engine/workload/annotation-size.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { kindOfResource } from '../engine/workload/registry.ts';
import type { Decision, Effect, MergePatch } from '../engine/decision.ts';
import type { PatchOp } from '../engine/lib/json-patch.ts';
import { cleaned } from '../engine/messages.ts';
import type { Api, ApiCall, Clock } from '../kube/api.ts';
import { ApiError, isBusy, isConflict, isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { findObject, getObject } from '../kube/get.ts';
import type { Logger } from '../kube/log.ts';
import { PODS, ROLLOUTS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { freeze, splitKey } from '../kube/store.ts';
import { managedFieldsPatch, routeManagedFieldsPatch, type ManagedFieldsOp } from './managed-fields.ts';
import { hasOwnersToRestore } from '../engine/workload/disown.ts';
import { Copies } from './copies.ts';
import { Evictions } from './evictions.ts';
import { keepOnly, type MutationCache } from './mutation-cache.ts';
import { specGuarded } from './spec-guard.ts';
import { mergeDiff } from './status-patch.ts';
import { transformPod } from './transform.ts';

export interface ApplierDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly writes: MutationCache;
  readonly logger: Logger;
  readonly metrics?: { budgetMove(move: string, key: string): void; bypass(): void; approval?(): void };
}

interface WriteOptions {
  /** The write contains the resourceVersion that it was decided on. */
  readonly isPinned?: boolean;
  /** The part of the answer that is kept. */
  readonly transform?: (answer: KubeObject) => KubeObject;
}

type Patch = Effect & { readonly kind: 'Patch' };
type Evict = Effect & { readonly kind: 'Evict' };

const JSON_PATCH = 'application/json-patch+json';
const isJsonPatch = (patch: Patch['patch']): patch is readonly PatchOp[] => Array.isArray(patch);

const MANAGED_FIELDS_TRIES = 3;
/** Bad request, forbidden, invalid: a retry succeeds only after a change. */
const REFUSALS = new Set([400, 403, 422]);
const MAX_MESSAGE = 1_000;
/** Refused labels of Pods are retried after this time. */
const LABELS_AGAIN_MS = 300_000;

/** Path of an object, which must be in the namespace of the key. */
function pathTo(key: string, resource: Resource, { metadata }: KubeObject, subresource?: 'status'): string {
  const { namespace } = splitKey(key);
  if (metadata.namespace !== namespace)
    throw new Error(`${resource.kind} "${metadata.name}" is not in the namespace of ${key}`);
  return pathOf(resource, { namespace, name: metadata.name, subresource });
}

export class Applier {
  private readonly deps: ApplierDeps;
  /** When this process last wrote each Rollout's status, in milliseconds, by key and uid of the Rollout. */
  private readonly reported = new Map<string, Map<string, number>>();
  /** When refused labels of a workload's Pods are retried, in milliseconds, by key. */
  private readonly unlabelled = new Map<string, number>();

  /** Workloads whose borrowed fields Tranche still owns, because other writes came first each time, by key. */
  private readonly owned = new Set<string>();

  readonly evictions: Evictions;
  private readonly copies: Copies;

  constructor(deps: ApplierDeps) {
    this.deps = deps;
    this.evictions = new Evictions(deps.api, deps.clock);
    this.copies = new Copies(deps.api);
  }

  reportedAt(key: string, rollout: Rollout): number | undefined {
    return this.reported.get(key)?.get(rollout.metadata.uid ?? '');
  }

  /** Forgets all Rollouts of the key except these. */
  keepOnly(key: string, rollouts: readonly Rollout[]): void {
    keepOnly(this.reported, key, rollouts);
  }

  /** Number of remembered Rollouts, for tests only. */
  get remembered(): number {
    return [...this.reported.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** When labels may be written again, in milliseconds. Undefined if they may be written now. */
  labelsAgainAt(key: string): number | undefined {
    const at = this.unlabelled.get(key);
    if (at === undefined || at > this.deps.clock.now()) return at;
    this.unlabelled.delete(key);
    return undefined;
  }

  /** Forgets all about the workload. */
  forgetWorkload(key: string): void {
    this.unlabelled.delete(key);
    this.owned.delete(key);
    this.copies.forget(key);
    this.evictions.forget(key);
  }

  /** Forgets the last status write, so that the next one need not wait. */
  forget(key: string, rollout: Rollout): void {
    const reported = this.reported.get(key);
    reported?.delete(rollout.metadata.uid ?? '');
    if (reported?.size === 0) this.reported.delete(key);
  }

  /**
   * Resolves with true if a write changed something, so that another decision is needed. (A server whose CRD lacks a field drops it at each write.
   * Labels of Pods are observed by their watch.) Throws on a conflict or another failure, after which the caller decides again.
   */
  async carryOut(
    key: string,
    decision: Decision,
    rollout: Rollout | undefined,
    workload: Workload | undefined,
  ): Promise<boolean> {
    let changed = false;
    const labels: Promise<boolean>[] = [];
    for (const effect of decision.effects) {
      if (effect.kind === 'Patch' && effect.why === 'label') labels.push(this.label(key, effect, rollout));
      else if (effect.kind === 'Evict') changed = (await this.evict(key, effect, rollout, workload)) || changed;
      else if (await this.apply(key, effect)) changed = true;
    }
    const refused = (await Promise.all(labels)).includes(true);
    // The next decision depends on whether labels are refused.
    if (refused) changed = true;
    if (decision.status && rollout && (await this.report(key, rollout, decision.status))) changed = true;
    for (const { reason, message } of decision.events) {
      this.record(reason, message, rollout, workload);
      if (reason === 'Bypassed') this.deps.metrics?.bypass();
      if (reason === 'Approved') this.deps.metrics?.approval?.();
      this.deps.logger.info('release', { key, reason, detail: message });
    }
    return changed;
  }

  /** Records an event on the Rollout, and on the workload if it concerns it or has no Rollout. */
  private record(
    reason: EventReason,
    message: string,
    rollout: Rollout | undefined,
    workload: Workload | undefined,
  ): void {
    const [type] = EVENTS[reason];
    for (const about of [rollout, rollout && !concernsWorkload(reason) ? undefined : workload])
      if (about) this.deps.events.record({ about, type, reason, message });
  }

  private async apply(key: string, effect: Exclude<Effect, Evict>): Promise<boolean> {
    const changed = await this.make(key, effect);
    this.deps.metrics?.budgetMove(effect.why, key);
    this.deps.logger.debug('written', { key, kind: effect.resource.kind, why: effect.why });
    return changed;
  }

  private async make(key: string, effect: Exclude<Effect, Evict>): Promise<boolean> {
    switch (effect.kind) {
      case 'Patch':
        return this.patch(key, effect);
      case 'Disown':
        return this.disown(key, effect);
      case 'Create':
        await this.copies.create(key, effect);
        return effect.why === 'service';
      case 'Delete':
        await this.copies.remove(key, effect).catch((error: unknown) => {
          // The copy is deleted with its owner, so a release does not wait for this.
          if (effect.why === 'service' || !(error instanceof ApiError) || !REFUSALS.has(error.code)) throw error;
          this.deps.logger.warn('cannot delete the copy of the stable template', { key, error });
        });
        return effect.why === 'service';
    }
  }

  /** Evicts exactly the Pod that was decided on, and writes an event. The next decision follows at once, with what is known now. */
  private async evict(
    key: string,
    { pod, says, why }: Evict,
    rollout: Rollout | undefined,
    workload: Workload | undefined,
  ): Promise<boolean> {
    const { metrics, logger } = this.deps;
    const record = (reason: 'PodEvicted' | 'EvictionRefused', message: string): void => {
      this.record(reason, message, rollout, workload);
      logger.info('release', { key, reason, detail: message });
    };
    pathTo(key, PODS, pod);
    const outcome = await this.evictions.evict(key, pod);
    if (outcome.kind === 'Evicted') {
      metrics?.budgetMove(why, key);
      record('PodEvicted', says);
    } else if (outcome.kind === 'Refused' && outcome.isNews) {
      record('EvictionRefused', `Pod ${pod.metadata.name} is not evicted: ${cleaned(outcome.said, MAX_MESSAGE)}`);
    }
    return true;
  }

  private async patch(key: string, { resource, before, patch, why, guard }: Patch): Promise<boolean> {
    const path = pathTo(key, resource, before);
    if (isJsonPatch(patch)) {
      const changed = await this.write(key, before, { path, body: patch, contentType: JSON_PATCH });
      if (why === 'route') await this.dropOwnership(key, resource, before, routeManagedFieldsPatch);
      return changed;
    }
    const kind = kindOfResource(resource);
    const body = kind ? await this.noteOwners(key, kind, patch, before) : patch;
    const guarded = guard === 'Spec' ? specGuarded(before, patch) : undefined;
    const written = guarded && (await this.tryOps(key, before, { path, body: guarded, contentType: JSON_PATCH }));
    const changed = written ?? (await this.write(key, before, { path, body }));
    // A move follows a mark at once and drops the ownership.
    if (kind && why !== 'mark') await this.dropOwnershipOf(key, kind, before as Workload);
    return changed;
  }

  /** Undefined if the API server rejects the operations: a patch with the resourceVersion then says why. */
  private async tryOps(key: string, before: KubeObject, call: Omit<ApiCall, 'method'>): Promise<boolean | undefined> {
    try {
      return await this.write(key, before, call, { isPinned: false });
    } catch (error) {
      if (error instanceof ApiError && error.code === 422) return undefined;
      throw error;
    }
  }

  /**
   * Labels are for logs and metrics, so a deleted Pod needs none, and a release does not wait for refused labels. Resolves with true if they are
   * refused.
   */
  private async label(key: string, { resource, before, patch }: Patch, rollout: Rollout | undefined): Promise<boolean> {
    try {
      const call = { path: pathTo(key, resource, before), body: patch };
      await this.write(key, before, call, { isPinned: false, transform: (answer) => transformPod(answer as Pod) });
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return false;
      if (!(error instanceof ApiError)) throw error;
      const known = this.labelsAgainAt(key) !== undefined;
      this.unlabelled.set(key, this.deps.clock.now() + LABELS_AGAIN_MS);
      if (known) return true;
      const message = `the API server refuses labels of Pods; the release continues without them: ${cleaned(error.message, MAX_MESSAGE)}`;
      if (rollout)
        this.deps.events.record({ about: rollout, type: EVENTS.WriteRefused[0], reason: 'WriteRefused', message });
      this.deps.logger.warn('the API server refuses labels of Pods', { key, error });
      return true;
    }
    return false;
  }

  private async report(key: string, rollout: Rollout, status: RolloutStatus): Promise<boolean> {
    const diff = mergeDiff(rollout.status, status);
    if (!diff) return false;
    const current = this.deps.writes.newest(key, rollout);
    const body = { metadata: { resourceVersion: current.metadata.resourceVersion }, status: diff };
    const path = pathTo(key, ROLLOUTS, rollout, 'status');
    const changed = await this.write(key, current, { path, body }).catch(async (error: unknown) => {
      if (isConflict(error)) await this.readAgain(key, current);
      throw error;
    });
    const reported = this.reported.get(key) ?? new Map<string, number>();
    this.reported.set(key, reported.set(rollout.metadata.uid ?? '', this.deps.clock.now()));
    return changed;
  }

  /**
   * Another write came before, and the watch may tell of it late. Writes to the workload do not fail for that, so the next decision needs the newest
   * Rollout.
   */
  private async readAgain(key: string, rollout: Rollout): Promise<void> {
    try {
      const newest = await getObject<Rollout>(this.deps.api, ROLLOUTS, rollout.metadata);
      this.deps.writes.read(key, rollout, freeze(newest), false);
    } catch (error) {
      this.deps.logger.debug('cannot read the Rollout again', { key, error });
    }
  }

  /**
   * Reports a refused write (a missing right, another webhook or policy, a quota) in the status and, once, as an event, because it may be refused
   * forever. Other errors are temporary.
   */
  async reportRefusal(key: string, rollout: Rollout, workload: Workload | undefined, error: unknown): Promise<void> {
    if (!(error instanceof ApiError) || !REFUSALS.has(error.code)) return;
    const cause = workload && isTooLarge(error.message) ? `${tooLargeForUs(workload)}; ` : '';
    const said = `${cause}${cleaned(error.message, MAX_MESSAGE)}`;
    const message = `the API server refuses a write of the operator, which tries again: ${said}`;
    const { status } = this.deps.writes.newest(key, rollout)!;
    if (status?.message === message) return;
    this.deps.events.record({ about: rollout, type: EVENTS.WriteRefused[0], reason: 'WriteRefused', message });
    const canaryStatus = status?.canaryStatus && { ...status.canaryStatus, message };
    try {
      await this.report(key, rollout, { ...status, message, ...(canaryStatus && { canaryStatus }) } as RolloutStatus);
    } catch (failed) {
      this.deps.logger.debug('cannot report a refused write', { key, error: failed });
    }
    // When the write is accepted, the status is updated at once.
    this.forget(key, rollout);
  }

  private async disown(key: string, { resource, name }: Effect & { readonly kind: 'Disown' }): Promise<false> {
    const route = await findObject(this.deps.api, resource, { namespace: splitKey(key).namespace, name });
    if (route) await this.dropOwnership(key, resource, route, routeManagedFieldsPatch);
    return false;
  }

  /** Drops the ownership of fields, best effort: otherwise server-side apply of another value reports a conflict with Tranche. */
  private async dropOwnership<T extends KubeObject>(
    key: string,
    resource: Resource,
    before: T,
    patchOf: (object: T) => readonly ManagedFieldsOp[] | undefined,
  ): Promise<'Dropped' | 'Refused' | 'Overtaken'> {
    const path = pathTo(key, resource, before);
    let written = this.deps.writes.newest(key, before);
    for (let tries = 0; tries < MANAGED_FIELDS_TRIES; tries++) {
      const ops = patchOf(written);
      if (!ops) return 'Dropped';
      try {
        await this.write(key, written, { path, body: ops, contentType: JSON_PATCH });
        return 'Dropped';
      } catch (error) {
        if (!(error instanceof ApiError) || error.code >= 500 || error.code === 429) throw error;
        if (error.code !== 422 && !isConflict(error)) return 'Refused';
        // Another write changed the positions of the entries.
        written = await getObject<T>(this.deps.api, resource, before.metadata);
      }
    }
    return 'Overtaken';
  }

  /** While Pods start, the controller of the workload writes its status often, so the tries may not be enough: the next pass tries again. */
  private async dropOwnershipOf(key: string, kind: WorkloadKind, before: Workload): Promise<boolean> {
    const patchOf = (workload: Workload) => managedFieldsPatch(kind, workload, this.deps.clock.now());
    // It stays if the API server fails.
    this.owned.add(key);
    const outcome = await this.dropOwnership(key, kind.resource, before, patchOf);
    if (outcome !== 'Overtaken') this.owned.delete(key);
    return outcome === 'Dropped';
  }

  /** Adds the field owners to the record of a hold by the operator. The cache has no managedFields, so this costs one read. */
  private async noteOwners(key: string, kind: WorkloadKind, patch: MergePatch, before: KubeObject): Promise<object> {
    const annotations = patch.metadata['annotations'] as Readonly<Record<string, string | null>> | undefined;
    if (typeof annotations?.[HELD] !== 'string' || before.metadata.annotations?.[HELD] !== undefined) return patch;
    try {
      const { metadata } = await getObject(this.deps.api, kind.resource, { ...before.metadata, uid: undefined });
      const { managedFields } = metadata as { readonly managedFields?: unknown };
      const owners = kind.fields.ownersNow(managedFields, metadata.annotations?.[FIELD_OWNERS]);
      return { ...patch, metadata: { ...patch.metadata, annotations: { ...annotations, [FIELD_OWNERS]: owners } } };
    } catch (error) {
      this.deps.logger.debug('cannot record the field owners', { key, error });
      return patch;
    }
  }

  /**
   * Restores the field owners of a workload that the webhook gave back, and drops the ownership that other writes kept from being dropped. The cache
   * has no managedFields, so this costs one read. Best effort: no release waits for it. `Failed`: a later try may succeed.
   */
  async giveBackOwners(key: string, kind: WorkloadKind, cached: Workload): Promise<'Written' | 'Done' | 'Failed'> {
    const isDue = (workload: Workload): boolean => hasOwnersToRestore(workload) || this.owned.has(key);
    if (!isDue(cached)) return 'Done';
    try {
      const known = await getObject<Workload>(this.deps.api, kind.resource, { ...cached.metadata, uid: undefined });
      if (!isDue(known)) return 'Done';
      this.deps.writes.read(key, cached, freeze(known), true);
      return (await this.dropOwnershipOf(key, kind, known)) ? 'Written' : 'Done';
    } catch (error) {
      this.deps.logger.debug('cannot restore the field owners', { key, error });
      return error instanceof ApiError && error.code < 500 && !isBusy(error) ? 'Done' : 'Failed';
    }
  }

  private async write(
    key: string,
    object: KubeObject,
    call: Omit<ApiCall, 'method'>,
    { isPinned = true, transform = (answer) => answer }: WriteOptions = {},
  ): Promise<boolean> {
    const contentType = call.contentType ?? 'application/merge-patch+json';
    const answer = (await this.deps.api.request({ ...call, method: 'PATCH', contentType })) as KubeObject;
    this.deps.writes.remember(key, object, freeze(transform(answer)), isPinned);
    return answer.metadata.resourceVersion !== object.metadata.resourceVersion;
  }
}
