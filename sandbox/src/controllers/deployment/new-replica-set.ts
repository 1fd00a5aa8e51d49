// Finds or creates the new ReplicaSet of a Deployment, with its revision, annotations and minReadySeconds.
import type { KubeObject } from '../../core/types.ts';
import type { Cache } from '../framework/cache.ts';
import { isAlreadyExists, isNamespaceTerminating, type Session } from '../framework/controller.ts';
import {
  controllerOf,
  controllerReference,
  DEPLOYMENTS,
  pathOf,
  pathOfObject,
  REPLICA_SETS,
} from '../framework/meta.ts';
import { newReplicas } from './replicas.ts';
import { newAnnotations, REVISION, sizeAnnotations } from './revision.ts';
import { hasDeadline, progressing, setCondition, statusOf, type DeploymentStatus } from './status.ts';
import { findNewReplicaSet, HASH_LABEL, sameTemplate, templateHash } from './template.ts';

/** The ReplicaSets of a Deployment, new and old. */
export interface Family {
  newReplicaSet: KubeObject | undefined;
  old: KubeObject[];
}

export const familyOf = (deployment: KubeObject, replicaSets: readonly KubeObject[]): Family => {
  const newReplicaSet = findNewReplicaSet(deployment, replicaSets);
  return { newReplicaSet, old: replicaSets.filter((replicaSet) => replicaSet !== newReplicaSet) };
};

export const writeStatus = async (
  session: Session,
  deployment: KubeObject,
  status: DeploymentStatus,
): Promise<void> => {
  await session.request('PUT', pathOfObject(DEPLOYMENTS, deployment, 'status'), { body: { ...deployment, status } });
};

export class Revisions {
  private readonly session: Session;
  private readonly replicaSets: Cache;

  constructor(session: Session, replicaSets: Cache) {
    this.session = session;
    this.replicaSets = replicaSets;
  }

  /** The new ReplicaSet with the Deployment's annotations and minReadySeconds. Created if it is missing and `create` is true. */
  async sync(
    deployment: KubeObject,
    replicaSets: readonly KubeObject[],
    create: boolean,
  ): Promise<{ deployment: KubeObject; family: Family }> {
    const { newReplicaSet, old } = familyOf(deployment, replicaSets);
    if (!newReplicaSet) {
      return create
        ? this.createReplicaSet(deployment, old)
        : { deployment, family: { newReplicaSet: undefined, old } };
    }
    const annotations = newAnnotations(deployment, old, newReplicaSet.metadata.annotations);
    const minReadySeconds: number = deployment.spec.minReadySeconds ?? 0;
    if (
      annotations !== newReplicaSet.metadata.annotations ||
      minReadySeconds !== (newReplicaSet.spec.minReadySeconds ?? 0)
    ) {
      const { minReadySeconds: _, ...spec } = newReplicaSet.spec;
      const updated = await this.session.request('PUT', pathOfObject(REPLICA_SETS, newReplicaSet), {
        body: {
          ...newReplicaSet,
          metadata: { ...newReplicaSet.metadata, annotations },
          spec: minReadySeconds ? { ...spec, minReadySeconds } : spec,
        },
      });
      return { deployment, family: { newReplicaSet: updated, old } };
    }
    let status: DeploymentStatus | undefined;
    if (hasDeadline(deployment) && !progressing(statusOf(deployment))) {
      status = { ...statusOf(deployment) };
      const message = `Found new replica set "${newReplicaSet.metadata.name}"`;
      const condition = { type: 'Progressing', status: 'True', reason: 'FoundNewReplicaSet', message } as const;
      setCondition(status, condition, this.session.clock.now());
    }
    const noted = await this.noteRevision(deployment, annotations[REVISION]!, status);
    return { deployment: noted, family: { newReplicaSet, old } };
  }

  private async createReplicaSet(
    deployment: KubeObject,
    old: KubeObject[],
  ): Promise<{ deployment: KubeObject; family: Family }> {
    const { session } = this;
    const replicaSet = replicaSetOf(deployment, old);
    const replicas: number = replicaSet.spec.replicas;
    let created: KubeObject | undefined;
    let existed = false;
    try {
      created = await session.request('POST', pathOf(REPLICA_SETS, deployment.metadata.namespace), {
        body: replicaSet,
      });
    } catch (error) {
      if (isAlreadyExists(error)) {
        created = await this.existing(deployment, replicaSet, error);
        existed = true;
      } else {
        if (!isNamespaceTerminating(error)) await this.noteFailedCreate(deployment, replicaSet, error);
        throw error;
      }
    }
    if (!existed && replicas > 0) {
      const message = `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`;
      session.events.record(deployment, 'Normal', 'ScalingReplicaSet', message);
    }
    let status: DeploymentStatus | undefined;
    if (!existed && hasDeadline(deployment)) {
      status = { ...statusOf(deployment) };
      const message = `Created new replica set "${created.metadata.name}"`;
      const condition = { type: 'Progressing', status: 'True', reason: 'NewReplicaSetCreated', message } as const;
      setCondition(status, condition, session.clock.now());
    }
    const revision: string = replicaSet.metadata.annotations![REVISION]!;
    const noted = await this.noteRevision(deployment, revision, status);
    return { deployment: noted, family: { newReplicaSet: created, old } };
  }

  /** The result of an earlier sync that is not in the cache yet, or another template with the same hash. Then the next sync tries again. */
  private async existing(deployment: KubeObject, replicaSet: KubeObject, error: unknown): Promise<KubeObject> {
    const found = this.replicaSets.get(replicaSet.metadata.namespace, replicaSet.metadata.name);
    if (!found) throw error;
    const ours = controllerOf(found)?.uid === deployment.metadata.uid;
    if (ours && sameTemplate(found.spec.template, deployment.spec.template)) return found;
    const status = statusOf(deployment);
    await writeStatus(this.session, deployment, { ...status, collisionCount: (status.collisionCount ?? 0) + 1 });
    throw error;
  }

  private async noteFailedCreate(deployment: KubeObject, replicaSet: KubeObject, error: unknown): Promise<void> {
    const reason = 'ReplicaSetCreateError';
    const message = `Failed to create new replica set "${replicaSet.metadata.name}": ${String((error as Error).message)}`;
    if (hasDeadline(deployment)) {
      const status = { ...statusOf(deployment) };
      setCondition(status, { type: 'Progressing', status: 'False', reason, message }, this.session.clock.now());
      await writeStatus(this.session, deployment, status).catch(() => undefined);
    }
    this.session.events.record(deployment, 'Warning', reason, message);
  }

  private async noteRevision(
    deployment: KubeObject,
    revision: string,
    status: DeploymentStatus | undefined,
  ): Promise<KubeObject> {
    const { annotations } = deployment.metadata;
    if (annotations?.[REVISION] === revision && !status) return deployment;
    const noted = {
      ...deployment,
      metadata: { ...deployment.metadata, annotations: { ...annotations, [REVISION]: revision } },
    };
    await writeStatus(this.session, noted, status ?? statusOf(deployment));
    return status ? { ...noted, status } : noted;
  }
}

const replicaSetOf = (deployment: KubeObject, old: readonly KubeObject[]): KubeObject => {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = templateHash(template, statusOf(deployment).collisionCount);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  const replicaSet: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace!,
      ownerReferences: [controllerReference(deployment)],
      labels,
      annotations: { ...newAnnotations(deployment, old, undefined), ...sizeAnnotations(deployment) },
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
  return {
    ...replicaSet,
    spec: { ...replicaSet.spec, replicas: newReplicas(deployment, [...old, replicaSet], replicaSet) },
  };
};
