// I1–I6 of docs/holding.md, and that no new version comes without steps (I7), checked after every change of the store by somebody who knows nothing of the engine.
import type { Change } from '@tranche/sandbox/store';
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { CanaryStep, Deployment, IntOrString, Pod, ReplicaSet } from '../../src/api/types.ts';
import { isReady, NAME, versionOf, type World } from '../operator/world.ts';

/** The user's own settings, as the driver wrote them last. */
export interface UserSettings {
  maxSurge: IntOrString;
  maxUnavailable: IntOrString;
  minReadySeconds: number;
  progressDeadlineSeconds: number;
}

const DESIRED = 'deployment.kubernetes.io/desired-replicas';
/** Controllers act on what they saw a moment ago: so long a change of spec.replicas may still be unknown to somebody. */
const SCALING_MS = 3_000;
/** So long the native controller may act on its cache of before a pause that came from outside (docs/holding.md, "beyond us"). */
const STOPPING_MS = 500;
/** So long the ReplicaSet controller may not know that a Pod became Ready: it deletes Pods that are not Ready first. */
const UNSEEN_MS = 150;

/** Written anew, on purpose: the engine's own arithmetic is what is under test. */
function pods(value: IntOrString, replicas: number, up: boolean): number {
  if (typeof value === 'number') return value;
  const exact = (Number(value.replace('%', '')) * replicas) / 100;
  return up ? Math.ceil(exact) : Math.floor(exact);
}

export function targetOf(step: CanaryStep, replicas: number, last = false): number {
  const wanted = Math.min(pods(step.replicas!, replicas, true), replicas);
  const whole = step.replicas === '100%' || (typeof step.replicas === 'number' && last) || replicas === 1;
  return whole ? wanted : Math.min(wanted, replicas - 1);
}

export class Invariants {
  readonly violations: string[] = [];
  /** How many changes came without steps. */
  cameBack = 0;
  readonly trace: string[] = [];
  /** Pods that the driver took away itself, and when. */
  readonly killed = new Map<string, number>();
  /** While the webhook is away a template may go out before the operator sees it. */
  unguardedUntil = 0;
  settings: UserSettings;
  private readonly world: World;
  private readonly steps: readonly CanaryStep[];
  private readonly scales: { at: number; replicas: number }[] = [];
  private readonly limits: { at: number; unavailable: IntOrString; surge: IntOrString }[] = [];
  /** Updated Pods that existed when the step began, or that the native controller's scaling has made. */
  private existed = 0;
  private step = '';
  private heldSince: number | undefined;
  /** A new template has paused the Deployment while it moved: the webhook cannot know what the native controller has not seen. */
  private stoppedAt = -Infinity;
  /** Versions that had all Pods, all of them available, and were not held. */
  private readonly wholes = new Set<string>();
  /** The last version that had all Pods alone and was not held, available or not: what a rollback goes back to. */
  private ranAlone = '';
  /** A Rollout came during a rolling update: the old versions of most available Pods, one of which is the stable one to it (docs/holding.md). */
  private found: readonly string[] = [];
  /** When a Pod became Ready; in the object, to the second only. */
  private readonly readyAt = new Map<string, number>();
  private readonly end: () => void;

  constructor(world: World, steps: readonly CanaryStep[], settings: UserSettings) {
    this.world = world;
    this.steps = steps;
    this.settings = settings;
    this.end = world.virtual.observe((change) => this.see(change));
  }

  stop(): void {
    this.end();
  }

  /** The user edits their settings. */
  edited(settings: UserSettings): void {
    this.settings = settings;
    this.noteLimits();
  }

  private noteLimits(): void {
    const { maxUnavailable, maxSurge } = this.settings;
    this.limits.push({ at: this.world.now, unavailable: maxUnavailable, surge: maxSurge });
  }

  private violated(what: string): void {
    if (this.violations.length < 5) this.violations.push(`${what} at ${this.elapsed()} [${this.line()}]`);
  }

  private elapsed = (): string => `${((this.world.now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s`;

  private see({ collection, type, object, previous }: Change): void {
    const { now } = this.world;
    if (collection === 'apps/deployments' && object.metadata.name === NAME) {
      const deployment = object as unknown as Deployment;
      const before = previous as unknown as Deployment | undefined;
      if (deployment.spec.replicas !== before?.spec.replicas)
        this.scales.push({ at: now, replicas: deployment.spec.replicas ?? 1 });
      if (this.limits.length === 0) this.noteLimits();
      this.seeDeployment(deployment, before);
    }
    if (!this.world.virtual.deployment(NAME)) return;
    if (collection === 'apps/replicasets') this.seeReplicaSet(object as never, previous as never);
    if (collection === '/pods') this.seePod(object as never, previous as never, type);
    if (collection.endsWith('/rollouts') || collection === 'apps/deployments') this.seeStep();
    if (collection === 'apps/deployments' || collection === 'apps/replicasets') {
      const line = `${this.elapsed()} ${this.line()}`;
      if (this.trace.at(-1)?.replace(/^\S+ /, '') !== line.replace(/^\S+ /, '')) this.trace.push(line);
    }
  }

