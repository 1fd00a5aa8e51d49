// Checks the invariants T1–T12 of docs/adr/0031 on raw objects, as `make chaos` and the random histories see them. It imports nothing of src/.
import { inPods } from '../judge.ts';
import { Known, put, type Names } from './known.ts';
import { Proxies, type Copied, type Proxy, type ProxiesOptions } from './proxies.ts';
import * as read from './read.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

export type TrafficKind = Copied | 'Pod' | 'ReplicaSet' | 'Deployment' | 'Rollout';

export interface TrafficChange {
  readonly kind: TrafficKind;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: any;
  /** In milliseconds. */
  readonly at: number;
}

export interface TrafficJudgeOptions extends ProxiesOptions, Names {
  /** How long a Pod serves after its deletion, in milliseconds: its preStop hook. At least as long as a copy lags. */
  readonly preStopMs: number;
}

const EXACT = 1e-9;
/** Shares are thousandths. */
const ROUNDING = 0.0011;
/** How long a leg may be empty after a rollback to a version that has all of its Pods, in milliseconds: an operator that was killed must come back. */
const FULL_MS = 30_000;
const STANDS: ReadonlySet<string> = new Set(['StepTrafficRouting', 'StepMetricsAnalysis', 'StepPaused', 'StepReady']);

/** One route with its Rollout and its Deployment. */
export class TrafficJudge {
  /** `T12: ...`: each text at most once. */
  readonly violations = new Set<string>();
  /** Requests were looked at so often. */
  samples = 0;
  /** The rules as their user wrote them last. Before it is set, T4 does not compare with them. */
  userRules: readonly any[] | undefined;
  private readonly options: TrafficJudgeOptions;
  private readonly proxies: Proxies;
  private readonly known: Known;
  private now = 0;
  private started = false;
  /** Until then, people have taken Pods away themselves, or scaled: a leg may be empty. */
  private excusedUntil = -Infinity;
  /** Until then, the route may be as somebody has applied it. */
  private appliedUntil = -Infinity;
  /** Pods that became ready while the versions were apart: only the canary leg may send them requests. */
  private readonly reserved = new Set<string>();
  private version: string | undefined;
  /** The share of the new version, which only grows. */
  private least: { readonly key: string; readonly share: number } = { key: '', share: 0 };

  constructor(options: TrafficJudgeOptions) {
    this.options = options;
    this.proxies = new Proxies(options);
    this.known = new Known(options);
  }

  /** All Pods are there: from now on, everything is judged. */
  start(at: number): void {
    this.tick(at);
    this.started = true;
    for (const [name, service] of this.known.services) this.proxies.know('Service', name, service);
    for (const [name, slice] of this.known.slices) this.proxies.know('EndpointSlice', name, slice);
    this.proxies.know('HTTPRoute', this.options.name, this.known.route);
    this.version = this.known.services.get(this.options.name)?.metadata.resourceVersion;
  }

  /** People take Pods away themselves, or scale. */
  excuse(at: number, forMs: number): void {
    this.tick(at);
    this.excusedUntil = Math.max(this.excusedUntil, at + forMs);
  }

  /** Somebody writes the route: without the webhook, it is stored as it is written. */
  applies(at: number, forMs: number, rules: readonly any[]): void {
    this.tick(at);
    this.appliedUntil = Math.max(this.appliedUntil, at + forMs);
    this.userRules = rules;
  }

  see({ kind, type, object, at }: TrafficChange): void {
    this.tick(at);
    const { name } = object.metadata;
    const is = type === 'DELETED' ? undefined : object;
    switch (kind) {
      case 'HTTPRoute':
        return name === this.options.name ? this.seeRoute(is) : undefined;
      case 'Service':
        return this.seeService(name, is);
      case 'EndpointSlice':
        return this.seeSlice(name, is);
      case 'Pod':
        return this.seePod(object, is === undefined);
      case 'ReplicaSet':
        return this.known.seeSet(object, is === undefined);
      case 'Deployment':
        return name === this.options.name ? this.seeDeployment(is) : undefined;
      case 'Rollout':
        if (name === this.options.rollout) this.known.rollout = is;
    }
  }

  /** Time passes: copies arrive at proxies. */
  tick(at: number): void {
    const until = Math.max(this.now, at);
    this.proxies.deliver(until, (proxy, arrived) => {
      this.now = Math.max(this.now, arrived);
      this.request(proxy);
    });
    this.now = until;
  }

  private get isExcused(): boolean {
    return this.now <= this.excusedUntil;
  }

  private get isApplied(): boolean {
    return this.now <= this.appliedUntil;
  }

  /** In a step with traffic, with the versions apart. */
  private get isApart(): boolean {
    return this.known.isApart && this.known.isRouted && !this.isExcused && !this.isApplied;
  }

