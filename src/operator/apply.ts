// Carries decisions out: the effects in order, then one status write, and only then the events.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import { EVENTS } from '../api/reasons.ts';
import type { KubeObject, Pod, Rollout, RolloutStatus, Workload } from '../api/types.ts';
import { isTooLarge, tooLargeForUs } from '../engine/workload/annotation-size.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { kindOfResource } from '../engine/workload/registry.ts';
import type { Decision, Effect, MergePatch } from '../engine/decision.ts';
import type { PatchOp } from '../engine/lib/json-patch.ts';
import { isOwnedBy } from '../engine/workload/pods.ts';
import { cleaned } from '../engine/messages.ts';
import type { Api, ApiCall, Clock } from '../kube/api.ts';
import { ApiError, isConflict, isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import { findObject, getObject } from '../kube/get.ts';
import type { Logger } from '../kube/log.ts';
import { ROLLOUTS, type Resource } from '../api/resources.ts';
import { pathOf } from '../kube/path.ts';
import { freeze, splitKey } from '../kube/store.ts';
import { hasOwnersToRestore, managedFieldsPatch } from './managed-fields.ts';
import type { MutationCache } from './mutation-cache.ts';
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

type Patch = Effect & { readonly kind: 'Patch' };

const JSON_PATCH = 'application/json-patch+json';
const isJsonPatch = (patch: Patch['patch']): patch is readonly PatchOp[] => Array.isArray(patch);

const MANAGED_FIELDS_TRIES = 3;
/** Bad request, forbidden, invalid: trying again helps only when somebody changes something. */
const REFUSALS = new Set([400, 403, 422]);
const MAX_MESSAGE = 1_000;
/** Labels of Pods that were refused are tried again after this time. */
const LABELS_AGAIN_MS = 300_000;

/** Whatever is written under a key is in its namespace. */
function pathTo(key: string, resource: Resource, { metadata }: KubeObject, subresource?: 'status'): string {
  const { namespace } = splitKey(key);
  if (metadata.namespace !== namespace)
    throw new Error(`${resource.kind} "${metadata.name}" is not in the namespace of ${key}`);
  return pathOf(resource, { namespace, name: metadata.name, subresource });
}

export class Applier {
  private readonly deps: ApplierDeps;
  /** When this process last wrote a Rollout's status: by key, and by the Rollout's uid. */
  private readonly reported = new Map<string, Map<string, number>>();
  /** When labels of a Deployment's Pods are tried again: they were refused. */
  private readonly unlabelled = new Map<string, number>();

  constructor(deps: ApplierDeps) {
    this.deps = deps;
  }

  reportedAt(key: string, rollout: Rollout): number | undefined {
    return this.reported.get(key)?.get(rollout.metadata.uid ?? '');
  }

  /** These are all the Rollouts of the key: what is remembered of others, which are gone, is forgotten. */
  keepOnly(key: string, rollouts: readonly Rollout[]): void {
    const reported = this.reported.get(key);
    if (!reported) return;
    const there = new Set(rollouts.map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of reported.keys()) if (!there.has(uid)) reported.delete(uid);
    if (reported.size === 0) this.reported.delete(key);
  }

  /** For tests and for nobody else: how many Rollouts are remembered. */
  get remembered(): number {
    return [...this.reported.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Undefined: labels are written as Pods come. */
  labelsAgainAt(key: string): number | undefined {
    const at = this.unlabelled.get(key);
    if (at === undefined || at > this.deps.clock.now()) return at;
    this.unlabelled.delete(key);
    return undefined;
  }

  forgetLabels(key: string): void {
    this.unlabelled.delete(key);
  }

  /** Nothing is released any more: the next report need not wait for the last. */
  forget(key: string, rollout: Rollout): void {
    const reported = this.reported.get(key);
    reported?.delete(rollout.metadata.uid ?? '');
    if (reported?.size === 0) this.reported.delete(key);
  }

  /**
   * True when something has changed by it, so that the next decision is another one. (A server whose CRD does not know a field drops it
   * at each write; labels of Pods come back by their watch.) A conflict, or any other failure, is thrown: what follows from it is decided anew.
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
      else if (await this.apply(key, effect)) changed = true;
    }
    const refused = (await Promise.all(labels)).includes(true);
    // Without them the next decision is another one.
    if (refused) changed = true;
    if (decision.status && rollout && (await this.report(key, rollout, decision.status))) changed = true;
    for (const { reason, message } of decision.events) {
      const [type] = EVENTS[reason];
      for (const about of [rollout, workload]) if (about) this.deps.events.record({ about, type, reason, message });
      if (reason === 'Bypassed') this.deps.metrics?.bypass();
      if (reason === 'Approved') this.deps.metrics?.approval?.();
      this.deps.logger.info('release', { key, reason, detail: message });
    }
    return changed;
  }

  private async apply(key: string, effect: Effect): Promise<boolean> {
    const changed = await this.make(key, effect);
    this.deps.metrics?.budgetMove(effect.why, key);
    this.deps.logger.debug('written', { key, kind: effect.resource.kind, why: effect.why });
    return changed;
  }

  private async make(key: string, effect: Effect): Promise<boolean> {
    switch (effect.kind) {
      case 'Patch':
        return this.patch(key, effect);
      case 'Create': {
        const path = pathOf(effect.resource, { namespace: splitKey(key).namespace });
        await this.unless(409, { method: 'POST', path, body: effect.object });
        return false;
      }
      case 'Delete':
        await this.remove(key, effect).catch((error: unknown) => {
          // What is left goes with its owner; a release must not hang on it.
          if (!(error instanceof ApiError) || !REFUSALS.has(error.code)) throw error;
          this.deps.logger.warn('cannot delete the copy of the stable template', { key, error });
        });
        return false;
    }
  }

  private async patch(key: string, { resource, before, patch, why }: Patch): Promise<boolean> {
    const path = pathTo(key, resource, before);
    if (isJsonPatch(patch)) return this.write(key, before, { path, body: patch, contentType: JSON_PATCH });
    const kind = kindOfResource(resource);
    const body = kind ? await this.noteOwners(key, kind, patch, before) : patch;
    const changed = await this.write(key, before, { path, body });
    // A mark is followed by a move at once.
    if (kind && why !== 'mark') await this.dropOwnership(key, kind, before as Workload);
    return changed;
  }

  /** Only what the owner controls: the name comes from a record, which others may have written. */
  private async remove(key: string, { resource, name, owner }: Effect & { kind: 'Delete' }): Promise<void> {
    const asked = { namespace: splitKey(key).namespace, name };
    const object = await findObject(this.deps.api, resource, asked);
    if (!object || !isOwnedBy(object, owner)) return;
    await this.unless(404, { method: 'DELETE', path: pathOf(resource, asked) });
  }

  /** Done already: as good as done. */
  private async unless(code: number, call: ApiCall): Promise<void> {
    try {
      await this.deps.api.request(call);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== code) throw error;
    }
  }

  /**
   * Labels are for logs and metrics: a Pod that is gone by now needs none, and no release waits for those that are refused, whatever the
   * reason. True when they are.
   */
  private async label(key: string, { resource, before, patch }: Patch, rollout: Rollout | undefined): Promise<boolean> {
    try {
      const call = { path: pathTo(key, resource, before), body: patch };
      await this.write(key, before, call, (answer) => transformPod(answer as Pod));
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
    const changed = await this.write(key, current, { path, body });
    const reported = this.reported.get(key) ?? new Map<string, number>();
    this.reported.set(key, reported.set(rollout.metadata.uid ?? '', this.deps.clock.now()));
    return changed;
  }

  /**
   * A write that is refused (a right that is missing, a webhook or a policy of others, a quota) may be refused for ever, and whoever waits
   * for the release must see it: in the status, and as an event if the status does not say it yet. Other errors pass by themselves.
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
    // Once it is let through, the status says so at once.
    this.forget(key, rollout);
  }

  /** Best effort: while we own a field, whoever applies another value on the server is told of a conflict; nothing else hangs on it. */
  private async dropOwnership(key: string, kind: WorkloadKind, before: Workload): Promise<boolean> {
    const path = pathTo(key, kind.resource, before);
    let written = this.deps.writes.newest(key, before);
    for (let tries = 0; tries < MANAGED_FIELDS_TRIES; tries++) {
      const ops = managedFieldsPatch(kind, written, this.deps.clock.now());
      if (!ops) return true;
      try {
        await this.write(key, written, { path, body: ops, contentType: JSON_PATCH });
        return true;
      } catch (error) {
        if (!(error instanceof ApiError) || error.code >= 500 || error.code === 429) throw error;
        if (error.code !== 422) return false;
        // Somebody else has written meanwhile, and our entry has moved.
        written = await getObject<Workload>(this.deps.api, kind.resource, before.metadata);
      }
    }
    return false;
  }

  /** A hold that no webhook has seen notes the owners too. What is watched comes without them: it costs one read. */
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
   * Gives the fields of a workload that the webhook has set free back to their owners. What is watched comes without them. Best effort:
   * whoever waits for a release does not wait for this.
   */
  async giveBackOwners(key: string, kind: WorkloadKind, cached: Workload): Promise<boolean> {
    if (!hasOwnersToRestore(cached)) return false;
    try {
      const known = await getObject<Workload>(this.deps.api, kind.resource, { ...cached.metadata, uid: undefined });
      if (!hasOwnersToRestore(known)) return false;
      this.deps.writes.remember(key, cached, freeze(known));
      return await this.dropOwnership(key, kind, known);
    } catch (error) {
      this.deps.logger.debug('cannot restore the field owners', { key, error });
      return false;
    }
  }

  private async write(
    key: string,
    object: KubeObject,
    call: Omit<ApiCall, 'method'>,
    transform = (answer: KubeObject): KubeObject => answer,
  ): Promise<boolean> {
    const contentType = call.contentType ?? 'application/merge-patch+json';
    const answer = (await this.deps.api.request({ ...call, method: 'PATCH', contentType })) as KubeObject;
    this.deps.writes.remember(key, object, freeze(transform(answer)));
    return answer.metadata.resourceVersion !== object.metadata.resourceVersion;
  }
}
