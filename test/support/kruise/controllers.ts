// Runs the stand-ins for OpenKruise's controllers, for tests only: in virtual time, or against any API server.
import type { VirtualCluster } from '@tranche/sandbox/virtual';
import { ADVANCED_DAEMON_SETS, ADVANCED_STATEFUL_SETS, CLONE_SETS, type Resource } from '../../../src/api/resources.ts';
import type { ControllerRevision, KubeObject, Pod } from '../../../src/api/types.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { reconcileCloneSet } from './cloneset.ts';
import { ignoring, type Kruise, type Request, type Scene } from './common.ts';
import { reconcileDaemonSet } from './daemonset.ts';
import { reconcileStatefulSet } from './statefulset.ts';

type Reconcile = (scene: Scene, nodes: readonly string[]) => Promise<void>;

const RECONCILERS: readonly (readonly [Resource, Reconcile])[] = [
  [CLONE_SETS, reconcileCloneSet],
  [ADVANCED_STATEFUL_SETS, reconcileStatefulSet],
  [ADVANCED_DAEMON_SETS, reconcileDaemonSet],
];

export interface Clockwork {
  now(): number;
  random(): number;
}

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** One look at all workloads. Kinds that are not served are left out. */
export async function reconcileAll(request: Request, { now, random }: Clockwork): Promise<void> {
  const list = async <T extends KubeObject>(path: string): Promise<readonly T[]> => {
    const answer = (await request('GET', path).catch(ignoring(404))) as { items?: T[] } | undefined;
    return answer?.items ?? [];
  };
  const suffix = (): string => Array.from({ length: 5 }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join('');
  for (const [resource, reconcile] of RECONCILERS) {
    const workloads = await list<Kruise>(pathOf(resource));
    if (workloads.length === 0) continue;
    const [pods, revisions, nodes] = await Promise.all([
      list<Pod>('/api/v1/pods'),
      list<ControllerRevision>('/apis/apps/v1/controllerrevisions'),
      list('/api/v1/nodes'),
    ]);
    const names = nodes.map(({ metadata }) => metadata.name);
    for (const one of workloads) {
      const workload: Kruise = { ...one, apiVersion: resource.apiVersion, kind: resource.kind };
      const owned = <T extends KubeObject>(objects: readonly T[]): T[] =>
        objects.filter(({ metadata }) =>
          metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === workload.metadata.uid),
        );
      const labelled = owned(revisions).filter(({ metadata }) => metadata.labels?.['controller-revision-hash']);
      if (workload.metadata.deletionTimestamp !== undefined) continue;
      await reconcile({ workload, pods: owned(pods), revisions: labelled, now: now(), request, suffix }, names);
    }
  }
}

/** Looks a moment after each change. Returns how to stop. */
export function startInVirtualTime(virtual: VirtualCluster, lagMs = 100): () => void {
  const { clock } = virtual;
  const request: Request = (method, path, body, type) =>
    virtual.client.request(method, path, { ...(body && { body }), ...(type && { type }) });
  let stopped = false;
  let due = false;
  const later = (): void => {
    if (due || stopped) return;
    due = true;
    clock.after(1 + clock.random() * lagMs, () => {
      due = false;
      if (!stopped) void reconcileAll(request, { now: () => clock.now(), random: () => clock.random() }).catch(later);
    });
  };
  // minReadySeconds passes without a change.
  const regularly = (): void => {
    if (stopped) return;
    later();
    clock.after(1_000, regularly);
  };
  const end = virtual.observe(({ collection }) => {
    if (collection === '/pods' || collection === '/nodes' || collection.startsWith('apps.kruise.io/')) later();
  });
  regularly();
  return () => {
    stopped = true;
    end();
  };
}
