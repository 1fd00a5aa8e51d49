// Checks the invariants I1–I6 of docs/holding.md on raw objects. It imports nothing of src/, because that is the code under test.

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

export interface Seen {
  readonly kind: 'Deployment' | 'ReplicaSet' | 'Pod' | 'Rollout' | 'HTTPRoute' | 'Service' | 'EndpointSlice';
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: any;
  /** When it was received, in milliseconds. */
  readonly at: number;
  /** True if it was found by a list: changes before it and their order are unknown. */
  readonly gap?: boolean;
}

/** The user's values of the five fields that a release borrows. */
export interface Settings {
  readonly paused: boolean;
  readonly maxSurge: number | string;
  readonly maxUnavailable: number | string;
  readonly minReadySeconds: number;
  readonly progressDeadlineSeconds: number;
}

const HELD = 'tranche.dev/held';
const RELEASE_ID = 'rollouts.kruise.io/rollout-id';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const HASH = 'pod-template-hash';
/** Time after which all controllers have seen a change of the size or of the limits. */
const MOMENT_MS = 3_000;
/** Time after a pause that another writer made (docs/holding.md, "beyond us"). */
const STOPPING_MS = 500;
/** How long a Deployment may stay held without a Rollout that reports a release, in the absence of faults: the duration of a lease and some seconds. */
export const ORPHAN_MS = 40_000;

const TRACE_LINES = 80;
/** How long after the webhooks work again the operator may still correct earlier changes. */
const UNGUARDED_MS = 10_000;

interface Since<T> {
  readonly value: T;
  readonly at: number;
}

/** The state of a Deployment in the judge. */
interface File {
  deployment: any;
  readonly sets: Map<string, any>;
  readonly pods: Map<string, any>;
  /** The user's settings, newest last. Earlier ones are still valid for a moment. */
  wanted: Since<Settings>[];
  sizes: Since<number>[];
  /** A generation that must be observed, and when it was observed. */
  scaled: Awaited | undefined;
  stopped: Awaited | undefined;
  heldSince: number | undefined;
  /** The current step, and the number of updated Pods that existed at its start or that scaling has created. */
  step: string;
  existed: number;
  unowned: number | undefined;
  silent: number | undefined;
  /** Recent states, for the report of a violation. */
  readonly trace: string[];
}

interface Awaited {
  readonly generation: number;
  observedAt: number | undefined;
}

const keyOf = ({ metadata }: any): string => `${metadata.namespace}/${metadata.name}`;
const ownerUid = ({ metadata }: any): string | undefined =>
  metadata.ownerReferences?.find((owner: any) => owner.controller)?.uid;

/** A template without the label that ReplicaSets add, independent of the order of keys. */
export function templateText(template: any): string {
  const sorted = (value: any): any =>
    Array.isArray(value)
      ? value.map(sorted)
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(
            Object.keys(value)
              .sort()
              .filter((key) => key !== HASH && value[key] !== null)
              .map((key) => [key, sorted(value[key])]),
          )
        : value;
  return JSON.stringify(sorted(template));
}

export const settingsOf = ({ spec }: any): Settings => ({
  paused: spec.paused ?? false,
  maxSurge: spec.strategy?.rollingUpdate?.maxSurge ?? '25%',
  maxUnavailable: spec.strategy?.rollingUpdate?.maxUnavailable ?? '25%',
  minReadySeconds: spec.minReadySeconds ?? 0,
  progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
});

export const inPods = (value: number | string, replicas: number, up: boolean): number => {
  if (typeof value === 'number') return value;
  const exact = (Number.parseFloat(value) * replicas) / 100;
  return up ? Math.ceil(exact) : Math.floor(exact);
};

export function targetOf(step: any, replicas: number): number {
  const most = Math.min(inPods(step.replicas, replicas, true), replicas);
  const all = step.replicas === '100%' || typeof step.replicas === 'number' || replicas <= 1;
  return all ? most : Math.min(most, replicas - 1);
}

export class Judge {
  readonly violations: string[] = [];
  /** Number of judged events. */
  seen = 0;
  private readonly files = new Map<string, File>();
  private readonly byUid = new Map<string, File>();
  private readonly bySet = new Map<string, File>();
  private readonly rollouts = new Map<string, any>();
  /** Objects that were listed before their owner, by the owner's uid. */
  private readonly strays = new Map<string, Seen[]>();
  /** True during a fault, in which deadlines do not apply. */
  private troubled = false;
  private quietSince = 0;
  /** True if the webhooks are not called: changes take effect at once, and the operator notices them later. */
  private unguardedUntil = 0;
  private now = 0;

