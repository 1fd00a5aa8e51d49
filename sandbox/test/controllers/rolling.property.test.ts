// Native rolling updates over random interleavings: never too few Pods available, never too many Pods, always the same end.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { VirtualClock } from '../../src/core/clock.ts';
import { maxSurge, maxUnavailable } from '../../src/controllers/deployment/replicas.ts';
import type { Change } from '../../src/core/store.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { aRunningDeployment, imagePatch, isAvailable, sizes } from './support.ts';
import type { VirtualCluster, VirtualOptions } from '../../src/virtual.ts';

const HISTORIES = Number(process.env.ROLLING_HISTORIES ?? 100);
const STRATEGIC = 'application/strategic-merge-patch+json';

/** Counts as objects change, so that every single change can be judged. */
class Watcher {
  available = 0;
  total = 0;
  wanted = 0;
  worst = '';
  private readonly availableUids = new Set<string>();

  constructor(cluster: VirtualCluster, judge: (watcher: Watcher) => string | undefined) {
    for (const pod of cluster.pods()) this.count(pod);
    cluster.observe(({ collection, type, object }: Change) => {
      if (collection === '/pods') this.count(object, type === 'DELETED');
      if (collection === 'apps/replicasets') {
        this.wanted = cluster.replicaSets().reduce((sum, each) => sum + (each.spec.replicas as number), 0);
      }
      this.worst ||= judge(this) ?? '';
    });
  }

  private count(pod: KubeObject, gone = false): void {
    if (!gone && isAvailable(pod)) this.availableUids.add(pod.metadata.uid!);
    else this.availableUids.delete(pod.metadata.uid!);
    this.available = this.availableUids.size;
  }
}

const choose = <T>(clock: VirtualClock, values: readonly T[]): T => values[Math.floor(clock.random() * values.length)]!;

interface Shape {
  replicas: number;
  surge: number | string;
  unavailable: number | string;
}

const shapeOf = (seed: number): Shape => {
  const dice = new VirtualClock(seed * 7919);
  const surge = choose(dice, ['25%', 0, 1, '50%', '100%', 2]);
  const unavailable = choose(dice, ['25%', 0, 1, '50%', 2]);
  return {
    replicas: 1 + Math.floor(dice.random() * 12),
    surge,
    unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable,
  };
};

const about = (seed: number, { replicas, surge, unavailable }: Shape): string =>
  `seed ${seed}: R ${replicas}, surge ${surge}, unavailable ${unavailable}`;

const edit = (cluster: VirtualCluster, tag: string): Promise<KubeObject> =>
  cluster.patchDeployment('web', { spec: imagePatch(`web:${tag}`) }, STRATEGIC);

const running = ({ replicas, surge, unavailable }: Shape, options: Partial<VirtualOptions>): Promise<VirtualCluster> =>
  aRunningDeployment({ replicas, maxSurge: surge, maxUnavailable: unavailable }, options);

const NO_LAG = { lagMs: [0, 0], requestMs: [0, 0] } as const;

/** The bounds of a rolling update that starts from R available Pods. */
const watch = (cluster: VirtualCluster): Watcher => {
  const deployment = cluster.deployment('web')!;
  const least = deployment.spec.replicas - maxUnavailable(deployment);
  const most = deployment.spec.replicas + maxSurge(deployment);
  return new Watcher(cluster, ({ available, wanted }) => {
    if (available < least) return `${available} available, ${least} promised`;
    return wanted > most ? `${wanted} wanted, ${most} allowed` : undefined;
  });
};

describe(`native rolling updates, over ${HISTORIES} histories each`, () => {
  it('keep R - maxUnavailable available and at most R + maxSurge wanted, however far caches are behind', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const shape = shapeOf(seed);
      const cluster = await running(shape, { seed });
      const watcher = watch(cluster);
      // A broken version gets stuck, the next one replaces it.
      for (const tag of seed % 2 ? ['2', '3'] : ['broken', '3']) {
        await edit(cluster, tag);
        await cluster.settled();
      }
      assert.equal(watcher.worst, '', about(seed, shape));
      assert.equal(sizes(cluster)['web:3'], shape.replicas, about(seed, shape));
      cluster.stop();
    }
  });

  // Edits in the middle of an update: beyond R + maxSurge by what the controller's caches have not shown yet, as on a real control
  // plane. Where nothing is behind, the bounds hold.
  it('keep the bounds through edits at any moment, where caches are not behind', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const shape = shapeOf(seed);
      const cluster = await running(shape, { seed, ...NO_LAG });
      const watcher = watch(cluster);
      for (const tag of ['2', 'broken', '3', '1', '4'].slice(seed % 3)) {
        await edit(cluster, tag);
        await cluster.run(cluster.clock.random() * 1500);
      }
      await cluster.settled();
      assert.equal(watcher.worst, '', about(seed, shape));
      assert.equal(cluster.deployment('web')!.status.availableReplicas, shape.replicas, about(seed, shape));
      cluster.stop();
    }
  });

  it('end at the right size and version after any edits and scaling', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const shape = shapeOf(seed);
      const cluster = await running(shape, { seed });
      let size = shape.replicas;
      for (let i = 0; i < 6; i++) {
        if (cluster.clock.random() < 0.5) {
          size = Math.floor(cluster.clock.random() * 13);
          await cluster.scale('web', size);
        } else await edit(cluster, choose(cluster.clock, ['2', '3', 'broken']));
        await cluster.run(cluster.clock.random() * 1000);
      }
      await edit(cluster, '9');
      await cluster.settled();
      const { '9': fresh, ...old } = Object.fromEntries(
        Object.entries(sizes(cluster)).map(([image, count]) => [image.slice(4), count]),
      );
      assert.equal(fresh, size, about(seed, shape));
      assert.ok(
        Object.values(old).every((count) => count === 0),
        about(seed, shape),
      );
      assert.equal(cluster.deployment('web')!.status.availableReplicas ?? 0, size, about(seed, shape));
      assert.equal(cluster.pods().length, size, about(seed, shape));
      cluster.stop();
    }
  });
});
