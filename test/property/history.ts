// Plays a plan in virtual time, lets it end, and says what was wrong with it.
import type { ApiCall } from '../../src/kube/api.ts';
import type { Fault, Misbehaviour } from '../operator/api.ts';
import { NAME, versionOf, World, type WorldOptions } from '../operator/world.ts';
import { Invariants, type UserSettings } from './invariants.ts';
import { isChecked, Watched, withChecks } from './checks.ts';
import { randomOf, type Action, type Plan } from './plan.ts';

export interface Report {
  readonly seed: number;
  readonly problems: readonly string[];
  /** What is left in the end: the same for every run of a plan's actions, whatever went wrong on the way. */
  readonly end: string;
  /** How many changes came without steps. */
  readonly cameBack: number;
  readonly story: () => string;
}

export interface PlayOptions {
  /** False: nothing goes wrong. */
  readonly trouble?: boolean;
  /** In place of the engine. */
  readonly decide?: WorldOptions['decide'];
}

const DEPLOYMENT = `/apis/apps/v1/namespaces/default/deployments/${NAME}`;
const FAULTS: readonly Fault[] = ['conflict', 'throttled', 'broken', 'lost', 'lost', 'crash-before', 'crash-after'];
/** A change that no watch has told is found by the comparison every ten minutes. */
const PATIENCE_MS = 40 * 60_000;

export async function play(plan: Plan, { trouble = true, decide }: PlayOptions = {}): Promise<Report> {
  const random = randomOf(plan.seed ^ 0x2545f491);
  let calm = !trouble;
  const misbehaviour = (world: World): Misbehaviour => ({
    fault(call: ApiCall) {
      if (calm || random() >= plan.trouble) return undefined;
      const fault = FAULTS[Math.floor(random() * FAULTS.length)]!;
      return call.method === 'GET' && fault === 'conflict' ? 'broken' : fault;
    },
    line: () => (calm || random() >= plan.trouble / 2 ? undefined : random() < 0.3 ? 'lost' : 'twice'),
    onCrash: () => restartLater(world),
  });
  const restartLater = (world: World): void => {
    world.crash();
    world.virtual.clock.after(100 + random() * 3000, () => void (world.running || world.startOperator()));
  };
  let watched: Watched | undefined;
  const world = new World({
    seed: plan.seed,
    misbehaviour,
    decide,
    ...(isChecked(plan.seed) ? { metrics: () => watched!.metrics } : {}),
  });
  if (isChecked(plan.seed)) watched = new Watched(world, random, () => (calm ? 0 : 0.3));
  await world.start();
  const settings: UserSettings = {
    maxSurge: plan.maxSurge,
    maxUnavailable: plan.maxUnavailable,
    minReadySeconds: plan.minReadySeconds,
    progressDeadlineSeconds: 600,
  };
  const invariants = new Invariants(world, plan.steps, settings);
  const driver = new Driver(world, plan, invariants, random, restartLater);
  const problems: string[] = [];
  let end = '';
  try {
    await driver.prepare();
    for (const { afterMs, action } of plan.actions) {
      await world.run(afterMs);
      await driver.act(action);
    }
    calm = true;
    end = await driver.finish();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...invariants.violations, ...(watched?.violations ?? []));
  watched?.stop();
  invariants.stop();
  await world.stop();
  const story = (): string =>
    [JSON.stringify(plan), ...driver.log, '--- trace', ...invariants.trace.slice(-80), '---', ...problems].join('\n');
  return { seed: plan.seed, problems, end, cameBack: invariants.cameBack, story };
}

class Driver {
  readonly log: string[] = [];
  private readonly world: World;
  private readonly plan: Plan;
  private readonly invariants: Invariants;
  private readonly random: () => number;
  private readonly crash: (world: World) => void;
  private version = 1;
  private stable = 'v1';
  private paused = false;
  private readonly names = ['v1'];

  constructor(world: World, plan: Plan, invariants: Invariants, random: () => number, crash: (world: World) => void) {
    this.world = world;
    this.plan = plan;
    this.invariants = invariants;
    this.random = random;
    this.crash = crash;
  }

