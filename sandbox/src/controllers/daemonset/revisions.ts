// The ControllerRevisions of a DaemonSet: finds, creates, renumbers and deletes them.
import type { KubeObject } from '../../core/types.ts';
import type { Cache } from '../framework/cache.ts';
import { claim } from '../framework/claim.ts';
import { isAlreadyExists, type Session } from '../framework/controller.ts';
import { byRevision, CONTROLLER_REVISIONS, dataOf, hasTemplate, REVISION_LABEL } from '../framework/history.ts';
import { controllerReference, DAEMON_SETS, pathOf, pathOfObject, PODS } from '../framework/meta.ts';
import { templateHash } from '../deployment/template.ts';

export interface History {
  /** The revision of the template. */
  current: KubeObject;
  /** The other ones, oldest first. */
  old: readonly KubeObject[];
}

export const hashOf = (revision: KubeObject): string => revision.metadata.labels?.[REVISION_LABEL] ?? '';

export class RevisionKeeper {
  private readonly session: Session;
  private readonly cache: Cache;

  constructor(session: Session, cache: Cache) {
    this.session = session;
    this.cache = cache;
  }

  async of(daemonSet: KubeObject, pods: readonly KubeObject[]): Promise<History> {
    const claimed = await claim(this.session, {
      owner: daemonSet,
      ownerType: DAEMON_SETS,
      type: CONTROLLER_REVISIONS,
      candidates: [
        ...this.cache.controlledBy(daemonSet.metadata.uid!),
        ...this.cache.orphans(daemonSet.metadata.namespace!),
      ],
    });
    const all: KubeObject[] = [];
    for (const revision of claimed.sort(byRevision)) all.push(await this.labeled(revision));
    const { template } = daemonSet.spec;
    const equal = all.filter((revision) => hasTemplate(revision, template));
    const old = all.filter((revision) => !equal.includes(revision));
    const next = Math.max(0, ...old.map(({ revision }) => revision as number)) + 1;
    const newest = equal.at(-1);
    if (!newest) return { current: await this.create(daemonSet, next), old };
    if (equal.length > 1) await this.keepOne(newest, equal.slice(0, -1), pods);
    if (newest.revision >= next) return { current: newest, old };
    const body = { ...newest, revision: next };
    await this.session.request('PUT', pathOfObject(CONTROLLER_REVISIONS, newest), { body });
    return { current: newest, old };
  }

  /** Revisions of others may have no hash. */
  private async labeled(revision: KubeObject): Promise<KubeObject> {
    if (hashOf(revision)) return revision;
    const { metadata } = revision;
    const labels = { ...metadata.labels, [REVISION_LABEL]: metadata.name };
    return this.session.request('PUT', pathOfObject(CONTROLLER_REVISIONS, revision), {
      body: { ...revision, metadata: { ...metadata, labels } },
    });
  }

  private async create(daemonSet: KubeObject, revision: number): Promise<KubeObject> {
    const { name, namespace, annotations } = daemonSet.metadata;
    const { template } = daemonSet.spec;
    const collisions: number | undefined = daemonSet.status?.collisionCount;
    const hash = templateHash(template, collisions);
    const body = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, [REVISION_LABEL]: hash },
        ...(annotations ? { annotations } : {}),
        ownerReferences: [controllerReference(daemonSet)],
      },
      data: dataOf(template),
      revision,
    };
    try {
      return await this.session.request('POST', pathOf(CONTROLLER_REVISIONS, namespace), { body });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const found = await this.session.request('GET', pathOf(CONTROLLER_REVISIONS, namespace, body.metadata.name));
      if (hasTemplate(found, template)) return found;
      await this.countCollision(daemonSet, collisions);
      throw error;
    }
  }

  /** The name is taken by another template. The next sync tries another name. */
  private async countCollision(daemonSet: KubeObject, seen: number | undefined): Promise<void> {
    const path = pathOfObject(DAEMON_SETS, daemonSet);
    const fresh = await this.session.request('GET', path);
    if (fresh.status?.collisionCount !== seen) return;
    const status = { ...fresh.status, collisionCount: (seen ?? 0) + 1 };
    await this.session.request('PUT', `${path}/status`, { body: { ...fresh, status } });
  }

  private async keepOne(kept: KubeObject, others: readonly KubeObject[], pods: readonly KubeObject[]): Promise<void> {
    const labels = { [REVISION_LABEL]: hashOf(kept) };
    for (const pod of pods) {
      if (pod.metadata.labels?.[REVISION_LABEL] === hashOf(kept)) continue;
      const type = 'application/merge-patch+json';
      await this.session.request('PATCH', pathOfObject(PODS, pod), { type, body: { metadata: { labels } } });
    }
    for (const revision of others) await this.delete(revision);
  }

  /** Deletes the oldest revisions that no Pod has, except as many as spec.revisionHistoryLimit. */
  async truncate(daemonSet: KubeObject, pods: readonly KubeObject[], { old }: History): Promise<void> {
    const live = new Set(pods.map((pod) => pod.metadata.labels?.[REVISION_LABEL]));
    const surplus = Math.max(0, old.length - daemonSet.spec.revisionHistoryLimit);
    for (const revision of old.filter((each) => !live.has(hashOf(each))).slice(0, surplus)) await this.delete(revision);
  }

  private delete(revision: KubeObject): Promise<KubeObject> {
    return this.session.request('DELETE', pathOfObject(CONTROLLER_REVISIONS, revision));
  }
}
