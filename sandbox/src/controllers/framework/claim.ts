// Adoption and release: a controller adopts orphans that its selector matches, and releases objects that it no longer matches.
import type { GroupResource, KubeObject } from '../../core/types.ts';
import { isNotFound, type Session } from './controller.ts';
import { controllerOf, controllerReference, pathOfObject, selects } from './meta.ts';

export interface Claim {
  owner: KubeObject;
  ownerType: GroupResource;
  type: GroupResource;
  candidates: readonly KubeObject[];
  /** Orphans for which this is false are ignored. */
  wanted?(object: KubeObject): boolean;
}

/** The objects of the owner after claiming. As in Kubernetes, adoption requires a fresh read of the owner. */
export const claim = async (
  session: Session,
  { owner, ownerType, type, candidates, wanted }: Claim,
): Promise<KubeObject[]> => {
  const uid = owner.metadata.uid!;
  const claimed: KubeObject[] = [];
  let mayAdopt: boolean | undefined;
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matches = selects(owner.spec.selector, object.metadata.labels) && (wanted?.(object) ?? true);
    if (controller) {
      if (controller.uid !== uid) continue;
      if (matches) claimed.push(object);
      else if (!owner.metadata.deletionTimestamp) await release(session, type, object, uid);
      continue;
    }
    if (!matches || owner.metadata.deletionTimestamp || object.metadata.deletionTimestamp) continue;
    mayAdopt ??= await isAlive(session, ownerType, owner);
    if (!mayAdopt) throw new Error(`${owner.kind} ${owner.metadata.name} is gone or being deleted: it adopts nothing`);
    const adopted = await adopt(session, type, object, owner);
    if (adopted) claimed.push(adopted);
  }
  return claimed;
};

const isAlive = async (session: Session, type: GroupResource, owner: KubeObject): Promise<boolean> => {
  const fresh = await session.request('GET', pathOfObject(type, owner));
  return fresh.metadata.uid === owner.metadata.uid && !fresh.metadata.deletionTimestamp;
};

const adopt = (
  session: Session,
  type: GroupResource,
  object: KubeObject,
  owner: KubeObject,
): Promise<KubeObject | undefined> =>
  session
    .request('PATCH', pathOfObject(type, object), {
      type: 'application/strategic-merge-patch+json',
      body: { metadata: { ownerReferences: [controllerReference(owner)], uid: object.metadata.uid } },
    })
    .catch(ignoreNotFound);

const release = (
  session: Session,
  type: GroupResource,
  object: KubeObject,
  ownerUid: string,
): Promise<KubeObject | undefined> => {
  const { uid, resourceVersion, ownerReferences = [] } = object.metadata;
  const others = ownerReferences.filter((reference) => reference.uid !== ownerUid);
  return session
    .request('PATCH', pathOfObject(type, object), {
      type: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion, ownerReferences: others.length > 0 ? others : null } },
    })
    .catch(ignoreNotFound);
};

const ignoreNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
  return undefined;
};
