// Random histories of a StatefulSet: what people and bad luck do to it, the invariants of partitions, and how it ends.
import type { Change } from '@tranche/sandbox/store';
import { HELD } from '../../src/api/keys.ts';
import type { CanaryStep, Pod, StatefulSet } from '../../src/api/types.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import { isReady, NAME, versionOf, World, type WorldOptions } from '../operator/world.ts';
import { BadLuck } from './bad-luck.ts';
import { targetOf } from './invariants.ts';
import { randomOf } from './plan.ts';

type Action =
  | { readonly do: 'release'; readonly broken: boolean }
  | { readonly do: 'rollback' | 'approve' | 'pause' | 'kill' | 'crash' }
  | { readonly do: 'scale'; readonly by: number }
  | { readonly do: 'partition'; readonly to: number }
  | { readonly do: 'jump'; readonly to: number }
  | { readonly do: 'noWebhook' | 'delete' | 'disable'; readonly forMs: number };

export interface PartitionPlan {
  readonly seed: number;
  readonly replicas: number;
  readonly partition: number | undefined;
  readonly policy: 'OrderedReady' | 'Parallel';
  readonly start: number;
  readonly minReadySeconds: number;
  readonly evicts: boolean;
  readonly steps: readonly CanaryStep[];
  readonly actions: readonly { readonly afterMs: number; readonly action: Action }[];
  readonly trouble: number;
  readonly ending: 'complete' | 'rollback' | 'delete' | 'disable';
}

/** The partition that holds every Pod. Written anew, as all numbers here: the engine's own are under test. */
const EVERY = 2_147_483_647;
const MERGE = 'application/merge-patch+json';
const PATIENCE_MS = 40 * 60_000;
/** Controllers act on what they saw a moment ago: so long a change may still be unknown to somebody. */
const LATELY_MS = 3_000;
const STEPS: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }],
  [{ replicas: '20%' }, { replicas: '60%', pause: { duration: 5 } }, { replicas: '100%' }],
  [{ replicas: 2 }, { replicas: 4 }, { replicas: 6 }],
  [{ replicas: '30%', pause: { duration: 0 } }, { replicas: '100%' }],
  [{ replicas: '50%' }],
];

export function partitionPlanOf(seed: number): PartitionPlan {
  const random = randomOf(seed ^ 0x73746566);
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const ending = oneOf(['complete', 'complete', 'complete', 'rollback', 'delete', 'disable'] as const);
  // Without a Rollout, a user's partition keeps the Pods below it.
  const alone = ending === 'delete' || ending === 'disable';
  const action = (): Action => {
    const dice = below(100);
    if (dice < 36) return { do: 'approve' };
    if (dice < 38) return { do: 'delete', forMs: below(4000) };
    if (dice < 40) return { do: 'disable', forMs: below(4000) };
    if (dice < 53) return { do: 'release', broken: random() < 0.35 };
    if (dice < 60) return { do: 'rollback' };
    if (dice < 72) return { do: 'scale', by: (random() < 0.5 ? -1 : 1) * (1 + below(4)) };
    if (dice < 78) return { do: 'partition', to: alone ? 0 : oneOf([0, 0, 1, 3, 5, EVERY]) };
    if (dice < 82) return { do: 'pause' };
    if (dice < 85) return { do: 'jump', to: 1 + below(3) };
    if (dice < 90) return { do: 'kill' };
    if (dice < 96) return { do: 'crash' };
    return { do: 'noWebhook', forMs: 500 + below(4000) };
  };
  return {
    seed,
    replicas: 1 + below(9),
    partition: alone ? undefined : oneOf([undefined, undefined, 0, 2, 4]),
    policy: oneOf(['OrderedReady', 'Parallel']),
    start: oneOf([0, 0, 0, 3]),
    minReadySeconds: oneOf([0, 0, 2]),
    evicts: random() < 0.5,
    steps: oneOf(STEPS),
    actions: [
      { afterMs: 0, action: { do: 'release', broken: random() < 0.25 } },
      ...Array.from({ length: 4 + below(6) }, () => ({
        afterMs: random() < 0.5 ? 200 + below(1500) : 5000,
        action: action(),
      })),
    ],
    trouble: oneOf([0, 0.02, 0.06]),
    ending,
  };
}