  private seeDeployment(deployment: Deployment, before: Deployment | undefined): void {
    const { spec, metadata } = deployment;
    if (spec.strategy?.type !== 'RollingUpdate') this.violated('I1: strategy.type was written');
    const held = metadata.annotations?.[HELD] !== undefined;
    const stopped = before?.spec.paused !== true && spec.paused === true;
    if (stopped && versionOf(before?.spec.template) !== versionOf(spec.template)) this.stoppedAt = this.world.now;
    if (held && this.heldSince === undefined) {
      this.heldSince = this.world.now;
      if (!this.isKnown() && before !== undefined) this.found = this.mostAvailable(versionOf(spec.template));
    }
    if (!held) this.heldSince = undefined;
    if (held || before === undefined) return;
    this.seeFree(deployment, before);
    const { rollingUpdate } = spec.strategy ?? {};
    const now: UserSettings & { paused: boolean } = {
      maxSurge: rollingUpdate?.maxSurge ?? '25%',
      maxUnavailable: rollingUpdate?.maxUnavailable ?? '25%',
      minReadySeconds: spec.minReadySeconds ?? 0,
      progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
      paused: spec.paused ?? false,
    };
    const wanted = { ...this.settings, paused: false };
    for (const field of Object.keys(wanted) as (keyof typeof wanted)[])
      if (now[field] !== wanted[field])
        this.violated(`I5: not held, and ${field} is ${now[field]} instead of ${wanted[field]}`);
  }

  /** Without steps only a version comes that was whole before: the stable one, or one within the window. */
  private seeFree(deployment: Deployment, before: Deployment): void {
    const version = versionOf(deployment.spec.template);
    const changed = versionOf(before.spec.template) !== version;
    const sets = this.world.replicaSets.filter(({ spec }) => (spec.replicas ?? 0) > 0);
    const [only] = sets;
    const alone =
      !changed &&
      sets.length === 1 &&
      only?.spec.replicas === deployment.spec.replicas &&
      versionOf(only?.spec.template) === version;
    if (alone) [this.ranAlone, this.found] = [version, []];
    if (alone && only?.status?.availableReplicas === only?.spec.replicas) this.wholes.add(version);
    const { spec, metadata, status } = this.world.rolloutOf() ?? {};
    // Given back after its last step, it has all Pods, and the native controller still has to remove the old ones that surge left over.
    const ready = sets.find((set) => versionOf(set.spec.template) === version)?.status?.readyReplicas;
    if (!changed && ready === deployment.spec.replicas && status?.canaryStatus?.currentStepState === 'Completed')
      this.wholes.add(version);
    const governs = spec !== undefined && spec.disabled !== true && metadata?.deletionTimestamp === undefined;
    if (!changed || !governs || !this.isKnown() || this.world.now < this.unguardedUntil) return;
    // A Rollout that was disabled for a moment has let this version out: it runs, so going back to it brings nothing new.
    if (version === this.ranAlone || this.found.includes(version)) return;
    if (!this.wholes.has(version)) this.violated(`I7: ${version} came without steps, and never had all Pods before`);
    else this.cameBack += 1;
  }

  /** The Rollout's status says what runs. */
  private isKnown(): boolean {
    const phase = this.world.rolloutOf()?.status?.phase;
    return phase === 'Healthy' || phase === 'Progressing';
  }

  private mostAvailable(released: string): readonly string[] {
    const others = this.world.replicaSets.filter(({ spec }) => versionOf(spec.template) !== released);
    const most = Math.max(0, ...others.map(({ status }) => status?.availableReplicas ?? 0));
    return others
      .filter(({ status }) => (status?.availableReplicas ?? 0) === most)
      .map((set) => versionOf(set.spec.template));
  }

  /** A step begins, or a new release: what exists now is not ours to take back. */
  private seeStep(): void {
    const { canary, deployment } = this.world;
    const id = deployment.metadata.labels?.[ROLLOUT_ID];
    const step = `${id} ${versionOf(deployment.spec.template)} ${canary.observedRolloutID} ${canary.currentStepIndex} ${this.heldSince}`;
    if (step === this.step) return;
    this.step = step;
    this.existed = this.sizeOfNew();
  }

  private newSet(): ReplicaSet | undefined {
    const version = versionOf(this.world.deployment.spec.template);
    return this.world.replicaSets.find((set) => versionOf(set.spec.template) === version);
  }

  private sizeOfNew = (): number => this.newSet()?.spec.replicas ?? 0;

