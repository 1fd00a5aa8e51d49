// Quick newer templates: one abandoned version after the other, whose Pods become Ready at any moment. What the stable version keeps.
import type { CanaryStep, IntOrString, ReplicaSet } from '../../src/api/types.ts';
import { versionOf, World, type WorldOptions } from '../operator/world.ts';
import { Invariants, targetOf, type UserSettings } from './invariants.ts';
import { randomOf } from './plan.ts';

export interface NewerReport {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly story: () => string;
}

const STEPS: readonly CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const LIMITS: readonly (readonly [IntOrString, IntOrString])[] = [
  ['25%', '25%'],
  [1, 0],
  [0, 1],
  [2, 2],
  ['100%', 0],
  [0, '50%'],
];
/** As in invariants.ts: a pause from outside may make the native controller correct sizes that were right, and back again. */
const STOPPING_MS = 2_000;

export async function playNewer(seed: number, decide?: WorldOptions['decide']): Promise<NewerReport> {
  const random = randomOf(seed ^ 0x6e657765);
  const below = (n: number): number => Math.floor(random() * n);
  const [maxSurge, maxUnavailable] = LIMITS[below(LIMITS.length)]!;
  const replicas = 2 + below(11);
  const settings: UserSettings = {
    maxSurge,
    maxUnavailable,
    minReadySeconds: [0, 0, 0, 2][below(4)]!,
    progressDeadlineSeconds: 600,
  };
  const gapMs = [300, 300, 1000, 4000][below(4)]!;
  const readyMs = [100, 300, 1000, 3000][below(4)]!;
  const world = await new World({ seed, decide, readyMs, jitter: [0.1, 2] }).start();
  const invariants = new Invariants(world, STEPS, settings);
  const log: string[] = [];
  const problems: string[] = [];
  let [reached, stoppedAt, runs] = [0, -Infinity, 'v1'];
  const sizeOf = (set: ReplicaSet | undefined): number => set?.spec.replicas ?? 0;
  const stable = (): ReplicaSet | undefined => world.replicaSets.find((set) => versionOf(set.spec.template) === 'v1');
  const check = (when: string): void => {
    const least = replicas - reached;
    if (sizeOf(stable()) < least)
      problems.push(
        `${when}: ${sizeOf(stable())} stable Pods, at least ${least} are promised [${JSON.stringify(world.sizes)}]`,
      );
  };
  const end = world.virtual.observe(({ collection }) => {
    const { deployment, canary } = world;
    // At rest, the status names its last step, and it may be written after the first edit.
    const releases = canary.currentStepState !== 'Completed';
    if (collection.endsWith('/rollouts') && canary.currentStepIndex && releases && runs !== 'v1')
      reached = Math.max(reached, targetOf(STEPS[canary.currentStepIndex - 1]!, replicas));
    if (collection === 'apps/deployments' && world.runs !== runs) [runs, stoppedAt] = [world.runs, world.now];
    if (collection !== 'apps/replicasets' || problems.length > 0) return;
    if (deployment.spec.paused !== true && world.now - stoppedAt > STOPPING_MS) check('moving');
  });
  try {
    const strategy = { rollingUpdate: { maxSurge, maxUnavailable } };
    await world.createDeployment({ replicas, spec: { strategy, minReadySeconds: settings.minReadySeconds } });
    await world.createRollout(STEPS, { canary: { stepDeadlineSeconds: 0 } });
    await world.untilHealthy(120_000);
    await world.until('all Pods run', () => world.deployment.status?.availableReplicas === replicas, 120_000);
    const edits = 3 + below(8);
    for (let i = 2; i < 2 + edits; i++) {
      log.push(`${world.now} v${i}`);
      await world.release(`v${i}${i < edits + 1 && random() < 0.15 ? ':broken' : ''}`);
      await world.run(gapMs * (0.2 + 1.6 * random()));
      if (random() < 0.2) await world.run(8_000);
      if (random() < 0.25) log.push(`approved: ${await world.approve()}`);
      if (random() < 0.1) {
        world.crash();
        await world.run(500);
        world.startOperator();
      }
    }
    if (world.runs.endsWith('broken')) await world.release(`v${edits + 2}`);
    await world.until('it waits', () => world.canary.currentStepState === 'StepPaused', 300_000);
    await world.run(10_000);
    check('at rest');
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...invariants.violations);
  end();
  invariants.stop();
  await world.stop();
  const plan = `seed ${seed}: ${replicas} replicas, ${maxSurge}/${maxUnavailable}, minReadySeconds ${settings.minReadySeconds}, an edit every ${gapMs} ms, ready after ${readyMs} ms`;
  return { seed, problems, story: () => [plan, ...log, ...invariants.trace.slice(-80), ...problems].join('\n') };
}
