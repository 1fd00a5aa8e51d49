// Random histories of releases that route requests, in virtual time: what people and bad luck do, and what was wrong with it.
import { HELD, TRAFFIC } from '../../src/api/keys.ts';
import type { RouteRule } from '../../src/api/traffic.ts';
import { editRoute, routedWorld, routeIn, ROUTING, serviceIn, weightsIn } from '../operator/traffic.ts';
import { NAME, type World, type WorldOptions } from '../operator/world.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import type { Fault } from '../operator/api.ts';
import { BadLuck } from './bad-luck.ts';
import { randomOf } from './plan.ts';
import type { TrafficJudge } from '../../tools/chaos/traffic/judge.ts';
import type { TrafficAction, TrafficPlan } from './traffic-plan.ts';
import { judged } from './traffic-proxies.ts';

export interface TrafficReport {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly end: string;
  /** Requests were looked at so often, and so often a leg got some. */
  readonly samples: number;
  readonly routed: number;
  /** How many calls of the operator were counted. */
  readonly calls: number;
  readonly story: () => string;
}

export interface TrafficOptions {
  readonly trouble?: boolean;
  readonly decide?: WorldOptions['decide'];
  readonly lagMs?: number;
  /** The history ends when violations of all these invariants are found: `T12`. */
  readonly untilFound?: readonly string[];
  /** The operator dies at this call, before or after its effect. From 1. */
  readonly crashAt?: { readonly call: number; readonly fault: 'crash-before' | 'crash-after' };
  /** The calls that are counted. Default: all. */
  readonly counts?: (call: ApiCall) => boolean;
}

const LAG_MS = 2_900;
/** A copy may lag this long, and the controller of EndpointSlices a little more. */
const PRE_STOP_MS = 5_000;
const PATIENCE_MS = 40 * 60_000;
const EXCUSED_MS = 30_000;

export async function playTraffic(plan: TrafficPlan, options: TrafficOptions = {}): Promise<TrafficReport> {
  const { trouble = true, decide, lagMs = LAG_MS, crashAt, counts = () => true, untilFound = [] } = options;
  let calls = 0;
  const random = randomOf(plan.seed ^ 0x2545f491);
  const luck = new BadLuck(plan.trouble, random, !trouble);
  const world = await routedWorld({
    seed: plan.seed,
    misbehaviour: (of) => {
      const usual = luck.misbehaviour(of);
      const fault = (call: ApiCall): Fault | undefined => {
        const isIt = counts(call) && ++calls === crashAt?.call;
        return isIt ? crashAt?.fault : usual.fault(call);
      };
      return { ...usual, fault };
    },
    ...(decide && { decide }),
    rules: plan.rules,
  });
  const { judge, end: unjudged } = judged(world, { seed: plan.seed ^ 0x7f4a7c15, lagMs, preStopMs: PRE_STOP_MS });
  const found = (): boolean =>
    untilFound.length > 0 &&
    untilFound.every((invariant) => [...judge.violations].some((what) => what.startsWith(`${invariant}:`)));
  const player = new Player(world, plan, { judge, found }, random, luck);
  const problems: string[] = [];
  let end = '';
  try {
    await player.prepare();
    for (const { afterMs, action } of plan.actions) {
      if (await world.virtual.until(found, afterMs)) break;
      await player.act(action);
    }
    luck.calm = true;
    if (!found()) end = await player.finish();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...judge.violations);
  unjudged();
  await world.stop();
  const story = (): string => [JSON.stringify(plan), ...player.log, '---', ...problems].join('\n');
  return {
    seed: plan.seed,
    problems,
    end,
    samples: judge.samples,
    routed: player.routed,
    calls,
    story,
  };
}

class Player {
  readonly log: string[] = [];
  routed = 0;
  private readonly world: World;
  private readonly plan: TrafficPlan;
  private readonly judge: TrafficJudge;
  private readonly found: () => boolean;
  private readonly random: () => number;
  private readonly luck: BadLuck;
  /** The rules as the user wrote them last. */
  private rules: readonly RouteRule[];
  private edits = 0;
  private version = 1;
  private stable = 'v1';
  private paused = false;

