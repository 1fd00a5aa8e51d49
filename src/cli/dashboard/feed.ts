// What the dashboard knows of the cluster: one watch each on Rollouts, the kinds of workloads that have Rollouts, policies and namespaces.
import { NAMESPACES, POLICIES, ROLLOUTS, type Resource } from '../../api/resources.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import type { Api } from '../../kube/api.ts';
import { keyOf } from '../../kube/store.ts';
import { overviewOf } from '../../view/dashboard/overview.ts';
import { withPoints, type Plots } from '../../view/dashboard/plots.ts';
import type { Connection, Overview, ReleaseRow } from '../../view/dashboard/types.ts';
import { policiesAmong } from '../../view/policies.ts';
import { resourceOf } from '../../view/reference.ts';
import { Journal } from './journal.ts';
import { Kept } from './kept.ts';

export interface FeedOptions {
  readonly api: Api;
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly readOnly: boolean;
  readonly context: string | undefined;
  readonly user: string | undefined;
  /** Identifies this server in ids of the stream. */
  readonly boot: string;
  now(): number;
}

/** Changes within this time are one change for the page. */
const COALESCE_MS = 100;
/** The connection is looked at this often, because a watch that fails tells nobody. */
const LOOK_MS = 1000;
/** While a page is open, the API server is asked this often whether it is there: a watch notices a broken network only after minutes. */
const PING_MS = 15_000;
const PING_TIMEOUT_MS = 5_000;

export class Feed {
  readonly journal: Journal<ReleaseRow>;
  readonly options: FeedOptions;
  private readonly rollouts: Kept<Rollout>;
  private readonly policyKeeper: Kept<ReleasePolicy>;
  private readonly namespaceKeeper: Kept<KubeObject>;
  private readonly workloads = new Map<Resource, Kept<Deployment>>();
  private readonly plots = new Map<string, Plots>();
  /** The Rollouts whose points are in `plots`. */
  private pointed: ReadonlyMap<string, Rollout> = new Map();
  private readonly listeners = new Set<() => void>();
  private readonly timers: NodeJS.Timeout[] = [];
  private pending: NodeJS.Timeout | undefined;
  private state: Connection;
  private shown: Overview | undefined;
  private pinged: string | undefined;
  private ended = false;

  constructor(options: FeedOptions) {
    this.options = options;
    this.journal = new Journal(options.boot);
    const { api, namespace, now } = options;
    const { context, user, readOnly } = options;
    this.state = {
      ...{ live: false, since: timeOf(now()), why: 'the API server has not answered yet', readOnly },
      ...(context !== undefined && { context }),
      ...(user !== undefined && { user }),
      ...(namespace !== undefined && { namespace }),
    };
    const notice = (): void => this.notice();
    this.rollouts = new Kept(api, ROLLOUTS, { namespace }, notice);
    this.policyKeeper = new Kept(api, POLICIES, {}, notice);
    this.namespaceKeeper = new Kept(api, NAMESPACES, { only: namespace }, notice);
    this.timers.push(setInterval(() => this.look(), LOOK_MS));
    this.timers.push(setInterval(() => void this.ping(), PING_MS));
  }

  /** Undefined until it is known. */
  get overview(): Overview | undefined {
    return this.shown;
  }

  get connection(): Connection {
    return this.state;
  }

  /** Called at most once in 100 ms. Returns a function that removes the listener. */
  on(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  rollout(key: string): Rollout | undefined {
    return this.rollouts.get(key);
  }

  /** The Rollouts of a namespace. */
  rolloutsIn(namespace: string | undefined): Rollout[] {
    return this.rollouts.items.filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** The points of the checks of a release, since the dashboard watches it. */
  plotsOf(key: string): Plots | undefined {
    return this.plots.get(key);
  }

  /** Undefined: it does not exist, or may not be read. */
  workloadOf(rollout: Rollout): Deployment | undefined {
    const { namespace } = rollout.metadata;
    return this.workloads.get(resourceOf(rollout))?.get(`${namespace}/${rollout.spec.workloadRef.name}`);
  }

  /** The kinds that may not be read. */
  get refused(): Resource[] {
    return [this.rollouts, ...this.workloads.values()].filter(({ refused }) => refused).map(({ resource }) => resource);
  }

  /** All policies. Undefined if the user may not read them. */
  get policies(): readonly ReleasePolicy[] | undefined {
    return this.policyKeeper.refused || this.policyKeeper.trouble ? this.staleOrNone() : this.policyKeeper.items;
  }

  /** The policies that select the workload of a Rollout. Undefined if the user may not read them, or the labels of the namespace that they need. */
  policiesFor(rollout: Rollout, workload: Deployment | undefined): readonly ReleasePolicy[] | undefined {
    const all = this.policies;
    if (all === undefined || all.length === 0) return all;
    const name = rollout.metadata.namespace ?? '';
    const found = this.namespaceKeeper.get(name);
    if (found === undefined && all.some(({ spec }) => spec.match?.namespaceSelector !== undefined)) return undefined;
    return policiesAmong(all, found, name, workload);
  }

  async stop(): Promise<void> {
    this.ended = true;
    clearTimeout(this.pending);
    for (const timer of this.timers) clearInterval(timer);
    const keepers = [this.rollouts, this.policyKeeper, this.namespaceKeeper, ...this.workloads.values()];
    await Promise.all(keepers.map((one) => one.stop()));
  }

  private staleOrNone(): readonly ReleasePolicy[] | undefined {
    if (this.policyKeeper.unserved) return [];
    const { items, refused } = this.policyKeeper;
    return refused || items.length === 0 ? undefined : items;
  }

  private notice(): void {
    if (this.ended || this.pending) return;
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.update();
    }, COALESCE_MS);
  }

