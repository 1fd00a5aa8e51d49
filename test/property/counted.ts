// Random histories of workloads whose partition is a number of Pods: what people and bad luck do to them, the invariants, and how they end.
import type { Change } from '@tranche/sandbox/store';
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { CanaryStep, IntOrString, Pod } from '../../src/api/types.ts';
import type { WorkloadKind } from '../../src/engine/workload/kind.ts';
import { isReady, NAME, versionOf, World, type WorldOptions } from '../operator/world.ts';
import type { Kruise, Strategy } from '../support/kruise/common.ts';
import { BadLuck } from './bad-luck.ts';
import { targetOf } from './invariants.ts';
import { randomOf } from './plan.ts';

/** Where the fields of a kind are, and what a partition means, written anew: the engine's own are under test. */
export interface Counted {
  readonly kind: WorkloadKind;
  readonly collection: string;
  readonly strategyOf: (workload: Kruise) => Strategy;
  readonly within: (strategy: object) => object;
  readonly kept: (partition: IntOrString | undefined, replicas: number) => number;
  readonly partitions: readonly IntOrString[];
  readonly strategies: readonly object[];
  readonly spec: object;
}

type Action =
  | { readonly do: 'release'; readonly broken: boolean }
  | { readonly do: 'rollback' | 'approve' | 'pause' | 'brake' | 'kill' | 'crash' }
  | { readonly do: 'scale'; readonly by: number }
  | { readonly do: 'partition'; readonly to: IntOrString }
  | { readonly do: 'noWebhook'; readonly forMs: number };

export interface CountedPlan {
  readonly seed: number;
  readonly replicas: number;
  readonly partition: IntOrString | undefined;
  readonly strategy: object;
  readonly steps: readonly CanaryStep[];
  readonly actions: readonly { readonly afterMs: number; readonly action: Action }[];
  readonly trouble: number;
  readonly ending: 'complete' | 'rollback' | 'delete';
}

const PATIENCE_MS = 40 * 60_000;
/** Controllers act on what they saw a moment ago: so long a change may still be unknown to somebody. */
const LATELY_MS = 3_000;
const STEPS: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }],
  [{ replicas: '20%' }, { replicas: '60%', pause: { duration: 5 } }, { replicas: '100%' }],
  [{ replicas: 2 }, { replicas: '70%' }],
  [{ replicas: '30%', pause: { duration: 0 } }, { replicas: '100%' }],
];

export function countedPlanOf(counted: Counted, seed: number): CountedPlan {
  const random = randomOf(seed ^ 0x636c6f6e);
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const ending = oneOf(['complete', 'complete', 'rollback', 'delete'] as const);
  const action = (): Action => {
    const dice = below(100);
    if (dice < 38) return { do: 'approve' };
    if (dice < 50) return { do: 'release', broken: random() < 0.3 };
    if (dice < 57) return { do: 'rollback' };
    if (dice < 70) return { do: 'scale', by: (random() < 0.5 ? -1 : 1) * (1 + below(5)) };
    if (dice < 76) return { do: 'partition', to: ending === 'delete' ? 0 : oneOf(counted.partitions) };
    if (dice < 81) return { do: 'brake' };
    if (dice < 85) return { do: 'pause' };
    if (dice < 90) return { do: 'kill' };
    if (dice < 96) return { do: 'crash' };
    return { do: 'noWebhook', forMs: 500 + below(4000) };
  };
  return {
    seed,
    replicas: 2 + below(9),
    // Without a Rollout, a user's partition keeps Pods.
    partition: ending === 'delete' ? undefined : oneOf([undefined, undefined, ...counted.partitions]),
    strategy: oneOf(counted.strategies),
    steps: oneOf(STEPS),
    actions: [
      { afterMs: 0, action: { do: 'release', broken: random() < 0.2 } },
      ...Array.from({ length: 4 + below(6) }, () => ({
        afterMs: random() < 0.5 ? 200 + below(1500) : 5000,
        action: action(),
      })),
    ],
    trouble: oneOf([0, 0.02, 0.06]),
    ending,
  };
}