  private seeReplicaSet(set: ReplicaSet, before: ReplicaSet | undefined): void {
    const { world } = this;
    const updated = set.spec.replicas ?? 0;
    const was = before?.spec.replicas ?? 0;
    const version = versionOf(set.spec.template);
    if (updated <= was || version !== versionOf(world.deployment.spec.template)) return;
    const scaled = before && set.metadata.annotations?.[DESIRED] !== before.metadata.annotations?.[DESIRED];
    // Paused, the native controller only ever scales.
    if (scaled || world.deployment.spec.paused === true || this.scaledLately()) {
      this.existed = Math.max(this.existed, updated);
      return;
    }
    if (this.heldSince === undefined || world.now < this.unguardedUntil) return;
    const { canary } = world;
    const about = canary.observedRolloutID === world.deployment.metadata.labels?.[ROLLOUT_ID];
    const step = this.steps[(canary.currentStepIndex ?? 1) - 1];
    const target =
      about && step
        ? Math.max(...this.recentReplicas().map((replicas) => targetOf(step, replicas, step === this.steps.at(-1))))
        : 0;
    if (updated > Math.max(target, this.existed))
      this.violated(`I2: ${updated} Pods of ${version}, the step allows ${target}, ${this.existed} existed`);
    if (!version.endsWith('broken')) return;
    const { surge, unavailable } = this.loosest();
    // What native scaling has given to it is missing from the old versions as well.
    if (updated > Math.max(surge + unavailable, this.existed + surge))
      this.violated(
        `bound: ${updated} Pods of the broken ${version}, maxSurge + maxUnavailable is ${surge + unavailable}`,
      );
  }

  private seePod(pod: Pod, before: Pod | undefined, type: Change['type']): void {
    if (isReady(pod) && !(before && isReady(before))) this.readyAt.set(pod.metadata.name, this.world.now);
    const going =
      type === 'DELETED' ? before?.metadata.deletionTimestamp === undefined : pod.metadata.deletionTimestamp;
    if (!going || before?.metadata.deletionTimestamp !== undefined || !before) return;
    if (this.killed.has(pod.metadata.name) || !this.isAvailable(before)) return;
    if (this.world.now - (this.readyAt.get(pod.metadata.name) ?? -Infinity) < UNSEEN_MS) return;
    if (this.heldSince === undefined || this.world.now < this.unguardedUntil || this.scaledLately()) return;
    if (this.world.now - this.stoppedAt < STOPPING_MS) return;
    const left = this.world.pods.filter((other) => other !== pod && this.isAvailable(other)).length;
    const { unavailable } = this.loosest();
    const lost = [...this.killed.values()].filter((at) => at > this.world.now - SCALING_MS).length;
    const least = Math.min(...this.recentReplicas()) - unavailable - lost;
    if (left < least) this.violated(`I3: ${left} available Pods left, at least ${least} are promised`);
  }

  private isAvailable(pod: Pod): boolean {
    if (!isReady(pod)) return false;
    const since = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    return Date.parse(since ?? '') + this.settings.minReadySeconds * 1000 <= this.world.now;
  }

  private recentReplicas(): number[] {
    return this.scales
      .filter((_, i) => (this.scales[i + 1]?.at ?? Infinity) > this.world.now - SCALING_MS)
      .map(({ replicas }) => replicas);
  }

  private scaledLately = (): boolean => this.scales.length > 1 && this.scales.at(-1)!.at > this.world.now - SCALING_MS;

  /** The loosest limits that were the user's in the last moments. */
  private loosest(): { surge: number; unavailable: number } {
    const recent = this.limits.filter((_, i) => (this.limits[i + 1]?.at ?? Infinity) > this.world.now - SCALING_MS);
    const all = recent.flatMap(({ surge, unavailable }) =>
      this.recentReplicas().map((replicas) => {
        const [s, u] = [pods(surge, replicas, true), Math.min(pods(unavailable, replicas, false), replicas)];
        return { surge: s, unavailable: s === 0 && u === 0 ? 1 : u };
      }),
    );
    return {
      surge: Math.max(...all.map(({ surge }) => surge)),
      unavailable: Math.max(...all.map(({ unavailable }) => unavailable)),
    };
  }

  /** One line of the trace. */
  private line(): string {
    const { deployment, canary, replicaSets } = this.world;
    const { paused, minReadySeconds, strategy, replicas, template } = deployment.spec;
    const held = deployment.metadata.annotations?.[HELD] !== undefined;
    const sets = replicaSets
      .filter((set) => (set.spec.replicas ?? 0) + (set.status?.replicas ?? 0) > 0)
      .map(
        ({ spec, status }) =>
          `${versionOf(spec.template)}=${spec.replicas}(${status?.readyReplicas ?? 0}r${status?.availableReplicas ?? 0}a${(spec.minReadySeconds ?? 0) > 1000 ? 'M' : ''})`,
      );
    const state = `${held ? 'H' : '-'}${paused ? 'P' : '-'}${(minReadySeconds ?? 0) > 1000 ? 'M' : '-'}`;
    const { maxSurge, maxUnavailable } = strategy?.rollingUpdate ?? {};
    return `${state} R${replicas} s${maxSurge}/u${maxUnavailable} ${versionOf(template)} ${sets.join(' ')} | ${canary.currentStepIndex} ${canary.currentStepState}`;
  }
}