  async prepare(): Promise<void> {
    const { replicas } = this.plan;
    await this.createDeployment(replicas, 'v1');
    await this.createRollout();
    await this.world.untilHealthy(PATIENCE_MS);
    await this.world.until('all Pods run', () => this.world.deployment.status?.availableReplicas === replicas);
  }

  private createDeployment(replicas: number, version: string): Promise<void> {
    const { maxSurge, maxUnavailable, minReadySeconds } = this.invariants.settings;
    const strategy = { rollingUpdate: { maxSurge, maxUnavailable } };
    return this.world.createDeployment({ replicas, version, spec: { strategy, minReadySeconds } });
  }

  private createRollout(): Promise<void> {
    const { steps, canary } = isChecked(this.plan.seed)
      ? withChecks(this.plan.steps)
      : { steps: this.plan.steps, canary: {} };
    return this.world.createRollout(steps, {
      canary: {
        ...canary,
        stepDeadlineSeconds: 60,
        ...(this.plan.rollbackWindow && { rollbackWindow: this.plan.rollbackWindow }),
      },
    });
  }

  /** The one that is deleted may still be on its way out. */
  private readonly createAgain = (): void => {
    if (this.world.rolloutOf()) this.world.virtual.clock.after(500, this.createAgain);
    else void this.createRollout();
  };

