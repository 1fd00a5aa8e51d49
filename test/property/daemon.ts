// Random histories of a DaemonSet: what people, nodes and bad luck do to it, the invariants of evictions, and how it ends.
import assert from 'node:assert/strict';
import type { Change } from '@tranche/sandbox/store';
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { CanaryStep, DaemonSet, IntOrString, Pod } from '../../src/api/types.ts';
import { daemonSetKind } from '../../src/engine/workload/daemonset/kind.ts';
import { isReady, NAME, versionOf, World, type WorldOptions } from '../operator/world.ts';
import { BadLuck } from './bad-luck.ts';
import { targetOf } from './invariants.ts';
import { randomOf } from './plan.ts';

type Action =
  | { readonly do: 'release'; readonly broken: boolean }
  | { readonly do: 'rollback' | 'approve' | 'pause' | 'kill' | 'crash' | 'join' | 'leave' | 'sicken' | 'unguard' }
  | { readonly do: 'limit'; readonly to: IntOrString }
  | { readonly do: 'budget'; readonly spares: number; readonly forMs: number }
  | { readonly do: 'jump'; readonly to: number }
  | { readonly do: 'noWebhook' | 'delete' | 'disable'; readonly forMs: number };

export interface DaemonPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly maxUnavailable: IntOrString;
  readonly minReadySeconds: number;
  readonly evicts: boolean;
  readonly steps: readonly CanaryStep[];
  readonly actions: readonly { readonly afterMs: number; readonly action: Action }[];
  readonly trouble: number;
  readonly ending: 'complete' | 'rollback' | 'delete' | 'disable';
}

const MERGE = 'application/merge-patch+json';
const PATIENCE_MS = 40 * 60_000;
/** What others have changed may be unknown to the operator for so long, if the watch has not lost it. */
const LATELY_MS = 3_000;
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const PODS = '/api/v1/namespaces/default/pods';
const STEPS: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }],
  [{ replicas: '20%' }, { replicas: '60%', pause: { duration: 5 } }, { replicas: '100%' }],
  [{ replicas: 2 }, { replicas: 4 }, { replicas: 6 }],
  [{ replicas: '30%', pause: { duration: 0 } }, { replicas: '100%' }],
  [{ replicas: '50%' }],
];

export function daemonPlanOf(seed: number): DaemonPlan {
  const random = randomOf(seed ^ 0x6461656d);
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const limit = (): IntOrString => oneOf([1, 1, 1, 2, 3, '30%', '50%', '1%']);
  const action = (): Action => {
    const dice = below(100);
    if (dice < 34) return { do: 'approve' };
    if (dice < 36) return { do: 'delete', forMs: below(4000) };
    if (dice < 38) return { do: 'disable', forMs: below(4000) };
    if (dice < 49) return { do: 'release', broken: random() < 0.35 };
    if (dice < 55) return { do: 'rollback' };
    if (dice < 61) return { do: 'join' };
    if (dice < 66) return { do: 'leave' };
    if (dice < 70) return { do: 'sicken' };
    if (dice < 75) return { do: 'budget', spares: below(3), forMs: 1000 + below(40_000) };
    if (dice < 78) return { do: 'limit', to: limit() };
    if (dice < 81) return { do: 'pause' };
    if (dice < 84) return { do: 'jump', to: 1 + below(3) };
    if (dice < 90) return { do: 'kill' };
    if (dice < 96) return { do: 'crash' };
    return { do: 'noWebhook', forMs: 500 + below(4000) };
  };
  return {
    seed,
    nodes: 1 + below(8),
    maxUnavailable: limit(),
    minReadySeconds: oneOf([0, 0, 2]),
    evicts: random() < 0.85,
    steps: oneOf(STEPS),
    actions: [
      { afterMs: 0, action: { do: 'release', broken: random() < 0.25 } },
      ...Array.from({ length: 4 + below(6) }, () => ({
        afterMs: random() < 0.5 ? 200 + below(1500) : 5000,
        action: action(),
      })),
    ],
    trouble: oneOf([0, 0.02, 0.06]),
    ending: oneOf(['complete', 'complete', 'complete', 'rollback', 'delete', 'disable']),
  };
}

