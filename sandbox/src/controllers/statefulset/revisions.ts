// The ControllerRevisions of a StatefulSet: finds, creates, renumbers and deletes them.
import type { KubeObject } from '../../core/types.ts';
import { claim } from '../framework/claim.ts';
import { isAlreadyExists, isNotFound, type Session } from '../framework/controller.ts';
import type { Cache } from '../framework/cache.ts';
import { byRevision, CONTROLLER_REVISIONS, hasTemplate, newRevision, revisionName } from '../framework/history.ts';
import { controllerReference, pathOf, pathOfObject, selects, STATEFUL_SETS } from '../framework/meta.ts';
import { revisionOf } from './pods.ts';

export interface History {
  /** Oldest first, before this sync. */
  revisions: readonly KubeObject[];
  current: KubeObject;
  update: KubeObject;
  collisions: number;
}

export class RevisionKeeper {
  private readonly session: Session;
  private readonly cache: Cache;

  constructor(session: Session) {
    this.session = session;
    this.cache = session.cache(CONTROLLER_REVISIONS);
  }

  async adoptOrphans(set: KubeObject): Promise<void> {
    await claim(this.session, {
      owner: set,
      ownerType: STATEFUL_SETS,
      type: CONTROLLER_REVISIONS,
      candidates: [...this.cache.orphans(set.metadata.namespace!)],
    });
  }

  /** The revision of the template, which is created or becomes the newest one, and the revision that Pods had before. */
  async of(set: KubeObject): Promise<History> {
    const revisions = [...this.cache.controlledBy(set.metadata.uid!), ...this.cache.orphans(set.metadata.namespace!)]
      .filter(({ metadata }) => selects(set.spec.selector, metadata.labels))
      .sort(byRevision);
    const newest = revisions.at(-1);
    const next = (newest?.revision ?? 0) + 1;
    const equal = revisions.findLast((revision) => hasTemplate(revision, set.spec.template));
    let update = equal;
    let collisions: number = set.status?.collisionCount ?? 0;
    if (!equal) ({ update, collisions } = await this.create(set, next, collisions));
    else if (!hasTemplate(newest!, set.spec.template)) update = await this.renumber(equal, next);
    else update = newest;
    const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update!;
    return { revisions, current, update: update!, collisions };
  }

  /** A name that is taken by another template counts as a collision, and gives another name. */
  private async create(
    set: KubeObject,
    revision: number,
    before: number,
  ): Promise<{ update: KubeObject; collisions: number }> {
    const { namespace } = set.metadata;
    const { metadata, ...rest } = newRevision(set, revision, before) as KubeObject;
    for (let collisions = before; ; collisions++) {
      const name = revisionName(set, collisions);
      const body = { ...rest, metadata: { ...metadata, name, ownerReferences: [controllerReference(set)] } };
      try {
        const update = await this.session.request('POST', pathOf(CONTROLLER_REVISIONS, namespace), { body });
        return { update, collisions };
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const update = await this.session.request('GET', pathOf(CONTROLLER_REVISIONS, namespace, name));
        if (hasTemplate(update, set.spec.template)) return { update, collisions };
      }
    }
  }

  private renumber(revision: KubeObject, next: number): Promise<KubeObject> {
    const body = { ...revision, revision: next };
    return this.session.request('PUT', pathOfObject(CONTROLLER_REVISIONS, revision), { body });
  }

  /** Deletes the oldest revisions that no Pod has, except as many as spec.revisionHistoryLimit. */
  async truncate(set: KubeObject, pods: readonly KubeObject[], { revisions, current, update }: History): Promise<void> {
    const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOf)]);
    const past = revisions.filter(({ metadata }) => !live.has(metadata.name));
    const limit: number = set.spec.revisionHistoryLimit;
    if (limit < 0) return;
    for (const revision of past.slice(0, Math.max(0, past.length - limit))) {
      await this.session.request('DELETE', pathOfObject(CONTROLLER_REVISIONS, revision)).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}
