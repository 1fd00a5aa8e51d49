// Carries out what TrafficRoutings do to their routes while Rollouts that name them have releases. At rest it watches no route that exists.
import { kindName, TRAFFIC_ROUTINGS } from '../api/resources.ts';
import type { Route, TrafficRoutingObject } from '../api/traffic.ts';
import type { Rollout } from '../api/types.ts';
import type { Decision } from '../engine/decision.ts';
import { cleaned } from '../engine/messages.ts';
import { isInFlight } from '../engine/release/in-flight.ts';
import type { RouteName } from '../engine/traffic/registry.ts';
import {
  type decideRouting,
  LOOK_AGAIN_SECONDS,
  routeToRead,
  routingRefOf,
  type RoutingFacts,
} from '../engine/traffic/routing-object.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import { ApiError, isForbidden, isNotFound } from '../kube/errors.ts';
import { getObject } from '../kube/get.ts';
import type { Logger } from '../kube/log.ts';
import { nameSelector, pathOf } from '../kube/path.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import { Reflector, type Change, type Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import type { Applier } from './apply.ts';
import type { MutationCache } from './mutation-cache.ts';
import { mergeDiff } from './status-patch.ts';

export interface TrafficRoutingsDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Need the index {@link routingIndex}. */
  readonly rollouts: Collection<Rollout>;
  readonly routings: Collection<TrafficRoutingObject>;
  readonly applier: Pick<Applier, 'carryOut'>;
  readonly writes: MutationCache;
  /** Gives all routes back, whatever Rollouts do. */
  readonly isLeaving: boolean;
  readonly decide: typeof decideRouting;
  readonly onDone: (result: string, seconds: number) => void;
  readonly metrics?: { watchRestart(resource: string, reason: string): void } | undefined;
}

/** Index of Rollouts by their TrafficRouting: `<namespace>/<name>`. */
export const routingIndex = (rollout: Rollout): string[] => {
  const name = routingRefOf(rollout);
  return name === undefined ? [] : [`${rollout.metadata.namespace ?? ''}/${name}`];
};

/** Changes when a Rollout starts or stops to need a TrafficRouting. */
const needOf = (rollout: Rollout): string => `${isInFlight(rollout, undefined)} ${routingIndex(rollout).join()}`;

const TOGETHER_MS = 15;
/** Prefix of the keys in the cache of writes. Keys of workloads contain no such name. */
const PREFIX = 'trafficrouting:';

interface Open {
  readonly text: string;
  readonly routes: Reflector<Route>;
}

/**
 * Calls for a TrafficRouting (test/operator/traffic-routings.test.ts counts them). At rest: none. While its route does not exist, or is changed: 1 list and
 * 1 watch of this one name, and 1 GET for each decision. The watch is opened again after 4 to 8 minutes, and compared by 1 list every 10 minutes.
 * Only without the right to read routes, or in a cluster that does not serve their kind: 1 GET every half minute.
 */
export class TrafficRoutings {
  private readonly deps: TrafficRoutingsDeps;
  private readonly queue: WorkQueue;
  private readonly open = new Map<string, Open>();
  private readonly ends: (() => void)[] = [];
  private stopped = false;

  constructor(deps: TrafficRoutingsDeps) {
    this.deps = deps;
    const { clock, logger, onDone } = deps;
    this.queue = new WorkQueue({
      clock,
      logger,
      workers: 1,
      work: (key) => this.reconcile(key),
      onDone: (result, ms) => onDone(result, ms / 1000),
    });
  }