export interface DaemonReport {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly end: string;
  /** Number of evictions of Pods that were Ready. */
  readonly evicted: number;
  readonly story: () => string;
}

export interface DaemonOptions {
  /** False: nothing goes wrong. */
  readonly trouble?: boolean;
  /** In place of the engine. */
  readonly decide?: WorldOptions['decide'];
}

export async function playDaemon(
  plan: DaemonPlan,
  { trouble = true, decide }: DaemonOptions = {},
): Promise<DaemonReport> {
  const random = randomOf(plan.seed ^ 0x2545f491);
  const luck = new BadLuck(plan.trouble, random, !trouble);
  const { seed, evicts, nodes } = plan;
  const world = await new World({
    seed,
    misbehaviour: luck.misbehaviour,
    decide,
    kind: daemonSetKind,
    evicts,
    nodes,
  }).start();
  const watcher = new Watcher(world, plan);
  const driver = new Driver(world, plan, watcher, random, luck.crash);
  const problems: string[] = [];
  let end = '';
  try {
    await driver.prepare();
    for (const { afterMs, action } of plan.actions) {
      await world.run(afterMs);
      await driver.act(action);
    }
    luck.calm = true;
    end = await driver.finish();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...watcher.violations);
  watcher.stop();
  await world.stop();
  const story = (): string =>
    [JSON.stringify(plan), ...driver.log, '--- trace', ...watcher.trace.slice(-100), '---', ...problems].join('\n');
  return { seed, problems, end, evicted: watcher.evicted, story };
}

const setIn = ({ deployment }: World): DaemonSet => deployment as DaemonSet;
const typeOf = ({ spec }: DaemonSet): string | undefined => spec.updateStrategy?.type;
const isHeld = ({ metadata }: DaemonSet): boolean => metadata.annotations?.[HELD] !== undefined;
const versionIn = ({ spec }: DaemonSet): string => versionOf(spec.template);
const nodeOf = ({ spec }: Pod): string => spec?.nodeName ?? '';
const isGone = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

/** Checks the invariants after each change of the store. It knows nothing of the engine. */
class Watcher {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  /** The user's own limit, as the driver wrote it last. */
  limit: IntOrString;
  /** Pods that the driver deleted or broke, and when. */
  readonly killed = new Map<string, number>();
  /** Those that it deleted. */
  readonly deleted = new Set<string>();
  /** When the last node joined or left. */
  nodesAt = -Infinity;
  evicted = 0;
  /** When the native controller could replace Pods last. */
  private looseAt = -Infinity;
  unguardedUntil = 0;
  /** What a rollback goes back to. */
  stable = 'v1';
  private readonly world: World;
  private readonly plan: DaemonPlan;
  /** Nodes whose available Pod the operator evicted, and that have no available Pod since. */
  private readonly taken = new Set<string>();
  /** Nodes whose Pod of an old version was lost without the operator, and when. */
  private readonly lost = new Map<string, number>();
  /** maxUnavailable in Pods, and the Pods of the step, as they were. */
  private readonly limits: { at: number; pods: number }[] = [];
  private readonly allowed: { at: number; pods: number }[] = [];
  private existed = 0;
  private step = '';
  private readonly end: () => void;

  constructor(world: World, plan: DaemonPlan) {
    this.world = world;
    this.plan = plan;
    this.limit = plan.maxUnavailable;
    this.end = world.virtual.observe((change) => this.see(change));
  }

  stop(): void {
    this.end();
  }

  get nodes(): readonly string[] {
    return this.world.virtual.cluster.store.list('/nodes', undefined).map(({ metadata }) => metadata.name);
  }

  private violated(what: string): void {
    if (this.violations.length < 5) this.violations.push(`${what} at ${elapsed(this.world)} [${this.line()}]`);
  }