  // Changes ----------------------------------------------------------------------------------------------------------

  private seeRoute(route: any): void {
    const before = this.known.route;
    this.known.route = route;
    if (!this.started) return;
    this.proxies.send('HTTPRoute', this.options.name, route, this.now);
    if (route === undefined || route.metadata.generation === before?.metadata.generation) return;
    for (const leg of this.known.legs) {
      const { named, weight } = read.sentTo(route, leg);
      if (named && !this.known.services.has(leg))
        this.violate('T2', `the route names Service ${leg}, which does not exist`);
      const gets = weight > 0 && read.sentTo(before, leg).weight === 0;
      if (gets && read.endpointsOf(this.known.slices.values(), leg).length === 0 && !this.isExcused)
        this.violate('T1', `Service ${leg} gets requests and has no ready endpoint`);
    }
    const wanted = this.isApplied ? undefined : this.userRules;
    for (const what of read.wrongWeights(route, wanted, this.options.name)) this.violate('T4', what);
    this.checkShare(route);
  }

  /** T8: the new version gets no more than the steps until now ask for, or than its Pods are of all; and what it gets grows. */
  private checkShare(route: any): void {
    const { newSet, newHash: hash, stable, replicas, canary } = this.known;
    if (this.isExcused || this.isApplied || canary === undefined) this.least = { key: '', share: 0 };
    if (canary === undefined || hash === undefined || hash === stable) return;
    const ofPods = Math.min(1, (newSet.spec.replicas ?? 0) / replicas);
    const until = this.known.steps.slice(0, this.known.index).map((step) => read.askedBy(step) ?? 0);
    const most = Math.max(ofPods, ...until) + ROUNDING;
    let leg = 1;
    for (const rule of read.userRulesOf(route, this.options.name)) {
      const shares = read.sharesOf(rule, this.options.name);
      const all = shares.base + shares.stable + shares.canary;
      if (all === 0) continue;
      leg = Math.min(leg, shares.canary / all);
      const given = (shares.canary + shares.base * ofPods) / all;
      if (shares.canary > 0 && given > most && !this.isExcused)
        this.violate('T8', `the new version gets ${given.toFixed(3)} of the requests, not ${most.toFixed(3)}`);
    }
    this.checkGrowth(leg, hash);
  }

  /** Apart, what the canary leg gets grows with the steps. Shared, its Pods get an even part in addition, so only a step that stands is looked at. */
  private checkGrowth(share: number, hash: string): void {
    if (this.isExcused || this.isApplied || !this.known.isRouted) return void (this.least = { key: '', share: 0 });
    const { index, canary, isApart: apart } = this.known;
    if (!apart && !STANDS.has(canary.currentStepState)) return;
    const isMatch = (this.known.steps[index - 1].matches ?? []).length > 0;
    const key = apart && !isMatch ? hash : `${hash} ${index}`;
    if (this.least.key === key && share < this.least.share - EXACT)
      this.violate('T8', `what the new version gets falls from ${this.least.share} to ${share} in step ${index}`);
    this.least = { key, share };
  }

  private seeService(name: string, service: any): void {
    const before = this.known.services.get(name);
    put(this.known.services, name, service);
    if (!this.started) return;
    this.proxies.send('Service', name, service, this.now);
    if (name === this.options.name && service?.metadata.resourceVersion !== this.version)
      this.violate('T10', 'the Service of the user was written');
    if (!this.known.legs.includes(name)) return;
    const routes = [this.known.route, ...this.proxies.all.map(({ route }) => route)];
    const used = routes.some((route) => read.sentTo(route, name).weight > 0);
    if (before && service && read.selectedBy(before) !== read.selectedBy(service) && used)
      this.violate('T3', `the selector of Service ${name} changed while requests go there`);
    if (service === undefined && read.sentTo(this.known.route, name).named)
      this.violate('T2', `Service ${name} was deleted while the route names it`);
  }

  private seeSlice(name: string, slice: any): void {
    const before = this.known.slices.get(name);
    put(this.known.slices, name, slice);
    if (!this.started) return;
    this.proxies.send('EndpointSlice', name, slice, this.now);
    const of = (slice ?? before)?.metadata.labels?.['kubernetes.io/service-name'];
    if (!this.known.legs.includes(of) || read.sentTo(this.known.route, of).weight === 0 || this.isExcused) return;
    if (read.endpointsOf(this.known.slices.values(), of).length > 0) return;
    if (before !== undefined && read.endpointsOf([before], of).length > 0)
      this.violate('T1', `Service ${of} loses its last ready endpoint while the route sends it requests`);
  }

