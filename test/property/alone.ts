// Nobody of ours is there: the operator dies while a batch moves, and the Deployment is scaled. What the native controller makes of the grant.
import type { IntOrString } from '../../src/api/types.ts';
import { MARK } from '../../src/engine/workload/deployment/hold.ts';
import { NAME, World, type WorldOptions } from '../operator/world.ts';
import { randomOf } from './plan.ts';

export interface AloneReport {
  readonly seed: number;
  readonly problems: readonly string[];
}

const LIMITS: readonly (readonly [IntOrString, IntOrString])[] = [
  ['25%', '25%'],
  [0, '50%'],
  [0, 5],
  [2, 2],
  ['50%', 0],
  [1, 0],
];

export async function playAlone(seed: number, decide?: WorldOptions['decide']): Promise<AloneReport> {
  const random = randomOf(seed ^ 0x616c6f6e);
  const below = (n: number): number => Math.floor(random() * n);
  const [maxSurge, maxUnavailable] = LIMITS[below(LIMITS.length)]!;
  const replicas = 3 + below(18);
  const steps = [{ replicas: 1 }, { replicas: ['30%', '50%', '70%'][below(3)]! }, { replicas: '100%' }];
  const world = await new World({ seed, decide, readyMs: 800 }).start();
  const problems: string[] = [];
  try {
    await world.createDeployment({ replicas, spec: { strategy: { rollingUpdate: { maxSurge, maxUnavailable } } } });
    await world.createRollout(steps);
    await world.untilHealthy();
    await world.until('all Pods run', () => world.deployment.status?.availableReplicas === replicas);
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(2_000);
    await world.approve();
    const { virtual } = world;
    const moves = (): boolean =>
      world.deployment.spec.paused !== true && world.deployment.spec.minReadySeconds === MARK.minReadySeconds;
    if (!(await virtual.until(moves, 10_000))) return { seed, problems };
    await world.run(below(2_500));
    world.crash();
    if (!moves()) return { seed, problems };
    const { rollingUpdate } = world.deployment.spec.strategy!;
    const granted =
      inPods(rollingUpdate!.maxSurge!, replicas, true) + inPods(rollingUpdate!.maxUnavailable!, replicas, false);
    const sizes: number[] = [];
    for (let count = 1 + below(4); count > 0; count--) {
      sizes.push(2 + below(24));
      await virtual.scale(NAME, sizes.at(-1)!);
      await world.run(random() < 0.3 ? 300 : 8_000);
    }
    await world.run(20_000);
    // The native controller rounds each scaling, and a share of few Pods is a coarse one.
    let most = granted;
    [replicas, ...sizes].forEach((size, i, all) => (most = i === 0 ? most : Math.ceil((most * size) / all[i - 1]!)));
    const now = sizes.at(-1)!;
    const updated = world.sizes['v2'] ?? 0;
    if (updated > Math.max(1, most))
      problems.push(
        `${updated} of ${now} Pods are updated after ${[replicas, ...sizes].join(' → ')}: ${granted} of ${replicas} were granted, which is ${most} (${maxSurge}/${maxUnavailable})`,
      );
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  await world.stop();
  return { seed, problems };
}

function inPods(value: IntOrString, replicas: number, up: boolean): number {
  if (typeof value === 'number') return value;
  const exact = (Number(value.replace('%', '')) * replicas) / 100;
  return up ? Math.ceil(exact) : Math.floor(exact);
}
