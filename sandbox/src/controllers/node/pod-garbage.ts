// Removes the Pods of nodes that are gone: nobody else can end them.
import type { KubeObject } from '../../core/types.ts';
import type { Cache } from '../framework/cache.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import { NODES, pathOf, pathOfObject, PODS, timestamp } from '../framework/meta.ts';
import { isFinished } from '../replicaset/pods.ts';

/** The node may come back in this time. */
const QUARANTINE_MS = 40_000;

export const createPodGarbageCollector = (options: ControllerOptions): Controller =>
  createController('pod-garbage-collector', options, (session) => {
    const queue = session.queue((node) => collect(session, nodes, node));
    const nodes = session.cache(NODES, ({ type, object }) => {
      if (type === 'DELETED') queue.addAfter(object.metadata.name, QUARANTINE_MS);
    });
  });

const collect = async (session: Session, nodes: Cache, node: string): Promise<void> => {
  if (nodes.get(undefined, node)) return;
  const query = { fieldSelector: `spec.nodeName=${node}` };
  const { items } = await session.request('GET', pathOf(PODS, undefined), { query });
  for (const pod of items as readonly KubeObject[]) {
    await remove(session, pod).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
};

const remove = async (session: Session, pod: KubeObject): Promise<void> => {
  if (!isFinished(pod)) {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      lastTransitionTime: timestamp(session.clock.now()),
    };
    await session.request('PATCH', pathOfObject(PODS, pod, 'status'), {
      type: 'application/strategic-merge-patch+json',
      body: { status: { phase: 'Failed', conditions: [condition] } },
    });
  }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
  await session.request('DELETE', pathOfObject(PODS, pod), { body });
};