  private see({ collection, type, object, previous }: Change): void {
    if (!this.world.virtual.cluster.store.get('apps/daemonsets', 'default', NAME)) return;
    if (collection === '/nodes' && type !== 'MODIFIED') this.nodesAt = this.world.now;
    if (collection === 'apps/daemonsets' && object.metadata.name === NAME && type !== 'DELETED')
      this.seeSet(object as unknown as DaemonSet);
    if (collection.endsWith('/rollouts') || collection === 'apps/daemonsets' || collection === '/nodes') this.seeStep();
    if (collection === '/pods') this.seePod(object as never, previous as never, type);
    const line = `${elapsed(this.world)} ${this.line()}`;
    if (this.trace.at(-1)?.replace(/^\S+ /, '') !== line.replace(/^\S+ /, '')) this.trace.push(line);
  }

  private seeSet(daemonSet: DaemonSet): void {
    const { type, rollingUpdate } = daemonSet.spec.updateStrategy ?? {};
    if (rollingUpdate?.maxUnavailable !== this.limit || (rollingUpdate.maxSurge ?? 0) !== 0)
      this.violated(`fields: rollingUpdate is ${JSON.stringify(rollingUpdate)}`);
    if (type !== 'OnDelete') this.looseAt = this.world.now;
    if (!isHeld(daemonSet) && type !== 'RollingUpdate') this.violated(`fields: not held, and the type is ${type}`);
  }

  /** Everything that may have been true for the operator a moment ago. */
  private seeStep(): void {
    const { world } = this;
    const { now, canary } = world;
    const set = setIn(world);
    // The DaemonSet controller notices that a node is gone when the node's Pod is.
    const nodes = Math.max(this.nodes.length, set.status?.desiredNumberScheduled ?? 0);
    const pods =
      typeof this.limit === 'number' ? this.limit : Math.ceil((Number(this.limit.slice(0, -1)) * nodes) / 100);
    this.limits.push({ at: now, pods: Math.max(1, pods) });
    const step = `${versionIn(set)} ${canary.observedRolloutID} ${canary.currentStepIndex}`;
    if (step !== this.step) {
      this.step = step;
      this.existed = this.granted();
    }
    const plan = this.plan.steps[(canary.currentStepIndex ?? 1) - 1];
    const about = canary.observedRolloutID === set.metadata.labels?.[ROLLOUT_ID];
    const target = plan && about ? targetOf(plan, nodes, plan === this.plan.steps.at(-1)) : 0;
    this.allowed.push({ at: now, pods: Math.max(target, this.existed) });
    for (const list of [this.limits, this.allowed]) if (list.length > 300) list.splice(0, 150);
  }

  private most(list: readonly { at: number; pods: number }[]): number {
    const since = this.world.now - LATELY_MS;
    return Math.max(0, ...list.filter((_, i) => (list[i + 1]?.at ?? Infinity) > since).map(({ pods }) => pods));
  }

  /** Nodes without a Pod of an old version. */
  private granted(): number {
    const version = versionIn(setIn(this.world));
    const old = new Set(this.world.pods.filter((pod) => versionOf(pod) !== version).map(nodeOf));
    return this.nodes.filter((name) => !old.has(name)).length;
  }