export interface CountedReport {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly story: () => string;
}

export async function playCounted(
  counted: Counted,
  plan: CountedPlan,
  { decide }: { readonly decide?: WorldOptions['decide'] } = {},
): Promise<CountedReport> {
  const random = randomOf(plan.seed ^ 0x2545f491);
  const luck = new BadLuck(plan.trouble, random);
  const world = await new World({
    seed: plan.seed,
    misbehaviour: luck.misbehaviour,
    decide,
    kind: counted.kind,
  }).start();
  const history = new History(world, counted, plan, random, luck.crash);
  const problems: string[] = [];
  try {
    await history.prepare();
    for (const { afterMs, action } of plan.actions) {
      await world.run(afterMs);
      await history.act(action);
    }
    luck.calm = true;
    await history.finish();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...history.violations);
  history.stop();
  await world.stop();
  const story = (): string =>
    [JSON.stringify(plan), ...history.log, '--- trace', ...history.trace.slice(-80), '---', ...problems].join('\n');
  return { seed: plan.seed, problems, story };
}

/** Acts, and checks the invariants after each change of the store. It knows nothing of the engine. */
class History {
  readonly violations: string[] = [];
  readonly log: string[] = [];
  readonly trace: string[] = [];
  private readonly world: World;
  private readonly counted: Counted;
  private readonly plan: CountedPlan;
  private readonly random: () => number;
  private readonly crash: (world: World) => void;
  private readonly end: () => void;
  /** The user's fields, as written last. */
  private user: { partition: IntOrString | undefined; paused: boolean | undefined };
  private version = 1;
  private stable = 'v1';
  private paused = false;
  private unguardedUntil = 0;
  private troubledAt = -Infinity;
  private step = '';
  private existed = 0;
  private allowed: { at: number; most: number }[] = [];

  constructor(world: World, counted: Counted, plan: CountedPlan, random: () => number, crash: (world: World) => void) {
    this.world = world;
    this.counted = counted;
    this.plan = plan;
    this.random = random;
    this.crash = crash;
    this.user = { partition: plan.partition, paused: undefined };
    this.end = world.virtual.observe((change) => this.see(change));
  }

  stop(): void {
    this.end();
  }

  async prepare(): Promise<void> {
    const { replicas, partition, strategy, steps } = this.plan;
    const values = { ...strategy, ...(partition !== undefined && { partition }) };
    await this.world.createDeployment({ replicas, spec: { ...this.counted.spec, ...this.counted.within(values) } });
    await this.world.until('all Pods run', () => this.world.readyPods === replicas, PATIENCE_MS);
    await this.world.createRollout(steps, { canary: { stepDeadlineSeconds: 60 } });
    await this.world.untilHealthy(PATIENCE_MS);
    await this.world.run(1_000);
  }

  async act(action: Action): Promise<void> {
    const { world } = this;
    this.log.push(`${this.at} ${JSON.stringify(action)}`);
    switch (action.do) {
      case 'release':
        this.noteStable();
        this.version += 1;
        return void (await world.release(`v${this.version}${action.broken ? ':broken' : ''}`));
      case 'rollback':
        return void (await world.release(this.stable));
      case 'approve':
        return void (await world.approve());
      case 'scale':
        this.troubledAt = world.now;
        return void (await world.scale(Math.max(1, Math.min(14, this.replicas + action.by))));
      case 'partition':
        return this.write({ partition: action.to });
      case 'brake':
        return this.write({ paused: this.user.paused !== true });
      case 'pause':
        return void (await world.patchRollout({ spec: { strategy: { paused: (this.paused = !this.paused) } } }));
      case 'kill': {
        const pod = world.pods[Math.floor(this.random() * world.pods.length)];
        this.troubledAt = world.now;
        const path = `/api/v1/namespaces/default/pods/${pod?.metadata.name}`;
        return void (pod && (await world.virtual.client.request('DELETE', path).catch(() => undefined)));
      }
      case 'crash':
        return void (world.running && this.crash(world));
      case 'noWebhook':
        world.webhook = false;
        this.unguardedUntil = world.now + action.forMs + 5_000;
        world.virtual.clock.after(action.forMs, () => (world.webhook = true));
        return;
    }
  }

