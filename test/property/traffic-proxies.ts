// The judge of traffic (tools/chaos/traffic/judge.ts) in virtual time: it sees each change as it is stored.
import type { Change } from '@tranche/sandbox/store';
import { TrafficJudge, type TrafficKind } from '../../tools/chaos/traffic/judge.ts';
import { NAME, ROLLOUT, type World } from '../operator/world.ts';
import { randomOf } from './plan.ts';

const KINDS: Readonly<Record<string, TrafficKind>> = {
  'gateway.networking.k8s.io/httproutes': 'HTTPRoute',
  '/services': 'Service',
  'discovery.k8s.io/endpointslices': 'EndpointSlice',
  '/pods': 'Pod',
  'apps/replicasets': 'ReplicaSet',
  'apps/deployments': 'Deployment',
  'rollouts.kruise.io/rollouts': 'Rollout',
};

export interface JudgedOptions {
  readonly seed: number;
  /** How late a copy is, at most, in milliseconds. Never later than the grace period. */
  readonly lagMs: number;
  /** How long a Pod serves after its deletion, in milliseconds. */
  readonly preStopMs: number;
}

/** Three proxies watch the world from now on. */
export function judged(world: World, { seed, ...options }: JudgedOptions): { judge: TrafficJudge; end: () => void } {
  const judge = new TrafficJudge({ ...options, name: NAME, rollout: ROLLOUT, count: 3, random: randomOf(seed) });
  const see = ({ collection, type, object }: Pick<Change, 'collection' | 'type' | 'object'>): void => {
    const kind = KINDS[collection];
    if (kind !== undefined) judge.see({ kind, type, object, at: world.now });
  };
  for (const collection of Object.keys(KINDS))
    for (const object of world.virtual.cluster.store.list(collection, 'default'))
      see({ collection, type: 'ADDED', object });
  return { judge, end: world.virtual.observe(see) };
}