  private seePod(pod: Pod, before: Pod | undefined, type: Change['type']): void {
    const node = nodeOf(pod);
    if (type !== 'DELETED' && !isGone(pod) && this.isAvailable(pod)) this.taken.delete(node);
    for (const name of this.taken) if (!this.nodes.includes(name)) this.taken.delete(name);
    const goes = before !== undefined && !isGone(before) && (isGone(pod) || type === 'DELETED');
    if (!goes) return;
    const set = setIn(this.world);
    // An eviction of the same Pod may have been asked for before, and lost. Under RollingUpdate, the controller takes Pods itself.
    const isOurs = typeOf(set) === 'OnDelete' && !this.deleted.has(pod.metadata.name);
    if (isOurs && this.isEvicted(pod)) return this.seeEviction(before, set);
    this.lost.set(node, this.world.now);
    // Under OnDelete, only people, nodes and failures take Pods.
    const held =
      isHeld(set) &&
      typeOf(set) === 'OnDelete' &&
      this.world.now >= this.unguardedUntil &&
      this.world.now - this.looseAt > LATELY_MS;
    const ended = ['Failed', 'Succeeded'].includes(before.status?.phase ?? '');
    if (held && !ended && !this.killed.has(pod.metadata.name) && this.world.now - this.nodesAt > 60_000)
      this.violated(`hold: Pod ${pod.metadata.name} was replaced by nobody`);
  }

  private isEvicted({ metadata: { name } }: Pod): boolean {
    const path = `${PODS}/${name}/eviction`;
    return this.world.apis.some(({ calls, refused }) => calls.some((call) => call.path === path && !refused.has(call)));
  }

  private seeEviction(pod: Pod, set: DaemonSet): void {
    const { now } = this.world;
    if (isReady(pod) && this.nodes.includes(nodeOf(pod))) {
      this.evicted += 1;
      this.taken.add(nodeOf(pod));
    }
    const limit = this.most(this.limits);
    if (isReady(pod) && this.taken.size > limit)
      this.violated(`availability: ${this.taken.size} evicted, and maxUnavailable is ${limit}`);
    if (now < this.unguardedUntil) return;
    if (!isHeld(set)) return;
    if (!this.plan.evicts) this.violated('evicted without the opt-in');
    const lately = [...this.lost.values()].filter((at) => at > now - LATELY_MS).length;
    const joined = this.nodesAt > now - LATELY_MS ? 1 : 0;
    const granted = this.granted() - lately - joined;
    const most = this.most(this.allowed);
    if (granted > most) this.violated(`step: ${granted} Pods granted, and the step has ${most}`);
  }

  private isAvailable(pod: Pod): boolean {
    return isReady(pod);
  }

  private line(): string {
    const { world } = this;
    const set = setIn(world);
    const pods = world.pods
      .toSorted((a, b) => (nodeOf(a) < nodeOf(b) ? -1 : 1))
      .map((pod) => `${nodeOf(pod)}:${versionOf(pod)}${isReady(pod) ? '' : '!'}`);
    const { canary } = world;
    return `${isHeld(set) ? 'H' : '-'} R${this.nodes.length}/${set.status?.desiredNumberScheduled} ${typeOf(set)} u${this.limit} ${versionIn(set)} [${pods.join(' ')}] ${canary.currentStepIndex} ${canary.currentStepState}`;
  }
}

const elapsed = ({ now }: World): string => `${((now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s`;

class Driver {
  readonly log: string[] = [];
  private readonly world: World;
  private readonly plan: DaemonPlan;
  private readonly watcher: Watcher;
  private readonly random: () => number;
  private readonly crash: (world: World) => void;
  private version = 1;
  private paused = false;
  private joined = 0;
  private hasBudget = false;

  constructor(world: World, plan: DaemonPlan, watcher: Watcher, random: () => number, crash: (world: World) => void) {
    this.world = world;
    this.plan = plan;
    this.watcher = watcher;
    this.random = random;
    this.crash = crash;
  }