  /** Writing what stands there already changes nothing, so nobody can tell that it was written. */
  private async write(values: Partial<History['user']>): Promise<void> {
    const stands = this.counted.strategyOf(this.workload) as Record<string, unknown>;
    if (!this.world.webhook || Object.entries(values).every(([key, value]) => stands[key] === value)) return;
    const now = { ...this.user, ...values };
    // Until the write is stored, both are right.
    this.user = now;
    await this.world.patch({ spec: this.counted.within(values) });
  }

  async finish(): Promise<void> {
    const { world, plan } = this;
    world.webhook = true;
    await world.run(6_000);
    if (!world.running) await world.until('the operator runs', () => world.running, PATIENCE_MS);
    if (this.user.paused === true) await this.write({ paused: false });
    if (this.paused) await world.patchRollout({ spec: { strategy: { paused: false } } });
    this.noteStable();
    if (plan.ending === 'rollback') await world.release(this.stable);
    else if (world.runs.endsWith(':broken')) {
      this.version += 1;
      await world.release(`v${this.version}`);
    }
    if (plan.ending === 'delete') await world.deleteRollout();
    const version = world.runs;
    const isOver = (): boolean =>
      !this.isHeld &&
      world.pods.length === this.replicas &&
      world.pods.every((pod) => versionOf(pod) === version && isReady(pod)) &&
      (plan.ending === 'delete' ? world.rolloutOf() === undefined : world.rollout.status?.phase === 'Healthy');
    for (let looks = 0; looks < 400 && !isOver(); looks++) {
      await world.run(10_000);
      if (world.rolloutOf()) await world.approve();
      // A person does what the message says.
      const { message = '' } = world.rolloutOf()?.status ?? {};
      if (/partition lets .* keep (its|their) version/.test(message)) await this.write({ partition: 0 });
      const left = plan.ending === 'delete' && !this.isHeld ? world.pods.find((pod) => this.isLeft(pod)) : undefined;
      const named = left?.metadata.name ?? /kubectl delete pod (\S+)/.exec(message)?.[1];
      if (named !== undefined)
        await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${named}`).catch(() => undefined);
    }
    if (!isOver()) throw new Error(`it does not end: ${this.line()} ${world.rolloutOf()?.status?.message ?? ''}`);
  }

  private see({ collection, type, object, previous }: Change): void {
    const { world, counted } = this;
    if (!world.virtual.cluster.store.get(counted.collection, 'default', NAME)) return;
    if (collection === counted.collection && type === 'MODIFIED')
      this.seeWorkload(object as unknown as Kruise, previous as unknown as Kruise);
    if (collection === counted.collection || collection.endsWith('/rollouts')) this.seeStep();
    if (collection === '/pods' && type !== 'DELETED') this.seePod(object as never, previous as never);
    const line = this.line();
    if (this.trace.at(-1)?.replace(/^\S+ /, '') !== line) this.trace.push(`${this.at} ${line}`);
  }

  private seeWorkload(now: Kruise, before: Kruise): void {
    const { counted, user } = this;
    const [is, was] = [counted.strategyOf(now), counted.strategyOf(before)];
    const free = now.metadata.annotations?.[HELD] === undefined;
    if (free && (is.partition !== user.partition || is.paused !== user.paused))
      this.violated(`fields: not held, with ${JSON.stringify(is)} instead of ${JSON.stringify(user)}`);
    const type = ({ spec }: Kruise): string | undefined => spec.updateStrategy?.type;
    if (type(now) !== type(before)) this.violated('fields: updateStrategy.type was written');
    if (free || before.metadata.annotations?.[HELD] === undefined) return;
    const size = this.replicas;
    const [kept, keptBefore] = [counted.kept(is.partition, size), counted.kept(was.partition, size)];
    const same = versionOf(now.spec.template) === versionOf(before.spec.template);
    if (kept >= keptBefore || keptBefore >= size || !same || this.isTroubled || !this.goesInSteps) return;
    const fine = this.updated.filter(isReady).length;
    if (fine < size - keptBefore)
      this.violated(`availability: ${keptBefore} became ${kept} with ${fine} of ${size - keptBefore} Pods`);
  }

  /** A step begins, or a new release: what exists now is not ours to take back. */
  private seeStep(): void {
    const { world, plan } = this;
    const { canary } = world;
    const step = `${world.runs} ${canary.observedRolloutID} ${canary.currentStepIndex} ${this.isHeld}`;
    if (step !== this.step) {
      this.step = step;
      this.existed = this.updated.length;
    }
    const planned = plan.steps[(canary.currentStepIndex ?? 1) - 1];
    const about = canary.observedRolloutID === this.workload.metadata.labels?.[ROLLOUT_ID];
    const target = planned && about ? targetOf(planned, this.replicas, planned === plan.steps.at(-1)) : 0;
    this.allowed.push({ at: world.now, most: this.isHeld && this.goesInSteps ? target : Infinity });
    if (this.allowed.length > 200) this.allowed = this.allowed.slice(-100);
  }

  private seePod(pod: Pod, before: Pod | undefined): void {
    const version = versionOf(pod as never);
    if (version !== this.world.runs || (before && versionOf(before as never) === version)) return;
    if (!this.isHeld || this.isTroubled) return;
    const recent = this.allowed.filter((_, i) => (this.allowed[i + 1]?.at ?? Infinity) > this.world.now - LATELY_MS);
    const most = Math.max(this.existed, ...recent.map((one) => one.most));
    if (this.updated.length > most)
      this.violated(`step: ${this.updated.length} Pods have ${version} instead of ${most}`);
  }

  private violated(what: string): void {
    if (this.violations.length < 5) this.violations.push(`${what} at ${this.at} [${this.line()}]`);
  }

  /** A version that has all Pods, and is not held, is what a rollback goes back to. */
  private noteStable(): void {
    const { world } = this;
    const isWhole = world.pods.every((pod) => versionOf(pod as never) === world.runs && isReady(pod));
    if (!this.isHeld && isWhole && world.rollout.status?.phase === 'Healthy') this.stable = world.runs;
  }

  /** Without a Rollout nobody names a broken Pod that a StatefulSet does not replace. */
  private isLeft(pod: Pod): boolean {
    const version = versionOf(pod as never);
    return version.endsWith(':broken') && version !== this.world.runs;
  }

  private get workload(): Kruise {
    return this.world.deployment as Kruise;
  }
  private get replicas(): number {
    return this.world.kind.replicas(this.world.deployment);
  }
  private get isHeld(): boolean {
    return this.workload.metadata.annotations?.[HELD] !== undefined;
  }
  private get updated(): Pod[] {
    return this.world.pods.filter((pod) => versionOf(pod as never) === this.world.runs);
  }
  private get at(): string {
    return `${((this.world.now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s`;
  }
  /** A Pod was deleted by somebody, the size changed, or nobody guarded it. */
  private get isTroubled(): boolean {
    return this.world.now < this.unguardedUntil || this.world.now - this.troubledAt < LATELY_MS;
  }

  /** A rollback, and the end of a release or of its Rollout, go on without steps. */
  private get goesInSteps(): boolean {
    const { spec, metadata, status } = this.world.rolloutOf() ?? {};
    if (spec === undefined || metadata?.deletionTimestamp !== undefined || this.world.runs === this.stable)
      return false;
    const reason = this.world.condition('Progressing')?.reason;
    return status?.phase !== 'Progressing' || reason === 'InRolling' || reason === 'Paused';
  }

  private line(): string {
    const { world } = this;
    const { partition, paused } = this.counted.strategyOf(this.workload);
    const pods = world.pods.map((pod) => `${versionOf(pod as never)}${isReady(pod) ? '' : '!'}`).toSorted();
    const { currentStepIndex, currentStepState } = world.canary;
    return `${this.isHeld ? 'H' : '-'} R${this.replicas} p${partition}${paused ? 'P' : ''} ${world.runs} [${pods.join(' ')}] ${currentStepIndex} ${currentStepState}`;
  }
}
