// The deployment controller: one sync reads its caches, decides with plan.ts and status.ts, and writes.
import type { KubeObject } from '../../core/types.ts';
import type { Cache, CacheEvent } from '../framework/cache.ts';
import { claim } from '../framework/claim.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import {
  controllerOf,
  DEPLOYMENTS,
  isEmptySelector,
  keyOf,
  pathOfObject,
  PODS,
  REPLICA_SETS,
  sameJson,
  selects,
  splitKey,
} from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { familyOf, Revisions, writeStatus, type Family } from './new-replica-set.ts';
import { planRolling, planScale, type Resize } from './plan.ts';
import { active, annotated, desired, DESIRED_REPLICAS } from './replicas.ts';
import { planCleanup, sizeAnnotations } from './revision.ts';
import {
  countStatus,
  hasDeadline,
  isComplete,
  nextDeadlineCheckMs,
  progressing,
  rolloutStatus,
  setCondition,
  statusOf,
} from './status.ts';

const MAX_RETRIES = 15;

export const createDeploymentController = (options: ControllerOptions): Controller =>
  createController('deployment-controller', options, (session) => new DeploymentController(session));

class DeploymentController {
  private readonly session: Session;
  private readonly deployments: Cache;
  private readonly replicaSets: Cache;
  private readonly pods: Cache;
  private readonly queue: WorkQueue;
  private readonly revisions: Revisions;

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key), { maxRetries: MAX_RETRIES });
    this.deployments = session.cache(DEPLOYMENTS, ({ object }) => this.queue.add(keyOf(object)));
    this.replicaSets = session.cache(REPLICA_SETS, (event) => this.onReplicaSet(event));
    this.pods = session.cache(PODS, (event) => this.onPod(event));
    this.revisions = new Revisions(session, this.replicaSets);
  }

  private onReplicaSet({ type, object, previous }: CacheEvent): void {
    const owner = this.ownerOf(object);
    const previousOwner = previous && this.ownerOf(previous);
    if (previousOwner && previousOwner !== owner) this.queue.add(keyOf(previousOwner));
    if (owner) this.queue.add(keyOf(owner));
    else if (type !== 'DELETED' && !controllerOf(object)) {
      for (const deployment of this.deployments.inNamespace(object.metadata.namespace!)) {
        if (selects(deployment.spec.selector, object.metadata.labels)) this.queue.add(keyOf(deployment));
      }
    }
  }

  /** Recreate waits until no old Pod exists. */
  private onPod({ type, object }: CacheEvent): void {
    if (type !== 'DELETED') return;
    const owner = controllerOf(object);
    const replicaSet = owner && this.replicaSets.get(object.metadata.namespace, owner.name);
    const deployment = replicaSet && this.ownerOf(replicaSet);
    if (deployment?.spec.strategy?.type === 'Recreate') this.queue.add(keyOf(deployment));
  }

  private ownerOf(replicaSet: KubeObject): KubeObject | undefined {
    const owner = controllerOf(replicaSet);
    if (owner?.kind !== 'Deployment') return undefined;
    const deployment = this.deployments.get(replicaSet.metadata.namespace, owner.name);
    return deployment?.metadata.uid === owner.uid ? deployment : undefined;
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const cached = this.deployments.get(namespace, name);
    if (!cached) return;
    if (isEmptySelector(cached.spec.selector)) return this.refuseToSelectAll(cached);
    const replicaSets = await this.claimReplicaSets(cached);
    if (cached.metadata.deletionTimestamp) return this.syncStatus(cached, familyOf(cached, replicaSets));

    const deployment = await this.notePaused(cached);
    if (deployment.spec.paused || this.isScaled(deployment, replicaSets)) return this.scale(deployment, replicaSets);
    return deployment.spec.strategy.type === 'Recreate'
      ? this.recreate(deployment, replicaSets)
      : this.roll(deployment, replicaSets);
  }

  private async refuseToSelectAll(deployment: KubeObject): Promise<void> {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.';
    this.session.events.record(deployment, 'Warning', 'SelectingAll', message);
    if ((statusOf(deployment).observedGeneration ?? 0) < deployment.metadata.generation!) {
      await writeStatus(this.session, deployment, {
        ...statusOf(deployment),
        observedGeneration: deployment.metadata.generation!,
      });
    }
  }

  private claimReplicaSets(deployment: KubeObject): Promise<KubeObject[]> {
    return claim(this.session, {
      owner: deployment,
      ownerType: DEPLOYMENTS,
      type: REPLICA_SETS,
      candidates: [
        ...this.replicaSets.controlledBy(deployment.metadata.uid!),
        ...this.replicaSets.orphans(deployment.metadata.namespace!),
      ],
    });
  }

  /** Updates the paused condition. Like the real controller, keeps the status of the answer but not its resourceVersion. */
  private async notePaused(deployment: KubeObject): Promise<KubeObject> {
    if (!hasDeadline(deployment)) return deployment;
    const current = progressing(statusOf(deployment));
    if (current?.reason === 'ProgressDeadlineExceeded') return deployment;
    const noted = current?.reason === 'DeploymentPaused';
    if (Boolean(deployment.spec.paused) === noted) return deployment;
    const status = { ...statusOf(deployment) };
    const condition = deployment.spec.paused
      ? { reason: 'DeploymentPaused', message: 'Deployment is paused' }
      : { reason: 'DeploymentResumed', message: 'Deployment is resumed' };
    setCondition(status, { type: 'Progressing', status: 'Unknown', ...condition }, this.session.clock.now());
    await writeStatus(this.session, deployment, status);
    return { ...deployment, status };
  }

  /** The annotation of a ReplicaSet has another size of the Deployment: spec.replicas has changed. */
  private isScaled(deployment: KubeObject, replicaSets: readonly KubeObject[]): boolean {
    return active(replicaSets).some((replicaSet) => {
      const size = annotated(replicaSet, DESIRED_REPLICAS);
      return size !== undefined && size !== desired(deployment);
    });
  }

  private async scale(cached: KubeObject, replicaSets: readonly KubeObject[]): Promise<void> {
    const { deployment, family } = await this.revisions.sync(cached, replicaSets, false);
    const resized = await this.resize(deployment, family, planScale(deployment, family.newReplicaSet, family.old));
    if (deployment.spec.paused) await this.cleanUp(deployment, resized.old);
    await this.syncStatus(deployment, resized);
  }

  private async roll(cached: KubeObject, replicaSets: readonly KubeObject[]): Promise<void> {
    const { deployment, family } = await this.revisions.sync(cached, replicaSets, true);
    const moves = planRolling(deployment, family.newReplicaSet!, family.old);
    const up = moves[0]?.replicaSet === family.newReplicaSet;
    // The real controller ignores a failed scale-down. The next event of the ReplicaSet triggers another sync.
    const resized = await this.resize(deployment, family, moves).catch((error: unknown) => {
      if (up) throw error;
      return family;
    });
    if (moves.length === 0 && isComplete(deployment, statusOf(deployment))) {
      await this.cleanUp(deployment, resized.old);
    }
    await this.syncRollout(deployment, resized);
  }

  private async recreate(cached: KubeObject, replicaSets: readonly KubeObject[]): Promise<void> {
    let { deployment, family } = await this.revisions.sync(cached, replicaSets, false);
    const down = active(family.old).map((replicaSet) => ({ replicaSet, replicas: 0 }));
    if (down.length > 0) return this.syncRollout(deployment, await this.resize(deployment, family, down));
    if (this.hasOldPods(family)) return this.syncRollout(deployment, family);
    if (!family.newReplicaSet) ({ deployment, family } = await this.revisions.sync(deployment, replicaSets, true));
    const newReplicaSet = family.newReplicaSet!;
    family = await this.resize(deployment, family, [{ replicaSet: newReplicaSet, replicas: desired(deployment) }]);
    if (isComplete(deployment, statusOf(deployment))) await this.cleanUp(deployment, family.old);
    await this.syncRollout(deployment, family);
  }

  private hasOldPods({ newReplicaSet, old }: Family): boolean {
    return old.some(
      (replicaSet) =>
        (replicaSet.status?.replicas ?? 0) > 0 ||
        [...this.pods.controlledBy(replicaSet.metadata.uid!)].some(
          (pod) =>
            controllerOf(pod)!.uid !== newReplicaSet?.metadata.uid &&
            pod.status?.phase !== 'Failed' &&
            pod.status?.phase !== 'Succeeded',
        ),
    );
  }

  /** Sends the moves in order. Answers replace the cached objects. */
  private async resize(deployment: KubeObject, family: Family, moves: readonly Resize[]): Promise<Family> {
    const latest = new Map<KubeObject, KubeObject>();
    for (const { replicaSet, replicas } of moves) {
      const current = latest.get(replicaSet) ?? replicaSet;
      latest.set(replicaSet, await this.resizeOne(deployment, current, replicas));
    }
    const now = (replicaSet: KubeObject): KubeObject => latest.get(replicaSet) ?? replicaSet;
    return { newReplicaSet: family.newReplicaSet && now(family.newReplicaSet), old: family.old.map(now) };
  }

  private async resizeOne(deployment: KubeObject, replicaSet: KubeObject, replicas: number): Promise<KubeObject> {
    const annotations = { ...replicaSet.metadata.annotations, ...sizeAnnotations(deployment) };
    const before = desired(replicaSet);
    if (before === replicas && sameJson(annotations, replicaSet.metadata.annotations)) return replicaSet;
    const updated = await this.session.request('PUT', pathOfObject(REPLICA_SETS, replicaSet), {
      body: {
        ...replicaSet,
        metadata: { ...replicaSet.metadata, annotations },
        spec: { ...replicaSet.spec, replicas },
      },
    });
    if (before !== replicas) {
      const message = `Scaled ${before < replicas ? 'up' : 'down'} replica set ${replicaSet.metadata.name} from ${before} to ${replicas}`;
      this.session.events.record(deployment, 'Normal', 'ScalingReplicaSet', message);
    }
    return updated;
  }

  private async cleanUp(deployment: KubeObject, old: readonly KubeObject[]): Promise<void> {
    for (const replicaSet of planCleanup(deployment, old)) {
      await this.session.request('DELETE', pathOfObject(REPLICA_SETS, replicaSet)).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  private async syncStatus(deployment: KubeObject, family: Family): Promise<void> {
    const status = countStatus(deployment, allOf(family), family.newReplicaSet, this.session.clock.now());
    if (!sameJson(status, statusOf(deployment))) await writeStatus(this.session, deployment, status);
  }

  private async syncRollout(deployment: KubeObject, family: Family): Promise<void> {
    const nowMs = this.session.clock.now();
    const status = rolloutStatus(deployment, allOf(family), family.newReplicaSet, nowMs);
    if (!sameJson(status, statusOf(deployment))) return writeStatus(this.session, deployment, status);
    const checkMs = nextDeadlineCheckMs(deployment, status, nowMs);
    if (checkMs === 0) this.queue.addRateLimited(keyOf(deployment));
    else if (checkMs !== undefined) this.queue.addAfter(keyOf(deployment), checkMs);
  }
}

const allOf = ({ newReplicaSet, old }: Family): KubeObject[] => (newReplicaSet ? [...old, newReplicaSet] : old);
