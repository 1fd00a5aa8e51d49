// What happens in a random history of a release that routes requests: its route, its steps, and what people do.
import type { RouteRule } from '../../src/api/traffic.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { NAME } from '../operator/world.ts';
import { randomOf } from './plan.ts';

export type TrafficAction =
  | { readonly do: 'release'; readonly broken: boolean }
  /** git: the user's manifest is applied, with a change. edit: the same change, in the route as it is. */
  | { readonly do: 'rollback' | 'approve' | 'crash' | 'kill' | 'pause' | 'git' | 'edit' }
  | { readonly do: 'scale'; readonly to: number };

export interface TrafficPlan {
  readonly seed: number;
  readonly replicas: number;
  readonly steps: readonly CanaryStep[];
  readonly rules: readonly RouteRule[];
  /** The user's limits. Absent: 25 % each. */
  readonly budget?: { readonly maxSurge: number; readonly maxUnavailable: number };
  readonly actions: readonly { readonly afterMs: number; readonly action: TrafficAction }[];
  /** Each request, and each line of a watch, meets with trouble this often. */
  readonly trouble: number;
  readonly ending: 'complete' | 'rollback' | 'delete' | 'disable';
}

const SHARED: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 1, traffic: '30%' }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }],
  [
    { replicas: '20%', traffic: '40%' },
    { replicas: '60%', traffic: '80%', pause: { duration: 5 } },
    { replicas: '100%' },
  ],
  [{ replicas: '30%', traffic: '60%', pause: { duration: 0 } }, { replicas: '100%' }],
  [{ replicas: 2 }, { replicas: 3, traffic: '70%' }, { replicas: '100%' }],
];
const APART: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 2, traffic: '5%' }, { replicas: '50%', traffic: '30%' }, { replicas: '100%' }],
  [
    { replicas: '20%', matches: [{ headers: [{ name: 'x-user', value: 'a' }] }] },
    { replicas: '50%' },
    { replicas: '100%' },
  ],
  [
    { replicas: 1, matches: [{ headers: [{ name: 'x-user', value: 'a' }] }] },
    { replicas: '40%', traffic: '20%', pause: { duration: 5 } },
    { replicas: '100%' },
  ],
  [{ replicas: '60%', traffic: '40%' }, { replicas: '80%', traffic: '50%' }, { replicas: '100%' }],
  [{ replicas: '20%' }, { replicas: '40%', traffic: '20%' }, { replicas: '100%' }],
];
const BUDGETS = [undefined, undefined, { maxSurge: 1, maxUnavailable: 0 }, { maxSurge: 1, maxUnavailable: 1 }];
const FOREIGN: RouteRule = {
  backendRefs: [
    { name: NAME, port: 80, weight: 3 },
    { name: 'other', port: 80, weight: 1 },
  ],
};
const RULES: readonly (readonly RouteRule[])[] = [
  [{ backendRefs: [{ name: NAME, port: 80 }] }],
  [
    { matches: [{ path: { type: 'PathPrefix', value: '/a' } }], ...FOREIGN },
    { backendRefs: [{ name: NAME, port: 80, weight: 7 }] },
  ],
];

export function trafficPlanOf(seed: number, mode?: 'Shared' | 'Apart'): TrafficPlan {
  const random = randomOf(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const action = (): TrafficAction => {
    const dice = below(100);
    if (dice < 40) return { do: 'approve' };
    if (dice < 58) return { do: 'release', broken: random() < 0.3 };
    if (dice < 68) return { do: 'rollback' };
    if (dice < 76) return { do: 'scale', to: 4 + below(9) };
    if (dice < 88) return { do: 'crash' };
    if (dice < 92) return { do: 'kill' };
    if (dice < 95) return { do: 'git' };
    if (dice < 97) return { do: 'edit' };
    return { do: 'pause' };
  };
  const shared = mode === undefined ? random() < 0.6 : mode === 'Shared';
  return {
    seed,
    replicas: 5 + below(6),
    steps: oneOf(shared ? SHARED : APART),
    rules: oneOf(RULES),
    actions: Array.from({ length: 4 + below(10) }, () => ({ afterMs: below(15_000), action: action() })),
    trouble: oneOf([0, 0.02, 0.1]),
    ending: oneOf(['complete', 'complete', 'rollback', 'delete', 'disable'] as const),
    ...budgetOf(oneOf(BUDGETS)),
  };
}

const budgetOf = (budget: TrafficPlan['budget']): Pick<TrafficPlan, 'budget'> => (budget ? { budget } : {});