  /** Call it at the start and at the end of a fault. */
  trouble(yes: boolean, at: number, unguarded = false): void {
    if (this.troubled && !yes) this.quietSince = at;
    this.troubled = yes;
    if (unguarded) this.unguardedUntil = Infinity;
    else if (!yes && this.unguardedUntil === Infinity) this.unguardedUntil = at + UNGUARDED_MS;
  }

  /** True if the Deployment was observed, so that the user may change it. */
  knows = (key: string): boolean => this.files.has(key);

  /** The user requests these settings. Until the API server answers, both these and the previous settings are valid. */
  wants(key: string, settings: Settings): void {
    this.files.get(key)?.wanted.push({ value: settings, at: Infinity });
  }

  /** The API server accepted the settings. */
  wantsIndeed(key: string, settings: Settings, at: number): void {
    const file = this.files.get(key);
    if (file) file.wanted = file.wanted.map((one) => (one.value === settings ? { ...one, at } : one));
  }

  /** The API server refused the settings. */
  wantsNot(key: string, settings: Settings): void {
    const file = this.files.get(key);
    if (file) file.wanted = file.wanted.filter(({ value }) => value !== settings);
  }

  see(event: Seen): void {
    this.seen += 1;
    this.now = Math.max(this.now, event.at);
    if (event.kind === 'Deployment') this.seeDeployment(event);
    else if (event.kind === 'Rollout') this.seeRollout(event);
    else if (event.kind === 'ReplicaSet') this.seeSet(event);
    else if (event.kind === 'Pod') this.seePod(event);
  }

  /** Checks deadlines. */
  tick(at: number): void {
    this.now = Math.max(this.now, at);
    for (const file of this.files.values()) this.checkOwner(file);
  }

  private violated(file: File, what: string): void {
    this.note(file);
    const before = file.trace.slice(-TRACE_LINES).join('\n  ');
    this.violations.push(`${what} at ${this.time()} [${this.describe(file)}]\n  ${before}`);
  }

  private time = (): string => new Date(this.now).toISOString().slice(11, 23);

  private note(file: File): void {
    const line = this.describe(file);
    if (!file.trace.at(-1)?.endsWith(line)) file.trace.push(`${this.time()} ${line}`);
    if (file.trace.length > 4 * TRACE_LINES) file.trace.splice(0, TRACE_LINES);
  }

  private seeDeployment({ type, object, at, gap }: Seen): void {
    const key = keyOf(object);
    let file = this.files.get(key);
    if (file && (type === 'DELETED' || file.deployment.metadata.uid !== object.metadata.uid)) {
      this.files.delete(key);
      this.byUid.delete(file.deployment.metadata.uid);
      file = undefined;
    }
    if (type === 'DELETED') return;
    const before = file?.deployment;
    if (!file) {
      file = newFile(object, at);
      this.files.set(key, file);
      this.byUid.set(object.metadata.uid, file);
      this.adopt(object.metadata.uid);
    }
    file.deployment = object;
    const { spec, metadata, status } = object;
    if (before && spec.strategy?.type !== before.spec.strategy?.type)
      this.violated(file, `I1: strategy.type went from ${before.spec.strategy?.type} to ${spec.strategy?.type}`);
    if (before && before.spec.replicas !== spec.replicas) {
      file.sizes.push({ value: spec.replicas, at });
      file.scaled = { generation: metadata.generation, observedAt: undefined };
    }
    const held = metadata.annotations?.[HELD] !== undefined;
    const wasHeld = before?.metadata.annotations?.[HELD] !== undefined;
    const changed = before && templateText(before.spec.template) !== templateText(spec.template);
    // Paused by a webhook or another writer, who cannot know what the native controller has not seen yet.
    if (before && !before.spec.paused && spec.paused === true && (changed || !wasHeld))
      file.stopped = { generation: metadata.generation, observedAt: undefined };
    for (const awaited of [file.scaled, file.stopped])
      if (awaited && (status?.observedGeneration ?? 0) >= awaited.generation) awaited.observedAt ??= at;
    file.heldSince = held ? (file.heldSince ?? at) : undefined;
    if (!held && before) this.checkSettings(file, gap === true);
    this.noteStep(file);
    this.checkOwner(file);
    this.note(file);
  }

  /** I5: a Deployment that is not held is as its user wrote it. */
  private checkSettings(file: File, gap: boolean): void {
    const now = settingsOf(file.deployment);
    const good = gap ? file.wanted.map(({ value }) => value) : this.recentlyWanted(file);
    const fields = Object.keys(now) as (keyof Settings)[];
    if (good.some((settings) => fields.every((field) => settings[field] === now[field]))) return;
    const wanted = good.at(-1)!;
    const wrong = fields.filter((field) => wanted[field] !== now[field]);
    const words = wrong.map((field) => `${field} is ${now[field]} instead of ${wanted[field]}`);
    this.violated(file, `I5: not held, and ${words.join(', ')}`);
  }