export interface PartitionReport {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly end: string;
  readonly story: () => string;
}

export interface PartitionOptions {
  /** False: nothing goes wrong. */
  readonly trouble?: boolean;
  /** In place of the engine. */
  readonly decide?: WorldOptions['decide'];
}

export async function playPartition(
  plan: PartitionPlan,
  { trouble = true, decide }: PartitionOptions = {},
): Promise<PartitionReport> {
  const random = randomOf(plan.seed ^ 0x2545f491);
  const luck = new BadLuck(plan.trouble, random, !trouble);
  const { seed, evicts } = plan;
  const world = await new World({
    seed,
    misbehaviour: luck.misbehaviour,
    decide,
    kind: statefulSetKind,
    evicts,
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
  return { seed, problems, end, story };
}

const setIn = ({ deployment }: World): StatefulSet => deployment as StatefulSet;
const partitionOf = ({ spec }: StatefulSet): number => spec.updateStrategy?.rollingUpdate?.partition ?? 0;
const isHeld = ({ metadata }: StatefulSet): boolean => metadata.annotations?.[HELD] !== undefined;
const versionIn = ({ spec }: StatefulSet): string => versionOf(spec.template);

/** Checks the invariants after each change of the store. It knows nothing of the engine. */
class Watcher {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  /** The user's partition, as the driver wrote it last. */
  partition: number;
  /** Pods that the driver deleted, and when. */
  readonly killed = new Map<string, number>();
  /** The version of the last Pod of each ordinal. */
  private readonly versions = new Map<number, string>();
  unguardedUntil = 0;
  /** What a rollback goes back to. */
  stable = 'v1';
  private readonly world: World;
  private readonly plan: PartitionPlan;
  private readonly scales: { at: number; replicas: number }[] = [];
  /** Fewest replicas since the hold began: Pods beyond them are of a scale-up, and start new. */
  private fewest = Infinity;
  private step = '';
  /** Indexes of the Pods of the new version when the step began. */
  private existed: ReadonlySet<number> = new Set();
  /** The lowest index that a step allowed in the last moments. */
  private allowed: { at: number; from: number }[] = [];
  private readonly end: () => void;

  constructor(world: World, plan: PartitionPlan) {
    this.world = world;
    this.plan = plan;
    this.partition = plan.partition ?? 0;
    this.end = world.virtual.observe((change) => this.see(change));
  }

  stop(): void {
    this.end();
  }

  private get now(): number {
    return this.world.now;
  }

  private violated(what: string): void {
    if (this.violations.length < 5) this.violations.push(`${what} at ${elapsed(this.world)} [${this.line()}]`);
  }

  private see({ collection, type, object, previous }: Change): void {
    if (collection === 'apps/statefulsets' && object.metadata.name === NAME && type !== 'DELETED')
      this.seeSet(object as unknown as StatefulSet, previous as unknown as StatefulSet | undefined);
    if (!this.world.virtual.cluster.store.get('apps/statefulsets', 'default', NAME)) return;
    if (collection.endsWith('/rollouts') || collection === 'apps/statefulsets') this.seeStep();
    if (collection === '/pods') this.seePod(object as never, previous as never, type);
    const line = `${elapsed(this.world)} ${this.line()}`;
    if (this.trace.at(-1)?.replace(/^\S+ /, '') !== line.replace(/^\S+ /, '')) this.trace.push(line);
  }

  private seeSet(set: StatefulSet, before: StatefulSet | undefined): void {
    const replicas = set.spec.replicas ?? 1;
    if (replicas !== before?.spec.replicas) this.scales.push({ at: this.now, replicas });
    if (!isHeld(set)) this.fewest = Infinity;
    else this.fewest = Math.min(this.fewest, replicas);
    if (!isHeld(set) && before !== undefined && partitionOf(set) !== this.partition)
      this.violated(`fields: not held, and the partition is ${partitionOf(set)} instead of ${this.partition}`);
    if (set.spec.updateStrategy?.type !== 'RollingUpdate') this.violated('fields: updateStrategy.type was written');
    if (before !== undefined && isHeld(set) && isHeld(before)) this.seeMove(set, before);
  }

  /** The partition is lowered only when all Pods at or above it are there; the first Pods of a version need nobody. */
  private seeMove(set: StatefulSet, before: StatefulSet): void {
    const [was, is] = [partitionOf(before), partitionOf(set)];
    const replicas = set.spec.replicas ?? 1;
    if (is >= was || was >= replicas || versionIn(set) !== versionIn(before) || this.isTroubled()) return;
    if (!this.goesInSteps()) return;
    const granted = this.world.pods.filter((pod) => this.indexOf(pod) >= was && this.indexOf(pod) < replicas);
    const fine = granted.filter((pod) => versionOf(pod) === versionIn(set) && isReady(pod));
    if (fine.length < replicas - was)
      this.violated(
        `availability: the partition went from ${was} to ${is} with ${fine.length} of ${replicas - was} Pods`,
      );
  }

  /** A step begins, or a new release: what exists now is not ours to take back. */
  private seeStep(): void {
    const { world } = this;
    const { canary } = world;
    const set = setIn(world);
    const version = versionIn(set);
    const step = `${version} ${canary.observedRolloutID} ${canary.currentStepIndex} ${isHeld(set)}`;
    if (step !== this.step) {
      this.step = step;
      this.existed = new Set(world.pods.filter((pod) => versionOf(pod) === version).map((pod) => this.indexOf(pod)));
    }
    const plan = this.plan.steps[(canary.currentStepIndex ?? 1) - 1];
    const about = canary.observedRolloutID === set.metadata.labels?.['rollouts.kruise.io/rollout-id'];
    const replicas = set.spec.replicas ?? 1;
    const target = plan && about ? targetOf(plan, replicas, plan === this.plan.steps.at(-1)) : 0;
    this.allowed.push({ at: this.now, from: !isHeld(set) || !this.goesInSteps() ? 0 : replicas - target });
    if (this.allowed.length > 200) this.allowed = this.allowed.slice(-100);
  }

  private seePod(pod: Pod, before: Pod | undefined, type: Change['type']): void {
    const set = setIn(this.world);
    if (!before && type === 'ADDED') this.seeNew(pod, set);
    const going = pod.metadata.deletionTimestamp !== undefined || type === 'DELETED';
    if (!before || !going || before.metadata.deletionTimestamp !== undefined || !isReady(before)) return;
    if (this.killed.has(pod.metadata.name) || this.isTroubled() || !isHeld(set)) return;
    const index = this.indexOf(pod);
    const others = this.world.pods.filter((other) => other !== pod && this.indexOf(other) > index);
    const gone = (set.spec.replicas ?? 1) - 1 - index - others.filter(isReady).length;
    if (gone > 0) this.violated(`availability: Pod ${index} was replaced while ${gone} above it were missing`);
  }

  private seeNew(pod: Pod, set: StatefulSet): void {
    const version = versionOf(pod);
    const index = this.indexOf(pod);
    // Scaling may raise the partition above Pods that have the version already.
    const hadIt = this.versions.get(index) === version;
    this.versions.set(index, version);
    if (hadIt || !isHeld(set) || version !== versionIn(set) || this.now < this.unguardedUntil) return;
    const lowest = Math.min(
      ...this.allowed
        .filter((_, i) => (this.allowed[i + 1]?.at ?? Infinity) > this.now - LATELY_MS)
        .map(({ from }) => from),
    );
    if (index >= lowest || this.existed.has(index) || index >= this.fewest) return;
    this.violated(`step: Pod ${index} got ${version}, and the step begins at ${lowest}`);
  }

  /** A rollback, and the end of a release or of its Rollout, go on without steps. */
  private goesInSteps(): boolean {
    const { spec, metadata, status } = this.world.rolloutOf() ?? {};
    if (spec === undefined || spec.disabled === true || metadata?.deletionTimestamp !== undefined) return false;
    if (versionIn(setIn(this.world)) === this.stable) return false;
    const reason = this.world.condition('Progressing')?.reason;
    return status?.phase !== 'Progressing' || reason === 'InRolling' || reason === 'Paused';
  }

  private indexOf = ({ metadata }: Pod): number => Number(metadata.name.split('-').at(-1)) - this.plan.start;

  /** A Pod was deleted by somebody, the size changed, or nobody guarded it. */
  private isTroubled(): boolean {
    const since = this.now - LATELY_MS - this.plan.minReadySeconds * 1000;
    return (
      this.now < this.unguardedUntil ||
      (this.scales.length > 1 && this.scales.at(-1)!.at > since) ||
      [...this.killed.values()].some((at) => at > since)
    );
  }

  private line(): string {
    const { world } = this;
    const set = setIn(world);
    const pods = world.pods
      .toSorted((a, b) => this.indexOf(a) - this.indexOf(b))
      .map((pod) => `${this.indexOf(pod)}:${versionOf(pod)}${isReady(pod) ? '' : '!'}`);
    const { canary } = world;
    return `${isHeld(set) ? 'H' : '-'} R${set.spec.replicas} p${partitionOf(set)} ${versionIn(set)} [${pods.join(' ')}] ${canary.currentStepIndex} ${canary.currentStepState}`;
  }
}

const elapsed = ({ now }: World): string => `${((now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s`;

class Driver {
  readonly log: string[] = [];
  private readonly world: World;
  private readonly plan: PartitionPlan;
  private readonly watcher: Watcher;
  private readonly random: () => number;
  private readonly crash: (world: World) => void;
  private version = 1;
  private paused = false;

  constructor(
    world: World,
    plan: PartitionPlan,
    watcher: Watcher,
    random: () => number,
    crash: (world: World) => void,
  ) {
    this.world = world;
    this.plan = plan;
    this.watcher = watcher;
    this.random = random;
    this.crash = crash;
  }

  async prepare(): Promise<void> {
    const { replicas, partition, policy, start, minReadySeconds } = this.plan;
    const rollingUpdate = partition === undefined ? {} : { partition };
    await this.world.createDeployment({
      replicas,
      spec: {
        serviceName: NAME,
        podManagementPolicy: policy,
        minReadySeconds,
        ...(start > 0 && { ordinals: { start } }),
        updateStrategy: { type: 'RollingUpdate', rollingUpdate },
      },
    });
    await this.world.until('all Pods run', () => this.world.readyPods === replicas, PATIENCE_MS);
    await this.createRollout();
    await this.world.untilHealthy(PATIENCE_MS);
    await this.world.run(1_000);
  }

  private createRollout(): Promise<void> {
    return this.world.createRollout(this.plan.steps, { canary: { stepDeadlineSeconds: 60 } });
  }

  private readonly createAgain = (): void => {
    if (this.world.rolloutOf()) this.world.virtual.clock.after(500, this.createAgain);
    else void this.createRollout();
  };

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
      case 'scale':
        return void (await world.scale(Math.max(1, Math.min(12, (setIn(world).spec.replicas ?? 1) + action.by))));
      case 'partition':
        return this.setPartition(action.to);
      case 'pause':
        if (rollout) await world.patchRollout({ spec: { strategy: { paused: (this.paused = !this.paused) } } });
        return;
      case 'jump':
        if (rollout?.status?.phase === 'Progressing')
          await world.patchStatus({ canaryStatus: { nextStepIndex: Math.min(action.to, this.plan.steps.length) } });
        return;
      case 'kill': {
        const pods = world.pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
        const pod = pods[Math.floor(this.random() * pods.length)];
        if (pod) await this.kill(pod.metadata.name);
        return;
      }
      case 'crash':
        if (world.running) this.crash(world);
        return;
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

  /** Writing what stands there already changes nothing, so nobody can tell that it was written. */
  private async setPartition(to: number): Promise<void> {
    const { world, watcher } = this;
    if (partitionOf(setIn(world)) !== to) watcher.partition = to;
    await world.patch({ spec: { updateStrategy: { rollingUpdate: { partition: to } } } });
  }

  /** The stable version is broken, so there is nothing to protect: without its Rollout for a while, all Pods are updated. */
  private async updateAll(wanted: string): Promise<void> {
    const { world } = this;
    await world.patchRollout({ spec: { disabled: true } });
    await world.until('it is given back', () => !world.held, PATIENCE_MS);
    await this.setPartition(0);
    for (let turn = 0; turn < 100 && world.sizes[wanted] !== setIn(world).spec.replicas; turn++) {
      await world.run(10_000);
      const broken = world.pods.find((pod) => !isReady(pod) && versionOf(pod) !== wanted);
      if (broken) await this.kill(broken.metadata.name);
    }
    await world.patchRollout({ spec: { disabled: null } });
  }

  private async kill(name: string): Promise<void> {
    this.watcher.killed.set(name, this.world.now);
    await this.world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${name}`, { type: MERGE });
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
    const isThere = (): boolean => {
      const rollout = world.rolloutOf();
      return rollout !== undefined && !rollout.metadata.deletionTimestamp && rollout.spec.disabled !== true;
    };
    // A deleted Rollout may wait for a person before another one can be created.
    for (let turn = 0; turn < 10 && !isThere(); turn++) {
      const since = world.now;
      await world.virtual.until(() => isThere() || world.now > since + 60_000, 61_000);
      if (!isThere()) await this.help(world.runs);
    }
    await world.until('the Rollout is there', isThere, PATIENCE_MS);
    if (this.paused) await this.act({ do: 'pause' });
    await world.run(8_000);
    if (watcher.partition === EVERY) await this.setPartition(0);
    if (plan.ending === 'rollback') await this.act({ do: 'rollback' });
    if (world.runs.endsWith('broken')) await this.act({ do: 'release', broken: false });
    const wanted = world.runs;
    if (plan.ending === 'delete') await world.deleteRollout();
    if (plan.ending === 'disable') await world.patchRollout({ spec: { disabled: true } });
    const replicas = setIn(world).spec.replicas ?? 1;
    const phase = { complete: 'Healthy', rollback: 'Healthy', delete: undefined, disable: 'Disabled' }[plan.ending];
    const done = (): boolean =>
      !world.held &&
      world.sizes[wanted] === replicas &&
      Object.keys(world.sizes).length === 1 &&
      world.readyPods === replicas &&
      phase === world.rolloutOf()?.status?.phase;
    await world.run(1_000);
    const deadline = world.now + PATIENCE_MS;
    while (!done() && world.now < deadline) {
      const since = world.now;
      const waits = (): boolean => world.canary.currentStepState === 'StepPaused' && world.now > since + 2_000;
      await world.virtual.until(() => done() || waits() || world.now > since + 60_000, 61_000);
      if (done()) break;
      if (world.rolloutOf()?.status?.phase === 'Progressing') await world.approve();
      await this.help(wanted);
    }
    await world.until(`all ${replicas} Pods run ${wanted}, and the StatefulSet is its user's again`, done, 1);
    await world.run(5_000);
    if (!done()) throw new Error(`it did not last: ${JSON.stringify(world.rolloutOf()?.status)}`);
    if (partitionOf(setIn(world)) !== watcher.partition)
      throw new Error(`the partition is ${partitionOf(setIn(world))}`);
    return JSON.stringify({ replicas, phase });
  }

  /** A person does what the status says; where no Rollout is left to say it, they look for themselves. */
  private async help(wanted: string): Promise<void> {
    const { world } = this;
    const message = world.rolloutOf()?.status?.message ?? '';
    if (/is not Ready, and the StatefulSet controller updates no other/.test(message)) return this.updateAll(wanted);
    if (/so the Pods below it keep their version/.test(message)) return this.setPartition(0);
    const { phase } = world.rolloutOf()?.status ?? {};
    // A deletion gave the StatefulSet back in the middle of a release: the user's partition keeps Pods of the version before.
    const isKept = world.pods.some((pod) => isReady(pod) && versionOf(pod) !== wanted);
    if (phase === 'Healthy' && !world.held && isKept) return this.setPartition(0);
    const told = /kubectl delete pod (\S+)/.exec(message)?.[1];
    const found = world.pods.find((pod) => !isReady(pod) && versionOf(pod) !== wanted)?.metadata.name;
    const name = phase === 'Progressing' || phase === 'Terminating' ? told : found;
    if (name !== undefined && world.pods.some((pod) => pod.metadata.name === name)) await this.kill(name);
  }
}