  async prepare(): Promise<void> {
    const { nodes, maxUnavailable, minReadySeconds } = this.plan;
    await this.world.createDeployment({
      spec: {
        replicas: undefined,
        minReadySeconds,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable, maxSurge: 0 } },
      },
    });
    await this.world.until('all Pods run', () => this.world.readyPods === nodes, PATIENCE_MS);
    await this.createRollout();
    await this.world.untilHealthy(PATIENCE_MS);
    await this.world.run(3_000);
  }

  private createRollout(): Promise<void> {
    return this.world.createRollout(this.plan.steps, { canary: { stepDeadlineSeconds: 60 } });
  }

  private readonly createAgain = (): void => {
    if (this.world.rolloutOf()) this.world.virtual.clock.after(500, this.createAgain);
    else void this.createRollout();
  };

  private request(method: string, path: string, body?: object): Promise<unknown> {
    return this.world.virtual.client.request(method, path, { type: MERGE, ...(body && { body }) });
  }

  async act(action: Action): Promise<void> {
    const { world, watcher } = this;
    this.log.push(`${elapsed(world)} ${JSON.stringify(action)}`);
    const rollout = world.rolloutOf();
    switch (action.do) {
      case 'release':
        this.noteStable();
        this.version += 1;
        return void (await world.release(`v${this.version}${action.broken ? ':broken' : ''}`));
      case 'rollback':
        return void (await world.release(watcher.stable));
      case 'approve':
        return void (await world.approve());
      case 'join':
        return void (await world.virtual.client.request('POST', '/api/v1/nodes', {
          body: { apiVersion: 'v1', kind: 'Node', metadata: { name: `x${this.joined++}` } },
        }));
      case 'leave': {
        const { nodes } = watcher;
        if (nodes.length > 1)
          await this.request('DELETE', `/api/v1/nodes/${nodes[Math.floor(this.random() * nodes.length)]}`);
        return;
      }
      case 'sicken': {
        const pod = this.anyPod();
        if (pod) await this.setReady(pod, 'false');
        return;
      }
      case 'budget':
        return this.setBudget(action.spares, action.forMs);
      case 'limit':
        watcher.limit = action.to;
        return void (await world.patch({ spec: { updateStrategy: { rollingUpdate: { maxUnavailable: action.to } } } }));
      case 'pause':
        if (rollout) await world.patchRollout({ spec: { strategy: { paused: (this.paused = !this.paused) } } });
        return;
      case 'jump':
        if (rollout?.status?.phase === 'Progressing')
          await world.patchStatus({ canaryStatus: { nextStepIndex: Math.min(action.to, this.plan.steps.length) } });
        return;
      case 'kill': {
        const pod = this.anyPod();
        if (pod) await this.kill(pod.metadata.name);
        return;
      }
      case 'crash':
        if (world.running) this.crash(world);
        return;
      case 'unguard':
        watcher.unguardedUntil = world.now + 5_000;
        return void (await world.patch({ spec: { updateStrategy: { type: 'RollingUpdate' } } }));
      case 'noWebhook':
        world.webhook = false;
        watcher.unguardedUntil = world.now + action.forMs + 5_000;
        world.virtual.clock.after(action.forMs, () => (world.webhook = true));
        return;
      case 'delete':
        // It is made anew once: a second one could come after the history has ended with a deleted one.
        if (!rollout || rollout.metadata.deletionTimestamp !== undefined) return;
        this.paused = false;
        await world.deleteRollout();
        world.virtual.clock.after(action.forMs, this.createAgain);
        return;
      case 'disable': {
        // It is enabled once: a second time could come after the history has ended with a disabled one.
        if (!rollout || rollout.spec.disabled === true) return;
        await world.patchRollout({ spec: { disabled: true } });
        const { uid } = rollout.metadata;
        world.virtual.clock.after(action.forMs, () => {
          if (world.rolloutOf()?.metadata.uid === uid) void world.patchRollout({ spec: { disabled: null } });
        });
        return;
      }
    }
  }

  private anyPod(): Pod | undefined {
    const { pods } = this.world;
    return pods[Math.floor(this.random() * pods.length)];
  }

  private async setReady(pod: Pod, ready: string | null): Promise<void> {
    this.watcher.killed.set(pod.metadata.name, this.world.now);
    await this.request('PATCH', `${PODS}/${pod.metadata.name}`, {
      metadata: { annotations: { 'sandbox.tranche.dev/ready': ready } },
    });
  }

  private async kill(name: string): Promise<void> {
    this.watcher.killed.set(name, this.world.now);
    this.watcher.deleted.add(name);
    await this.request('DELETE', `${PODS}/${name}`).catch(() => undefined);
  }

  /** All nodes but `spares` must have an available Pod, for a while. */
  private async setBudget(spares: number, forMs: number): Promise<void> {
    if (this.hasBudget) return;
    this.hasBudget = true;
    const minAvailable = Math.max(0, this.watcher.nodes.length - spares);
    await this.world.virtual.client.request('POST', BUDGETS, {
      body: {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: NAME },
        spec: { minAvailable, selector: { matchLabels: { app: NAME } } },
      },
    });
    this.world.virtual.clock.after(
      forMs,
      () => void this.request('DELETE', `${BUDGETS}/${NAME}`).finally(() => (this.hasBudget = false)),
    );
  }

  private noteStable(): void {
    const { world } = this;
    if (world.rolloutOf()?.status?.phase === 'Healthy' && !world.held && !world.runs.includes(':'))
      this.watcher.stable = world.runs;
  }

  async finish(): Promise<string> {
    const { world, plan, watcher } = this;
    await world.until('the operator runs', () => world.running);
    await world.until('the webhook answers', () => world.webhook);
    await world.until('the budget is gone', () => !this.hasBudget, PATIENCE_MS);
    const isThere = (): boolean => {
      const rollout = world.rolloutOf();
      return rollout !== undefined && !rollout.metadata.deletionTimestamp && rollout.spec.disabled !== true;
    };
    await world.until('the Rollout is there', isThere, PATIENCE_MS);
    if (this.paused) await this.act({ do: 'pause' });
    await world.run(8_000);
    for (const pod of world.pods) if (!isReady(pod)) await this.setReady(pod, null).catch(() => undefined);
    if (plan.ending === 'rollback') await this.act({ do: 'rollback' });
    if (world.runs.endsWith('broken')) await this.act({ do: 'release', broken: false });
    const wanted = world.runs;
    if (plan.ending === 'delete') await world.deleteRollout();
    if (plan.ending === 'disable') await world.patchRollout({ spec: { disabled: true } });
    const phase = { complete: 'Healthy', rollback: 'Healthy', delete: undefined, disable: 'Disabled' }[plan.ending];
    // The Pods of a node that is gone stay for a while.
    const done = (): boolean =>
      !world.held &&
      world.pods.length === watcher.nodes.length &&
      watcher.nodes.every((name) =>
        world.pods.some((pod) => nodeOf(pod) === name && versionOf(pod) === wanted && isReady(pod)),
      ) &&
      phase === world.rolloutOf()?.status?.phase;
    await world.run(1_000);
    const deadline = world.now + PATIENCE_MS;
    while (!done() && world.now < deadline) {
      const since = world.now;
      const waits = (): boolean =>
        world.now > since + 2_000 && (world.canary.currentStepState === 'StepPaused' || this.asked().length > 0);
      await world.virtual.until(() => done() || waits() || world.now > since + 60_000, 61_000);
      if (done()) break;
      if (world.rolloutOf()?.status?.phase === 'Progressing') await world.approve();
      for (const name of this.asked()) await this.kill(name);
    }
    await world.until(`all Pods run ${wanted}, and the DaemonSet is its user's again`, done, 1);
    await world.run(5_000);
    if (!done()) throw new Error(`it did not last: ${JSON.stringify(world.rolloutOf()?.status)}`);
    assert.deepEqual(setIn(world).spec.updateStrategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: watcher.limit, maxSurge: 0 },
    });
    return JSON.stringify({ nodes: watcher.nodes.length, phase });
  }

  /** The Pods that the status asks a person to delete. */
  private asked(): readonly string[] {
    const said = /kubectl delete pod ([^;]+)$/.exec(this.world.rolloutOf()?.status?.message ?? '')?.[1] ?? '';
    const names = said.split(' ').filter((name) => name !== '');
    return names.filter((name) => this.world.pods.some(({ metadata }) => metadata.name === name));
  }
}