  constructor(
    world: World,
    plan: TrafficPlan,
    { judge, found }: { readonly judge: TrafficJudge; readonly found: () => boolean },
    random: () => number,
    luck: BadLuck,
  ) {
    this.world = world;
    this.plan = plan;
    this.rules = plan.rules;
    this.judge = judge;
    this.found = found;
    this.random = random;
    this.luck = luck;
    world.virtual.observe(({ collection }) => {
      if (!/\/(httproutes|services|rollouts)$/.test(collection)) return;
      const { traffic, currentStepState } = world.canary;
      const weights = JSON.stringify(weightsIn(world));
      if (weights.includes(`-canary":`) && !/-canary":0[,}]/.test(weights)) this.routed += 1;
      this.note(
        `  ${weights} ${currentStepState ?? ''} ${traffic?.state ?? ''} ${JSON.stringify(world.sizes)} ${world.runs} ${world.canary.message ?? ''}`,
      );
    });
  }

  private note(line: string): void {
    if (this.log.at(-1)?.endsWith(line) !== true)
      this.log.push(`${((this.world.now - Date.UTC(2026, 0, 1)) / 1000).toFixed(2)}s ${line}`);
  }

  async prepare(): Promise<void> {
    const { world, plan } = this;
    const strategy = plan.budget && { type: 'RollingUpdate', rollingUpdate: plan.budget };
    await world.createDeployment({ replicas: plan.replicas, ...(strategy && { spec: { strategy } }) });
    await world.createRollout(plan.steps, { canary: { trafficRoutings: ROUTING, stepDeadlineSeconds: 60 } });
    await world.untilHealthy(PATIENCE_MS);
    await world.until('all Pods run', () => world.deployment.status?.availableReplicas === plan.replicas);
    await world.run(5_000);
    this.judge.userRules = this.rules;
    this.judge.start(world.now);
  }

  async act(action: TrafficAction): Promise<void> {
    const { world, judge } = this;
    this.note(JSON.stringify(action));
    switch (action.do) {
      case 'release':
        this.noteStable();
        this.version += 1;
        await world.release(`v${this.version}${action.broken ? ':broken' : ''}`);
        return;
      case 'rollback':
        await world.release(this.stable);
        return;
      case 'approve':
        await world.approve();
        return;
      case 'scale':
        judge.excuse(world.now, EXCUSED_MS);
        await world.scale(action.to);
        return;
      case 'crash':
        this.luck.crash(world);
        return;
      case 'git':
      case 'edit': {
        const timeouts = { request: `${++this.edits}s` };
        const edited = (rules: readonly RouteRule[]): readonly RouteRule[] =>
          rules.map((rule) => ({ ...rule, timeouts }));
        this.rules = edited(this.rules);
        if (action.do === 'git') judge.applies(world.now, EXCUSED_MS, this.rules);
        await editRoute(world, action.do === 'git' ? this.rules : edited(routeIn(world)!.spec.rules ?? []));
        return;
      }
      case 'pause':
        this.paused = !this.paused;
        await world.patchRollout({ spec: { strategy: { paused: this.paused } } });
        return;
      case 'kill': {
        const victim = world.pods[Math.floor(this.random() * world.pods.length)];
        if (!victim) return;
        judge.excuse(world.now, EXCUSED_MS);
        await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${victim.metadata.name}`);
      }
    }
  }

  private noteStable(): void {
    if (this.world.rolloutOf()?.status?.phase === 'Healthy') this.stable = this.world.runs;
  }

  async finish(): Promise<string> {
    const { world, plan } = this;
    await world.until('the operator runs', () => world.running);
    if (this.paused) await this.act({ do: 'pause' });
    if (plan.ending === 'rollback') await this.act({ do: 'rollback' });
    if (world.runs.endsWith('broken')) await this.act({ do: 'release', broken: false });
    const wanted = world.runs;
    if (plan.ending === 'delete') await world.deleteRollout();
    if (plan.ending === 'disable') await world.patchRollout({ spec: { disabled: true } });
    const replicas = world.deployment.spec.replicas ?? 1;
    const phase = { complete: 'Healthy', rollback: 'Healthy', delete: undefined, disable: 'Disabled' }[plan.ending];
    const done = (): boolean =>
      !world.held &&
      JSON.stringify(world.sizes) === JSON.stringify({ [wanted]: replicas }) &&
      world.deployment.status?.availableReplicas === replicas &&
      world.rolloutOf()?.status?.phase === phase;
    await world.run(1_000);
    const deadline = world.now + PATIENCE_MS;
    while (!done() && world.now < deadline && !this.found()) {
      const approvedAt = world.now;
      const waits = (): boolean => world.canary.currentStepState === 'StepPaused' && world.now > approvedAt + 2_000;
      await world.virtual.until(() => done() || waits() || this.found(), deadline - world.now);
      if (!done() && world.rolloutOf()?.status?.phase === 'Progressing') await world.approve();
    }
    if (this.found()) return '';
    await world.until(`all ${replicas} Pods run ${wanted}, and nothing is held`, done, 1);
    await world.run(5_000);
    const rules = routeIn(world)?.spec.rules;
    if (JSON.stringify(rules) !== JSON.stringify(this.rules))
      throw new Error(`T6: the route has ${JSON.stringify(rules)}, and its user wrote ${JSON.stringify(this.rules)}`);
    const left = this.left();
    if (left !== undefined) throw new Error(`T9: ${left}`);
    return JSON.stringify({ replicas, phase: world.rolloutOf()?.status?.phase });
  }

  /** T9: what Tranche has left behind. */
  private left(): string | undefined {
    const { world } = this;
    const route = routeIn(world);
    if (route?.metadata.labels?.[TRAFFIC] !== undefined) return 'the label of the route';
    if (route?.metadata.annotations?.[HELD] !== undefined) return 'the record of the route';
    for (const leg of ['canary', 'stable']) if (serviceIn(world, `${NAME}-${leg}`)) return `Service ${NAME}-${leg}`;
    if (world.deployment.metadata.annotations?.[TRAFFIC] !== undefined) return 'the annotation of the workload';
    return world.canary.traffic && 'the status';
  }
}