  async start(): Promise<void> {
    const { rollouts, routings, writes } = this.deps;
    const synced = await Promise.all([rollouts.whenSynced(), routings.whenSynced()]);
    if (this.stopped || synced.includes(false)) return;
    const wake = (key: string): void => this.queue.addSoon(key, TOGETHER_MS);
    const onRollout = ({ type, object, old }: Change<Rollout>): void => {
      // Most updates are the progress of a release.
      const isSame = type === 'updated' && old !== undefined && needOf(old) === needOf(object);
      if (!isSame) [object, ...(old ? [old] : [])].flatMap(routingIndex).forEach(wake);
    };
    const onListed = (listing: Listing): void =>
      writes.listed(kindName(TRAFFIC_ROUTINGS), listing).forEach((key) => wake(keyFrom(key)));
    this.ends.push(
      routings.onListed(onListed),
      rollouts.on(onRollout),
      routings.on(({ object: { metadata } }) => wake(`${metadata.namespace}/${metadata.name}`)),
    );
    this.queue.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const end of this.ends) end();
    await this.queue.drain();
    await Promise.all([...this.open.keys()].map((key) => this.close(key)));
  }

  private async reconcile(key: string): Promise<Outcome | void> {
    const { routings, rollouts, applier, writes, isLeaving, decide } = this.deps;
    const cached = routings.get(key);
    if (cached === undefined) {
      writes.keepOnly(writesKey(key), []);
      return this.close(key);
    }
    const object = writes.seen(writesKey(key), { ...cached, ...KIND });
    const inFlight = rollouts.by('routing', key).filter((rollout) => isInFlight(rollout, undefined));
    const releasing = isLeaving ? [] : inFlight.map(({ metadata }) => metadata.name).sort();
    const named = routeToRead(object);
    const decision = decide({ object, releasing, ...(await this.read(key, named)) });
    if (decision.watches && named) this.watch(key, named);
    else await this.close(key);
    const { effects, status, isBlocked } = decision;
    const plain: Decision = { effects, events: [], needsChildren: false };
    let changed = await applier.carryOut(writesKey(key), plain, undefined, undefined);
    const current = writes.newest(writesKey(key), object);
    // Without its last finalizer, a deleted object is gone.
    const isGone = current.metadata.deletionTimestamp != null && (current.metadata.finalizers ?? []).length === 0;
    if (!isGone) changed = (await this.report(key, current, status)) || changed;
    if (changed) return { againAfterMs: 0 };
    writes.keepOnly(writesKey(key), [cached]);
    return isBlocked ? { againAfterMs: LOOK_AGAIN_SECONDS * 1000 } : {};
  }

  private async read(
    key: string,
    route: RouteName | undefined,
  ): Promise<Pick<RoutingFacts, 'route' | 'unreadable' | 'unserved'>> {
    if (route === undefined) return { route: null };
    const { resource } = route.provider;
    const { namespace } = splitKey(key);
    try {
      return { route: await getObject<Route>(this.deps.api, resource, { namespace, name: route.name }) };
    } catch (error) {
      if (isNotFound(error)) return { route: null, unserved: isUnserved(error) };
      if (!(error instanceof ApiError) || !isForbidden(error)) throw error;
      return { route: null, unreadable: `the API server does not let Tranche read routes: ${cleaned(error.message)}` };
    }
  }

  private async report(key: string, object: TrafficRoutingObject, status: object): Promise<boolean> {
    const { api, writes } = this.deps;
    const diff = mergeDiff(object.status, status);
    if (!diff) return false;
    const { resourceVersion } = object.metadata;
    const written = (await api.request({
      method: 'PATCH',
      path: pathOf(TRAFFIC_ROUTINGS, { ...object.metadata, subresource: 'status' }),
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion }, status: diff },
    })) as TrafficRoutingObject;
    writes.remember(writesKey(key), object, written);
    return written.metadata.resourceVersion !== resourceVersion;
  }

  private watch(key: string, { provider, name }: RouteName): void {
    const text = `${provider.resource.kind}/${name}`;
    if (this.open.get(key)?.text === text) return;
    void this.close(key);
    const { api, clock, logger, metrics } = this.deps;
    const routes = new Reflector<Route>({
      api,
      clock,
      logger,
      path: pathOf(provider.resource, { namespace: splitKey(key).namespace }),
      fieldSelector: nameSelector(name),
      onRestart: (reason) => {
        metrics?.watchRestart(provider.resource.plural, reason);
        // The kind may not be served any more, or the right to watch it is gone.
        if (reason === 'error') this.queue.addAfter(key, TOGETHER_MS);
      },
    });
    routes.on(() => this.queue.addAfter(key, TOGETHER_MS));
    this.open.set(key, { text, routes });
    routes.start();
  }

  private async close(key: string): Promise<void> {
    const open = this.open.get(key);
    this.open.delete(key);
    await open?.routes.stop();
  }
}

/** For the path of a kind that is not served, the API server answers in plain text. */
const isUnserved = (error: unknown): boolean => isNotFound(error) && (error as ApiError).reason === '';

/** A list has no kinds in its items. */
const KIND = { apiVersion: TRAFFIC_ROUTINGS.apiVersion, kind: TRAFFIC_ROUTINGS.kind };

const writesKey = (key: string): string => key.replace('/', `/${PREFIX}`);
const keyFrom = (key: string): string => key.replace(`/${PREFIX}`, '/');