  async act(action: Action): Promise<void> {
    const { world, invariants } = this;
    const { log } = this;
    log.push(`${((world.now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s ${JSON.stringify(action)}`);
    const replicas = world.deployment.spec.replicas ?? 1;
    switch (action.do) {
      case 'release':
        this.noteStable();
        this.version += 1;
        this.names.push(`v${this.version}${action.broken ? this.fault() : ''}`);
        await world.release(this.names.at(-1)!);
        return;
      case 'back':
        this.noteStable();
        await world.release(this.names.at(-1 - action.by) ?? 'v1');
        return;
      case 'rollback':
        await world.release(this.stable);
        return;
      case 'approve':
        await world.approve();
        return;
      case 'scale':
        await world.scale(Math.max(1, Math.min(14, replicas + action.by)));
        return;
      case 'settings': {
        const { maxSurge, maxUnavailable } = action;
        const { held, deployment } = world;
        const now = deployment.spec.strategy?.rollingUpdate;
        const { settings } = invariants;
        // Writing what stands there already changes nothing, so nobody can tell that it was written.
        const noticed = {
          maxSurge: held && now?.maxSurge === maxSurge ? settings.maxSurge : maxSurge,
          maxUnavailable: held && now?.maxUnavailable === maxUnavailable ? settings.maxUnavailable : maxUnavailable,
        };
        const possible = noticed.maxSurge !== 0 || noticed.maxUnavailable !== 0;
        invariants.edited({ ...settings, ...(possible ? noticed : { maxSurge, maxUnavailable }) });
        await world.patch({ spec: { strategy: { rollingUpdate: { maxSurge, maxUnavailable } } } });
        return;
      }
      case 'delete': {
        // It is made anew once: a second one could come after the history has ended with a deleted one.
        const { metadata } = world.rolloutOf() ?? {};
        if (!metadata || metadata.deletionTimestamp !== undefined) return;
        this.paused = false;
        await world.deleteRollout();
        world.virtual.clock.after(action.forMs, this.createAgain);
        return;
      }
      case 'disable': {
        const rollout = world.rolloutOf();
        // It is enabled once: a second time could come after the history has ended with a disabled one.
        if (!rollout || rollout.spec.disabled === true) return;
        await world.patchRollout({ spec: { disabled: true } });
        // One made anew meanwhile is not the one that was disabled.
        const { uid } = rollout.metadata;
        world.virtual.clock.after(action.forMs, () => {
          if (world.rolloutOf()?.metadata.uid === uid) void world.patchRollout({ spec: { disabled: null } });
        });
        return;
      }
      case 'pause':
        if (!world.rolloutOf()) return;
        this.paused = !this.paused;
        await world.patchRollout({ spec: { strategy: { paused: this.paused } } });
        return;
      case 'jump':
        if (world.canary.currentStepState === 'StepPaused' && action.to <= this.plan.steps.length)
          await world.patchStatus({ canaryStatus: { nextStepIndex: action.to, currentStepState: 'StepReady' } });
        return;
      case 'kill': {
        const pods = world.pods;
        const victim = pods[Math.floor(this.random() * pods.length)];
        if (!victim) return;
        invariants.killed.set(victim.metadata.name, world.now);
        await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${victim.metadata.name}`);
        return;
      }
      case 'crash':
        this.crash(world);
        return;
      case 'remake': {
        const version = world.runs;
        // A Deployment is not held when it is created.
        invariants.unguardedUntil = Infinity;
        await world.virtual.client.request('DELETE', DEPLOYMENT, { body: { propagationPolicy: 'Orphan' } });
        await world.until('the Deployment is gone', () => !world.virtual.deployment(NAME), PATIENCE_MS);
        await world.run(action.forMs);
        await this.createDeployment(replicas, version);
        invariants.unguardedUntil = world.now + 10_000;
        return;
      }
      case 'noWebhook':
        world.webhook = false;
        invariants.unguardedUntil = Infinity;
        world.virtual.clock.after(action.forMs, () => {
          world.webhook = true;
          invariants.unguardedUntil = world.now + 5_000;
        });
        return;
    }
  }

  /** Where there are checks, some versions start, and fail their requests. */
  private readonly fault = (): string => (isChecked(this.plan.seed) && this.version % 2 === 0 ? '-bad40' : ':broken');

  /** What a rollback goes back to: the version of the last release that ended. */
  private noteStable(): void {
    const { world } = this;
    if (world.rolloutOf()?.status?.phase === 'Healthy') this.stable = world.runs;
  }

  /** Bad luck is over: the release is led to its end, whatever state it is in. */
  async finish(): Promise<string> {
    const { world, plan } = this;
    await world.until('the operator runs', () => world.running);
    const isThere = (): boolean => {
      const rollout = world.rolloutOf();
      return rollout !== undefined && !rollout.metadata.deletionTimestamp && rollout.spec.disabled !== true;
    };
    await world.until('the Rollout is there', isThere, PATIENCE_MS);
    if (this.paused) await this.act({ do: 'pause' });
    if (plan.ending === 'rollback') await this.act({ do: 'rollback' });
    if (world.runs.endsWith('broken')) await this.act({ do: 'release', broken: false });
    const wanted = world.runs;
    if (plan.ending === 'delete') await world.deleteRollout();
    if (plan.ending === 'disable') await world.patchRollout({ spec: { disabled: true } });
    const replicas = world.deployment.spec.replicas ?? 1;
    const done = (): boolean =>
      !world.held &&
      world.sizes[wanted] === replicas &&
      Object.keys(world.sizes).length === 1 &&
      // By the ReplicaSet: in the Deployment's count old Pods on their way out are available to the last.
      world.replicaSets.some(
        (set) => versionOf(set.spec.template) === wanted && set.status?.availableReplicas === replicas,
      ) &&
      world.deployment.status?.availableReplicas === replicas &&
      { complete: 'Healthy', rollback: 'Healthy', delete: undefined, disable: 'Disabled' }[plan.ending] ===
        world.rolloutOf()?.status?.phase;
    // What has just happened has to show before anybody says that it is over.
    await world.run(1_000);
    const deadline = world.now + PATIENCE_MS;
    while (!done() && world.now < deadline) {
      const waits = (): boolean => world.canary.currentStepState === 'StepPaused' && world.now > approvedAt + 2_000;
      const approvedAt = world.now;
      await world.virtual.until(() => done() || waits(), deadline - world.now);
      if (!done() && world.rolloutOf()?.status?.phase === 'Progressing') await world.approve();
    }
    await world.until(`all ${replicas} Pods run ${wanted}, and the Deployment is its user's again`, done, 1);
    await world.run(5_000);
    if (!done()) throw new Error(`it did not last: ${JSON.stringify(world.rolloutOf()?.status)}`);
    // Which version that is depends on what a rollback found; that there is one, whole and free, does not.
    return JSON.stringify({
      replicas,
      versions: Object.keys(world.sizes).length,
      phase: world.rolloutOf()?.status?.phase,
    });
  }
}
