// Gives all workloads back, before the program is removed from a cluster.
import { ROLLOUT_FINALIZER, TRAFFIC_ROUTING } from '../api/keys.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import { depart } from '../engine/release/finalize.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { isToGiveBack } from '../engine/release/openkruise.ts';
import type { Api } from '../kube/api.ts';
import { sleep } from '../kube/clock.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { argumentOf, ROLLOUTS, TRAFFIC_ROUTINGS, type Resource } from '../api/resources.ts';
import { listAll } from '../kube/list.ts';
import { pathOf } from '../kube/path.ts';
import { createOperator, type OperatorDeps } from './operator.ts';

export interface DrainOptions extends Omit<OperatorDeps, 'decide'> {
  /** How releases in progress end. */
  readonly held: 'Finish' | 'Rollback';
  /** Empty means all namespaces. */
  readonly namespaces: readonly string[];
  /** Aborts the drain, which rejects with the remaining objects. */
  readonly signal: AbortSignal;
}

/** Not everything was given back in time. The message names the remaining objects. */
export class DrainError extends Error {
  override readonly name = 'DrainError';
}

const LOOK_EVERY_MS = 1_000;
const MAX_NAMED = 10;

/** Resolves when no workload has Tranche's keys, no route its legs, and no Rollout its finalizer. No other replica may lead meanwhile. */
export async function drain(options: DrainOptions): Promise<{ deployments: number; rollouts: number }> {
  const { api, clock, held, signal } = options;
  const operator = createOperator({ ...options, decide: (snapshot) => depart(snapshot, held) });
  const seen = new Set<string>();
  let freed = 0;
  operator.start();
  try {
    for (;;) {
      const left = await leftOf(options);
      for (const key of left) seen.add(key);
      const routed = await routedOf(options);
      if (left.size === 0 && routed.length === 0) {
        const rollouts = await freeRollouts(options);
        // A Rollout or its Deployment may have been created meanwhile.
        if (rollouts === 0 && (await leftOf(options)).size === 0) return { deployments: seen.size, rollouts: freed };
        freed += rollouts ?? 0;
      }
      await sleep(clock, LOOK_EVERY_MS, signal);
      if (signal.aborted) throw new DrainError(complaint([...left, ...routed]));
    }
  } finally {
    await operator.stop();
  }

  /** Workloads with Tranche's keys, read from the API server, because the cache may be out of date. */
  async function leftOf({ namespaces, workloads }: DrainOptions): Promise<Set<string>> {
    const served = [...workloads].filter(([, { absence }]) => absence?.gone !== true);
    const all = await Promise.all(
      served.map(async ([kind]) => {
        const found = await listIfServed(api, kind.resource, namespaces);
        return found.filter((one) => isToGiveBack(one, kind)).map((one) => nameOf(kind, one));
      }),
    );
    return new Set(all.flat());
  }
}

/**
 * Removes the finalizers of all Rollouts, so that they can be deleted without the program. Resolves with their number, or with undefined if one
 * changed meanwhile.
 */
async function freeRollouts({ api, namespaces }: DrainOptions): Promise<number | undefined> {
  let freed = 0;
  for (const { metadata } of await listRollouts(api, namespaces)) {
    const finalizers = metadata.finalizers ?? [];
    if (!finalizers.includes(ROLLOUT_FINALIZER)) continue;
    const rest = finalizers.filter((name) => name !== ROLLOUT_FINALIZER);
    try {
      await api.request({
        method: 'PATCH',
        path: pathOf(ROLLOUTS, metadata),
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: metadata.resourceVersion, finalizers: rest } },
      });
      freed += 1;
    } catch (error) {
      // It changed meanwhile, so the caller tries again.
      if (isConflict(error)) return undefined;
      if (!isNotFound(error)) throw error;
    }
  }
  return freed;
}

/** Rollouts whose route may still have legs. A workload that rolls back is given back before its route. */
async function routedOf({ api, namespaces, routings }: DrainOptions): Promise<readonly string[]> {
  const rollouts = await listRollouts(api, namespaces);
  // Where the cache reads none, there is no permission to change routes.
  const found = routings ? await listIn<TrafficRoutingObject>(api, TRAFFIC_ROUTINGS, namespaces) : [];
  return [
    ...rollouts
      .filter(({ status }) => status?.canaryStatus?.traffic !== undefined)
      .map(({ metadata }) => `the route of rollout ${metadata.namespace}/${metadata.name}`),
    ...found
      .filter(({ metadata }) => metadata.finalizers?.includes(TRAFFIC_ROUTING))
      .map(({ metadata }) => `the route of trafficrouting ${metadata.namespace}/${metadata.name}`),
  ];
}

/** `shop/web` of a Deployment, `statefulset shop/web` of another kind. */
const nameOf = (kind: WorkloadKind, { metadata }: Workload): string =>
  `${kind === deploymentKind ? '' : `${argumentOf(kind.resource)} `}${metadata.namespace}/${metadata.name}`;

/** Kinds that come with a CRD may be missing. */
const listIfServed = (api: Api, resource: Resource, namespaces: readonly string[]): Promise<Workload[]> =>
  listIn<Workload>(api, resource, namespaces).catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });

async function listRollouts(api: Api, namespaces: readonly string[]): Promise<Rollout[]> {
  try {
    return await listIn<Rollout>(api, ROLLOUTS, namespaces);
  } catch (error) {
    // The CRD is already deleted.
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Lists the objects of these namespaces, or of all if there are none. */
async function listIn<T extends KubeObject>(api: Api, resource: Resource, namespaces: readonly string[]): Promise<T[]> {
  if (namespaces.length === 0) return listAll<T>(api, resource);
  const found: T[] = [];
  for (const namespace of namespaces) found.push(...(await listAll<T>(api, resource, namespace)));
  return found;
}

function complaint(left: readonly string[]): string {
  const names = left.slice(0, MAX_NAMED).join(', ');
  const more = left.length > MAX_NAMED ? ` and ${left.length - MAX_NAMED} more` : '';
  return `not given back in time: ${names || 'Rollouts with our finalizer'}${more}`;
}
