// Checks the invariants T1–T12 of docs/adr/0031 on raw objects, as `make chaos` and the random histories see them. It imports nothing of src/.
import { inPods, settingsOf, targetOf, templateText, type Settings } from '../judge.ts';
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

export interface TrafficJudgeOptions extends ProxiesOptions {
  /** Name of the user's Service, of the route and of the Deployment. */
  readonly name: string;
  readonly rollout: string;
  /** How long a Pod serves after its deletion, in milliseconds: its preStop hook. At least as long as a copy lags. */
  readonly preStopMs: number;
}

const HELD = 'tranche.dev/held';
const EXACT = 1e-9;
/** Shares are thousandths. */
const ROUNDING = 0.0011;
const STANDS: ReadonlySet<string> = new Set(['StepTrafficRouting', 'StepMetricsAnalysis', 'StepPaused', 'StepReady']);

interface PodFile {
  object: any;
  /** When it stops to serve. Infinity while it serves. Undefined if it was never ready. */
  servesUntil: number | undefined;
}

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
  private now = 0;
  private started = false;
  private route: any;
  private deployment: any;
  private rollout: any;
  private settings: Settings | undefined;
  private readonly services = new Map<string, any>();
  private readonly slices = new Map<string, any>();
  /** ReplicaSets by their template. */
  private readonly sets = new Map<string, any>();
  private template = '';
  /** The hash of the version that was there before the release. */
  private stable: string | undefined;
  private readonly pods = new Map<string, PodFile>();
  /** Until then, people have taken Pods away themselves, or scaled: a leg may be empty. */
  private excusedUntil = -Infinity;
  /** Until then, the route may be as somebody has applied it. */
  private appliedUntil = -Infinity;
  /** The versions are apart in this release: a step has matches, or asks for less than the share of its Pods. */
  private apart = false;
  /** Pods that became ready while the versions were apart: only the canary leg may send them requests. */
  private readonly reserved = new Set<string>();
  private version: string | undefined;
  /** The share of the new version, which only grows. */
  private least: { readonly key: string; readonly share: number } = { key: '', share: 0 };

  constructor(options: TrafficJudgeOptions) {
    this.options = options;
    this.proxies = new Proxies(options);
  }

  /** All Pods are there: from now on, everything is judged. */
  start(at: number): void {
    this.tick(at);
    this.started = true;
    for (const [name, service] of this.services) this.proxies.know('Service', name, service);
    for (const [name, slice] of this.slices) this.proxies.know('EndpointSlice', name, slice);
    this.proxies.know('HTTPRoute', this.options.name, this.route);
    this.version = this.services.get(this.options.name)?.metadata.resourceVersion;
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
        return put(this.sets, templateText(object.spec.template), is);
      case 'Deployment':
        return name === this.options.name ? this.seeDeployment(is) : undefined;
      case 'Rollout':
        if (name === this.options.rollout) this.rollout = is;
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

  // What is known ----------------------------------------------------------------------------------------------------

  private get legs(): readonly string[] {
    return [`${this.options.name}-canary`, `${this.options.name}-stable`];
  }

  private get isExcused(): boolean {
    return this.now <= this.excusedUntil;
  }

  private get isApplied(): boolean {
    return this.now <= this.appliedUntil;
  }

  private get replicas(): number {
    return this.deployment?.spec.replicas ?? 1;
  }

  /** The ReplicaSet of the version that the Deployment asks for. */
  private get newSet(): any {
    return this.sets.get(this.template);
  }

  private get canary(): any {
    return this.rollout?.status?.canaryStatus;
  }

  private get steps(): any[] {
    return this.rollout?.spec.strategy?.canary?.steps ?? [];
  }

  private get index(): number {
    return this.canary?.currentStepIndex ?? 0;
  }

  /** The Rollout wants to release in steps, and the release is in a step with traffic or matches. */
  private get isRouted(): boolean {
    const { rollout } = this;
    const wants = rollout && !rollout.metadata.deletionTimestamp && rollout.spec.disabled !== true;
    return wants && this.canary !== undefined && this.index < this.steps.length && this.asked !== undefined;
  }

  /** The share that the step asks for. */
  private get asked(): number | undefined {
    return read.askedBy(this.steps[this.index - 1]);
  }

  private get isApart(): boolean {
    return this.apart && this.isRouted && !this.isExcused && !this.isApplied;
  }

  private get isHeld(): boolean {
    return this.deployment?.metadata.annotations?.[HELD] !== undefined;
  }

  // Changes ----------------------------------------------------------------------------------------------------------

  private seeRoute(route: any): void {
    const before = this.route;
    this.route = route;
    if (!this.started) return;
    this.proxies.send('HTTPRoute', this.options.name, route, this.now);
    if (route === undefined || route.metadata.generation === before?.metadata.generation) return;
    for (const leg of this.legs) {
      const { named, weight } = read.sentTo(route, leg);
      if (named && !this.services.has(leg)) this.violate('T2', `the route names Service ${leg}, which does not exist`);
      const gets = weight > 0 && read.sentTo(before, leg).weight === 0;
      if (gets && read.endpointsOf(this.slices.values(), leg).length === 0 && !this.isExcused)
        this.violate('T1', `Service ${leg} gets requests and has no ready endpoint`);
    }
    this.checkWeights(route);
    this.checkShare(route);
  }

  /** T4: a rule has a weight, and the shares of the user's other Services are as in the user's rule. */
  private checkWeights(route: any): void {
    const { name } = this.options;
    for (const rule of read.rulesOf(route))
      if ((rule.backendRefs ?? []).length > 0 && read.sharesOf(rule, name).total === 0)
        this.violate('T4', 'all weights of a rule are 0');
    if (this.userRules === undefined || this.isApplied) return;
    const live = read.userRulesOf(route, name);
    for (const [index, rule] of this.userRules.entries()) {
      const [wanted, found] = [read.sharesOf(rule, name), read.sharesOf(live[index] ?? {}, name)];
      const same = wanted.others.every(
        (other, i) => (found.others[i]?.weight ?? NaN) * wanted.total === other.weight * found.total,
      );
      if (!same) this.violate('T4', `the share of another Service changed in rule ${index}`);
    }
  }

  /** T8: the new version gets no more than the steps until now ask for, or than its Pods are of all; and what it gets grows. */
  private checkShare(route: any): void {
    const { newSet, stable, replicas, canary } = this;
    const hash = newSet && read.hashOf(newSet);
    if (this.isExcused || this.isApplied || canary === undefined) this.least = { key: '', share: 0 };
    if (canary === undefined || hash === undefined || hash === stable) return;
    const ofPods = Math.min(1, (newSet.spec.replicas ?? 0) / replicas);
    const until = this.steps.slice(0, this.index).map((step) => read.askedBy(step) ?? 0);
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
    if (this.isExcused || this.isApplied || !this.isRouted) return void (this.least = { key: '', share: 0 });
    const { index, canary, apart } = this;
    if (!apart && !STANDS.has(canary.currentStepState)) return;
    const isMatch = (this.steps[index - 1].matches ?? []).length > 0;
    const key = apart && !isMatch ? hash : `${hash} ${index}`;
    if (this.least.key === key && share < this.least.share - EXACT)
      this.violate('T8', `what the new version gets falls from ${this.least.share} to ${share} in step ${index}`);
    this.least = { key, share };
  }

  private seeService(name: string, service: any): void {
    const before = this.services.get(name);
    put(this.services, name, service);
    if (!this.started) return;
    this.proxies.send('Service', name, service, this.now);
    if (name === this.options.name && service?.metadata.resourceVersion !== this.version)
      this.violate('T10', 'the Service of the user was written');
    if (!this.legs.includes(name)) return;
    const routes = [this.route, ...this.proxies.all.map(({ route }) => route)];
    const used = routes.some((route) => read.sentTo(route, name).weight > 0);
    if (before && service && read.selectedBy(before) !== read.selectedBy(service) && used)
      this.violate('T3', `the selector of Service ${name} changed while requests go there`);
    if (service === undefined && read.sentTo(this.route, name).named)
      this.violate('T2', `Service ${name} was deleted while the route names it`);
  }

  private seeSlice(name: string, slice: any): void {
    const before = this.slices.get(name);
    put(this.slices, name, slice);
    if (!this.started) return;
    this.proxies.send('EndpointSlice', name, slice, this.now);
    const of = (slice ?? before)?.metadata.labels?.['kubernetes.io/service-name'];
    if (!this.legs.includes(of) || read.sentTo(this.route, of).weight === 0 || this.isExcused) return;
    if (read.endpointsOf(this.slices.values(), of).length > 0) return;
    if (before !== undefined && read.endpointsOf([before], of).length > 0)
      this.violate('T1', `Service ${of} loses its last ready endpoint while the route sends it requests`);
  }

  private seePod(pod: any, isGone: boolean): void {
    const { uid } = pod.metadata;
    const known = this.pods.get(uid);
    const wasReady = known?.servesUntil === Infinity;
    const isReady = !isGone && read.isReadyPod(pod);
    const leaves = isGone || pod.metadata.deletionTimestamp !== undefined;
    const ends = leaves && wasReady ? this.now + this.options.preStopMs : undefined;
    const servesUntil = isReady ? Infinity : (ends ?? (leaves ? known?.servesUntil : undefined));
    this.pods.set(uid, { object: pod, servesUntil });
    if (!this.started) return;
    if (isReady && known?.servesUntil === undefined) this.reserve(uid, pod);
    if (wasReady && leaves) this.checkLoad(pod);
  }

  /** The Pod becomes ready in a step in which only the canary leg may send it requests. */
  private reserve(uid: string, pod: any): void {
    const hash = read.hashOf(pod);
    const isNew = hash !== undefined && hash === (this.newSet && read.hashOf(this.newSet)) && hash !== this.stable;
    if (isNew && this.apart && this.isRouted && this.isHeld) this.reserved.add(uid);
  }

  /**
   * T11: a Pod of the stable version goes. Those that stay are not left with more requests than one wave of Pods may take away, but for what the step
   * itself asks.
   */
  private checkLoad(pod: any): void {
    const { stable, replicas, settings, newSet } = this;
    const hash = read.hashOf(pod);
    if (!this.isApart || hash !== stable || settings === undefined) return;
    if (newSet === undefined || read.hashOf(newSet) === stable || !this.isHeld) return;
    const left = [...this.pods.values()].filter(
      ({ object, servesUntil }) => servesUntil === Infinity && read.hashOf(object) === stable,
    ).length;
    const { maxSurge, maxUnavailable } = settings;
    const wave = Math.max(1, inPods(maxSurge, replicas, true) + inPods(maxUnavailable, replicas, false));
    const most = Math.max((left + wave) / replicas, 1 - (this.asked ?? 0)) + ROUNDING;
    for (const { route, index } of this.proxies.all)
      for (const rule of read.userRulesOf(route, this.options.name)) {
        const shares = read.sharesOf(rule, this.options.name);
        const share = shares.stable / (shares.base + shares.stable + shares.canary);
        if (share > most)
          this.violate('T11', `proxy ${index}: ${left} of ${replicas} Pods get ${share.toFixed(2)} of the requests`);
      }
  }

  private seeDeployment(deployment: any): void {
    const wasHeld = this.isHeld;
    this.deployment = deployment;
    if (deployment === undefined) return;
    const before = this.template;
    this.template = templateText(deployment.spec.template);
    if (!this.isHeld) this.settings = settingsOf(deployment);
    if (this.isHeld && !wasHeld) {
      this.stable = this.sets.has(before) ? read.hashOf(this.sets.get(before)) : undefined;
      const { steps, replicas } = this;
      this.reserved.clear();
      this.apart = steps.slice(0, -1).some((step) => {
        const asked = read.askedBy(step);
        if (asked === undefined) return false;
        return (step.matches ?? []).length > 0 || asked * replicas + EXACT < targetOf(step, replicas);
      });
    }
    if (wasHeld && !this.isHeld && this.started) this.checkFreed();
  }

  /** T5: the Deployment is given back, so its controller replaces all Pods of other versions. */
  private checkFreed(): void {
    const { newSet } = this;
    for (const { route } of [{ route: this.route }, ...this.proxies.all])
      for (const leg of this.legs) {
        const hash = read.selectedBy(this.services.get(leg));
        if (read.sentTo(route, leg).weight > 0 && hash !== (newSet && read.hashOf(newSet)))
          this.violate('T5', `the Deployment is given back while Service ${leg} gets requests for version ${hash}`);
      }
  }

  // Requests ---------------------------------------------------------------------------------------------------------

  /** Looks at every request that the proxy could send now. */
  private request(proxy: Proxy): void {
    if (!this.started) return;
    this.samples += 1;
    const { name } = this.options;
    const { index } = proxy;
    for (const service of [name, ...this.legs]) {
      const { named, weight } = read.sentTo(proxy.route, service);
      if (!named) continue;
      if (!proxy.services.has(service))
        this.violate('T2', `proxy ${index} knows no Service ${service}, which its route names`);
      if (weight === 0) continue;
      const ready = read.endpointsOf(proxy.slices.values(), service);
      if (ready.length === 0 && !this.isExcused)
        this.violate('T12', `proxy ${index} has no endpoint of Service ${service}, which gets requests`);
      const dead = ready.find((uid) => (this.pods.get(uid)?.servesUntil ?? -Infinity) <= this.now);
      if (dead !== undefined) this.violate('T12', `proxy ${index} sends requests of ${service} to ${this.podName(dead)}`);
      if (service !== name || !this.isApart) continue;
      const open = ready.find((uid) => this.reserved.has(uid));
      if (open !== undefined)
        this.violate('T7', `proxy ${index} sends requests of the user's Service to ${this.podName(open)}`);
    }
  }

  private podName = (uid: string): string => `Pod ${this.pods.get(uid)?.object.metadata.name ?? uid}`;

  private violate(invariant: string, what: string): void {
    this.violations.add(`${invariant}: ${what} (at ${new Date(this.now).toISOString().slice(11, 23)})`);
  }
}

function put(map: Map<string, any>, key: string, object: any): void {
  if (object === undefined) map.delete(key);
  else map.set(key, object);
}