  private update(): void {
    this.followKinds();
    this.look(false);
    const keepers = [this.rollouts, this.policyKeeper, this.namespaceKeeper, ...this.workloads.values()];
    const settled = keepers.every((one) => one.settled);
    if (settled && !this.rollouts.refused) {
      this.collectPoints();
      this.shown = this.makeOverview();
      this.journal.replace(this.shown.releases);
    }
    for (const listener of this.listeners) listener();
  }

  private makeOverview(): Overview {
    const { namespace, now } = this.options;
    const items = this.rollouts.items.map((rollout) => ({ rollout, workload: this.workloadOf(rollout) }));
    return overviewOf(items, { namespace, now: now() });
  }

  /** For the Rollouts that have changed. */
  private collectPoints(): void {
    const current = new Map(this.rollouts.items.map((rollout) => [keyOf(rollout), rollout]));
    for (const [key, rollout] of current) if (this.pointed.get(key) !== rollout) this.addPoints(key, rollout);
    for (const key of this.plots.keys()) if (!current.has(key)) this.plots.delete(key);
    this.pointed = current;
  }

  private addPoints(key: string, rollout: Rollout): void {
    const plots = withPoints(this.plots.get(key), rollout, this.options.now());
    if (plots) this.plots.set(key, plots);
    else this.plots.delete(key);
  }

  /** Watches the kinds that Rollouts name, and no others. */
  private followKinds(): void {
    const named = new Set(this.rollouts.items.map(resourceOf));
    for (const resource of named) {
      if (this.workloads.has(resource)) continue;
      const { api, namespace } = this.options;
      this.workloads.set(resource, new Kept(api, resource, { namespace }, () => this.notice()));
    }
    for (const [resource, kept] of this.workloads) {
      if (named.has(resource)) continue;
      this.workloads.delete(resource);
      void kept.stop();
    }
  }

  /** Whether what is shown is what the cluster has now. */
  private look(tells = true): void {
    const why = this.trouble();
    const live = why === undefined;
    if (live === this.state.live && why === this.state.why) return;
    const since = live === this.state.live ? this.state.since : timeOf(this.options.now());
    const { why: _, ...rest } = this.state;
    this.state = { ...rest, live, since, ...(why !== undefined && { why }) };
    if (tells) for (const listener of this.listeners) listener();
  }

  private trouble(): string | undefined {
    const { namespace } = this.options;
    if (this.rollouts.refused)
      return namespace === undefined
        ? 'you may not list Rollouts in all namespaces: end the dashboard, and start it for one namespace with -n NAMESPACE'
        : `you may not list Rollouts in namespace "${namespace}": ask for the ClusterRole view there, or choose another namespace with -n`;
    if (this.rollouts.unserved)
      return 'the cluster does not serve rollouts.kruise.io/v1beta1: install the chart, then check with: kubectl tranche doctor';
    if (this.pinged !== undefined) return this.pinged;
    for (const kept of [this.rollouts, ...this.workloads.values()])
      if (!kept.refused && !kept.unserved && kept.trouble !== undefined)
        return `the API server does not answer: ${kept.trouble}`;
    return undefined;
  }

  private async ping(): Promise<void> {
    if (this.listeners.size === 0) return;
    const signal = AbortSignal.timeout(PING_TIMEOUT_MS);
    try {
      await this.options.api.request({ method: 'GET', path: '/version', signal });
      this.pinged = undefined;
    } catch (error) {
      const { name, message } = error as Error;
      // An answer of any kind is an answer.
      const answered = name === 'ApiError';
      const why = signal.aborted ? `no response within ${PING_TIMEOUT_MS / 1000} s` : message;
      this.pinged = answered ? undefined : `the API server does not answer: ${why}`;
    }
    if (!this.ended) this.look();
  }
}

export const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '');