  private seeRollout({ type, object }: Seen): void {
    const key = keyOf(object);
    if (type === 'DELETED') this.rollouts.delete(key);
    else this.rollouts.set(key, object);
    const file = this.files.get(`${object.metadata.namespace}/${object.spec?.workloadRef?.name}`);
    if (file) this.noteStep(file);
  }

  private rolloutOf({ deployment }: File): any {
    const { namespace, name } = deployment.metadata;
    const naming = [...this.rollouts.values()].filter(
      ({ metadata, spec }) => metadata.namespace === namespace && spec.workloadRef?.name === name,
    );
    return naming.find(({ metadata }) => !metadata.deletionTimestamp) ?? naming[0];
  }

  /** A step or a release starts. The Pods that exist now may stay. */
  private noteStep(file: File): void {
    const { deployment } = file;
    const canary = this.rolloutOf(file)?.status?.canaryStatus;
    const id = deployment.metadata.labels?.[RELEASE_ID];
    const template = templateText(deployment.spec.template);
    const step = [id, template, canary?.observedRolloutID, canary?.currentStepIndex, file.heldSince].join(' ');
    if (step === file.step) return;
    file.step = step;
    file.existed = this.newSet(file)?.spec.replicas ?? 0;
  }

  private newSet({ deployment, sets }: File): any {
    const template = templateText(deployment.spec.template);
    return [...sets.values()].find((set) => templateText(set.spec.template) === template);
  }

  private seeSet({ type, object, at, gap }: Seen): void {
    const uid = ownerUid(object);
    const file = uid === undefined ? undefined : this.byUid.get(uid);
    if (!file) return this.stray(uid, { kind: 'ReplicaSet', type, object, at, gap: true });
    const before = file.sets.get(object.metadata.uid);
    if (type === 'DELETED') file.sets.delete(object.metadata.uid);
    else file.sets.set(object.metadata.uid, object);
    if (!this.bySet.has(object.metadata.uid)) {
      this.bySet.set(object.metadata.uid, file);
      this.adopt(object.metadata.uid);
    }
    this.note(file);
    const [updated, was] = [object.spec.replicas ?? 0, before?.spec.replicas ?? 0];
    const { deployment } = file;
    if (type === 'DELETED' || updated <= was) return;
    if (templateText(object.spec.template) !== templateText(deployment.spec.template)) return;
    const scaled = before && before.metadata.annotations?.[DESIRED] !== object.metadata.annotations?.[DESIRED];
    // While it is paused, the native controller only scales.
    if (gap || scaled || deployment.spec.paused === true || this.lately(file.scaled, MOMENT_MS)) {
      file.existed = Math.max(file.existed, updated);
      return;
    }
    if (file.heldSince === undefined || this.lately(file.stopped, STOPPING_MS) || this.now < this.unguardedUntil)
      return;
    const rollout = this.rolloutOf(file);
    const canary = rollout?.status?.canaryStatus;
    const about = canary?.observedRolloutID === deployment.metadata.labels?.[RELEASE_ID];
    const step = about && rollout.spec.strategy?.canary?.steps?.[(canary.currentStepIndex ?? 1) - 1];
    const target = step ? Math.max(...this.recentSizes(file).map((size) => targetOf(step, size))) : 0;
    if (updated > Math.max(target, file.existed))
      this.violated(file, `I2: ${updated} updated Pods, but the step allows ${target}, and ${file.existed} existed`);
  }

  private stray(owner: string | undefined, seen: Seen): void {
    if (owner !== undefined && seen.type !== 'DELETED')
      this.strays.set(owner, [...(this.strays.get(owner) ?? []), seen]);
  }

  private adopt(owner: string): void {
    const seen = this.strays.get(owner) ?? [];
    this.strays.delete(owner);
    for (const each of seen) this.see(each);
  }

  private seePod({ type, object, at, gap }: Seen): void {
    const uid = ownerUid(object);
    const file = uid === undefined ? undefined : this.bySet.get(uid);
    if (!file) return this.stray(uid, { kind: 'Pod', type, object, at, gap: true });
    const before = file.pods.get(object.metadata.uid);
    if (type === 'DELETED') file.pods.delete(object.metadata.uid);
    else file.pods.set(object.metadata.uid, object);
    const going = type === 'DELETED' || object.metadata.deletionTimestamp !== undefined;
    if (gap || !going || !before || before.metadata.deletionTimestamp) return;
    const minReady = this.recentlyWanted(file).map(({ minReadySeconds }) => minReadySeconds);
    if (!this.isAvailable(before, Math.max(...minReady))) return;
    if (file.heldSince === undefined || this.lately(file.scaled, MOMENT_MS)) return;
    if (this.lately(file.stopped, STOPPING_MS) || this.now < this.unguardedUntil) return;
    const others = [...file.pods.values()].filter((pod) => pod !== object);
    const left = others.filter((pod) => this.isAvailable(pod, Math.min(...minReady))).length;
    const least = Math.min(...this.recentSizes(file).map((size) => size - this.mostUnavailable(file, size)));
    if (left < least) this.violated(file, `I3: ${left} available Pods, but at least ${least} are required`);
  }

