// What is measured of the releases in a world, as lines.
import type { Rollout } from '../../src/api/types.ts';
import type { ChangeHandler } from '../../src/kube/reflector.ts';
import { measureReleases } from '../../src/operator/release-metrics.ts';
import type { World } from './world.ts';

const COLLECTION = 'rollouts.kruise.io/rollouts';

/** Everything measured from now on. */
export function measured(world: World): string[] {
  const lines: string[] = [];
  let handler: ChangeHandler<Rollout> = () => undefined;
  const rollouts = { on: (given: ChangeHandler<Rollout>) => ((handler = given), () => true) };
  measureReleases(
    rollouts,
    {
      release: (namespace, outcome, seconds) => void lines.push(`${namespace} ${outcome} ${seconds}`),
      step: (seconds) => void lines.push(`step ${seconds}`),
      approvalWait: (seconds) => void lines.push(`approval ${Math.round(seconds)}`),
    },
    () => world.now,
  );
  world.virtual.cluster.store.subscribe(COLLECTION, ({ type, object, previous }) => {
    if (type !== 'MODIFIED') return;
    handler({ type: 'updated', key: 'k', object: object as unknown as Rollout, old: previous as unknown as Rollout });
  });
  return lines;
}