  private seePod(pod: any, isGone: boolean): void {
    const { uid } = pod.metadata;
    const known = this.known.pods.get(uid);
    const wasReady = known?.servesUntil === Infinity;
    const isReady = !isGone && read.isReadyPod(pod);
    const leaves = isGone || pod.metadata.deletionTimestamp !== undefined;
    const ends = leaves && wasReady ? this.now + this.options.preStopMs : undefined;
    const servesUntil = isReady ? Infinity : (ends ?? (leaves ? known?.servesUntil : undefined));
    this.known.pods.set(uid, { object: pod, servesUntil });
    if (!this.started) return;
    if (isReady && known?.servesUntil === undefined) this.reserve(uid, pod);
    if (wasReady && leaves) this.checkLoad(pod);
  }

  /** The Pod becomes ready in a step in which only the canary leg may send it requests. */
  private reserve(uid: string, pod: any): void {
    const hash = read.hashOf(pod);
    const isNew = hash !== undefined && hash === this.known.newHash && hash !== this.known.stable;
    if (isNew && this.known.isApart && this.known.isRouted && this.known.isHeld) this.reserved.add(uid);
  }

  /**
   * T11: a Pod of the stable version goes. Those that stay are not left with more requests than one wave of Pods may take away, but for what the step
   * itself asks.
   */
  private checkLoad(pod: any): void {
    const { stable, replicas, settings, newHash } = this.known;
    if (!this.isApart || read.hashOf(pod) !== stable || settings === undefined) return;
    if (newHash === undefined || newHash === stable || !this.known.isHeld) return;
    const left = [...this.known.pods.values()].filter(
      ({ object, servesUntil }) => servesUntil === Infinity && read.hashOf(object) === stable,
    ).length;
    const { maxSurge, maxUnavailable } = settings;
    const wave = Math.max(1, inPods(maxSurge, replicas, true) + inPods(maxUnavailable, replicas, false));
    const most = Math.max((left + wave) / replicas, 1 - (this.known.asked ?? 0)) + ROUNDING;
    for (const { route, index } of this.proxies.all)
      for (const rule of read.userRulesOf(route, this.options.name)) {
        const shares = read.sharesOf(rule, this.options.name);
        const share = shares.stable / (shares.base + shares.stable + shares.canary);
        if (share > most)
          this.violate('T11', `proxy ${index}: ${left} of ${replicas} Pods get ${share.toFixed(2)} of the requests`);
      }
  }

  private seeDeployment(deployment: any): void {
    const { newHash: before } = this.known;
    const happened = this.known.seeDeployment(deployment);
    if (this.known.isFullAgain(before)) this.excuse(this.now, FULL_MS);
    if (happened === 'Held') this.reserved.clear();
    if (happened === 'Freed' && this.started) this.checkFreed();
  }

  /** T5: the Deployment is given back, so its controller replaces all Pods of other versions. */
  private checkFreed(): void {
    const { newHash } = this.known;
    for (const { route } of [{ route: this.known.route }, ...this.proxies.all])
      for (const leg of this.known.legs) {
        const hash = read.selectedBy(this.known.services.get(leg));
        if (read.sentTo(route, leg).weight > 0 && hash !== newHash)
          this.violate('T5', `the Deployment is given back while Service ${leg} gets requests for version ${hash}`);
      }
  }

  /** Looks at every request that the proxy could send now. */
  private request(proxy: Proxy): void {
    if (!this.started) return;
    this.samples += 1;
    const { name } = this.options;
    const { index } = proxy;
    for (const service of [name, ...this.known.legs]) {
      const { named, weight } = read.sentTo(proxy.route, service);
      if (!named) continue;
      if (!proxy.services.has(service))
        this.violate('T2', `proxy ${index} knows no Service ${service}, which its route names`);
      if (weight === 0) continue;
      const ready = read.endpointsOf(proxy.slices.values(), service);
      if (ready.length === 0 && !this.isExcused)
        this.violate('T12', `proxy ${index} has no endpoint of Service ${service}, which gets requests`);
      const dead = ready.find((uid) => (this.known.pods.get(uid)?.servesUntil ?? -Infinity) <= this.now);
      if (dead !== undefined)
        this.violate('T12', `proxy ${index} sends requests of ${service} to ${this.podName(dead)}`);
      if (service !== name || !this.isApart) continue;
      const open = ready.find((uid) => this.reserved.has(uid));
      if (open !== undefined)
        this.violate('T7', `proxy ${index} sends requests of the user's Service to ${this.podName(open)}`);
    }
  }

  private podName = (uid: string): string => `Pod ${this.known.pods.get(uid)?.object.metadata.name ?? uid}`;

  private violate(invariant: string, what: string): void {
    this.violations.add(`${invariant}: ${what} (at ${new Date(this.now).toISOString().slice(11, 23)})`);
  }
}