  /** True if the Pod has been Ready for this long. Times are in whole seconds. */
  private isAvailable(pod: any, minReadySeconds: number): boolean {
    const ready = pod.status?.conditions?.find((one: any) => one.type === 'Ready');
    if (pod.metadata.deletionTimestamp || ready?.status !== 'True') return false;
    return minReadySeconds === 0 || Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000 <= this.now;
  }

  /** The current and the recent settings of the user, on any of which a controller may have acted. */
  private recentlyWanted(file: File): Settings[] {
    const last = file.wanted.length - 1;
    const recent = file.wanted.filter((_, i) => i === last || file.wanted[i + 1]!.at > this.now - 2 * MOMENT_MS);
    return recent.map(({ value }) => value);
  }

  private mostUnavailable(file: File, size: number): number {
    const each = this.recentlyWanted(file).map(({ maxSurge, maxUnavailable }) => {
      const [surge, unavailable] = [inPods(maxSurge, size, true), inPods(maxUnavailable, size, false)];
      return Math.min(size, surge === 0 && unavailable === 0 ? 1 : unavailable);
    });
    return Math.max(...each);
  }

  private recentSizes(file: File): number[] {
    return file.sizes
      .filter((_, i) => (file.sizes[i + 1]?.at ?? Infinity) > this.now - MOMENT_MS)
      .map(({ value }) => value);
  }

  private lately = (awaited: Awaited | undefined, ms: number): boolean =>
    awaited !== undefined && (awaited.observedAt === undefined || this.now - awaited.observedAt < ms);

  /** I6: a Deployment that is held, or paused by Tranche, has a Rollout that reports a release. */
  private checkOwner(file: File): void {
    const { deployment } = file;
    const paused = deployment.spec.paused === true && !file.wanted.some(({ value }) => value.paused);
    const rollout = this.rolloutOf(file);
    const { phase } = rollout?.status ?? {};
    const stopped = file.heldSince !== undefined || paused;
    file.unowned = stopped && !rollout ? (file.unowned ?? this.now) : undefined;
    const quiet = ['Healthy', 'Disabled', 'Initial', '', undefined].includes(phase);
    file.silent = stopped && rollout && quiet ? (file.silent ?? this.now) : undefined;
    if (this.troubled) return;
    const late = (since: number | undefined): boolean =>
      since !== undefined && this.now - Math.max(since, this.quietSince) > ORPHAN_MS;
    if (late(file.unowned)) {
      this.violated(file, 'I6: held, or paused by Tranche, without a Rollout');
      file.unowned = Infinity;
    }
    if (late(file.silent)) {
      this.violated(file, `I6: held, or paused by Tranche, while the phase of its Rollout is ${phase || 'empty'}`);
      file.silent = Infinity;
    }
  }

  private describe(file: File): string {
    const { deployment } = file;
    const { maxSurge, maxUnavailable, paused, minReadySeconds } = settingsOf(deployment);
    const sets = [...file.sets.values()]
      .filter(({ spec, status }) => (spec.replicas ?? 0) + (status?.replicas ?? 0) > 0)
      .map(
        ({ metadata, spec, status }) =>
          `${metadata.name}=${spec.replicas}(${status?.availableReplicas ?? 0} available)`,
      );
    const canary = this.rolloutOf(file)?.status?.canaryStatus;
    const state = `${file.heldSince === undefined ? '' : 'held '}${paused ? 'paused ' : ''}${minReadySeconds > 1e6 ? 'marked ' : ''}`;
    const user = file.wanted.at(-1)!.value;
    const asked = `user s${user.maxSurge}/u${user.maxUnavailable}/m${user.minReadySeconds}`;
    return `${keyOf(deployment)} ${asked} ${state}R${deployment.spec.replicas} s${maxSurge}/u${maxUnavailable} ${sets.join(' ')} step ${canary?.currentStepIndex ?? '-'} ${canary?.currentStepState ?? '-'}`;
  }
}

const newFile = (deployment: any, at: number): File => ({
  deployment,
  sets: new Map(),
  pods: new Map(),
  wanted: [{ value: settingsOf(deployment), at }],
  sizes: [{ value: deployment.spec.replicas, at }],
  scaled: undefined,
  stopped: undefined,
  heldSince: undefined,
  step: '',
  existed: 0,
  unowned: undefined,
  silent: undefined,
  trace: [],
});
