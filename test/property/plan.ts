// A random history as data: what a Deployment is like, and what people and bad luck do to it. One seed, one plan.
import type { CanaryStep, IntOrString, RollbackWindow } from '../../src/api/types.ts';

export type Action =
  | { readonly do: 'release'; readonly broken: boolean }
  | { readonly do: 'rollback' }
  | { readonly do: 'approve' }
  /** So many versions back, whatever became of that version. */
  | { readonly do: 'back'; readonly by: number }
  | { readonly do: 'scale'; readonly by: number }
  | { readonly do: 'settings'; readonly maxSurge: IntOrString; readonly maxUnavailable: IntOrString }
  | { readonly do: 'pause' }
  | { readonly do: 'jump'; readonly to: number }
  | { readonly do: 'kill' }
  | { readonly do: 'crash' }
  | { readonly do: 'noWebhook'; readonly forMs: number }
  /** The Rollout is deleted, or disabled, and so long afterwards made anew, or enabled. */
  | { readonly do: 'delete'; readonly forMs: number }
  | { readonly do: 'disable'; readonly forMs: number }
  /** The Deployment is deleted without its ReplicaSets, and so long afterwards made anew. */
  | { readonly do: 'remake'; readonly forMs: number };

export interface Plan {
  readonly seed: number;
  readonly replicas: number;
  readonly maxSurge: IntOrString;
  readonly maxUnavailable: IntOrString;
  readonly minReadySeconds: number;
  readonly steps: readonly CanaryStep[];
  readonly rollbackWindow?: RollbackWindow;
  /** What happens, and how long before it. */
  readonly actions: readonly { readonly afterMs: number; readonly action: Action }[];
  /** Each request, and each line of a watch, meets with trouble this often. */
  readonly trouble: number;
  /** How it ends. */
  readonly ending: 'complete' | 'rollback' | 'delete' | 'disable';
}

/** mulberry32: numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = (seed ^ 0x51ed270b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const STEPS: readonly (readonly CanaryStep[])[] = [
  [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }],
  [{ replicas: '20%' }, { replicas: '60%', pause: { duration: 5 } }, { replicas: '100%' }],
  [{ replicas: 2 }, { replicas: 4 }, { replicas: 6 }],
  [{ replicas: '30%', pause: { duration: 0 } }, { replicas: '100%' }],
  [{ replicas: '50%' }],
];
const SURGES: readonly IntOrString[] = ['25%', 0, 1, '50%', '100%', 2];
const UNAVAILABLES: readonly IntOrString[] = ['25%', 0, 1, '50%', 2];

export function planOf(seed: number): Plan {
  const random = randomOf(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const limits = (): { maxSurge: IntOrString; maxUnavailable: IntOrString } => {
    const maxSurge = oneOf(SURGES);
    const maxUnavailable = oneOf(UNAVAILABLES);
    return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
  };
  const action = (): Action => {
    const dice = below(100);
    if (dice < 36) return { do: 'approve' };
    if (dice < 38) return { do: 'delete', forMs: below(4000) };
    if (dice < 40) return { do: 'disable', forMs: below(4000) };
    if (dice < 52) return { do: 'release', broken: random() < 0.4 };
    if (dice < 58) return { do: 'rollback' };
    if (dice < 72) return { do: 'scale', by: (random() < 0.5 ? -1 : 1) * (1 + below(5)) };
    if (dice < 77) return { do: 'settings', ...limits() };
    if (dice < 82) return { do: 'pause' };
    if (dice < 85) return { do: 'jump', to: 1 + below(3) };
    if (dice < 89) return { do: 'kill' };
    if (dice < 96) return { do: 'crash' };
    return { do: 'noWebhook', forMs: 500 + below(4000) };
  };
  const count = 4 + below(6);
  const actions = [
    { afterMs: 0, action: { do: 'release', broken: random() < 0.25 } as Action },
    ...Array.from({ length: count }, () => ({ afterMs: random() < 0.5 ? 200 + below(1500) : 4000, action: action() })),
  ];
  const window = windowOf(seed);
  return {
    seed,
    replicas: 1 + below(12),
    ...limits(),
    minReadySeconds: oneOf([0, 0, 2, 30]),
    steps: withoutWaits(seed, oneOf(STEPS)),
    actions: withRemake(seed, window ? goingBack(actions, window.random) : actions),
    ...(window && { rollbackWindow: window.rollbackWindow }),
    trouble: oneOf([0, 0.02, 0.06]),
    ending: oneOf(['complete', 'complete', 'complete', 'rollback', 'delete', 'disable']),
  };
}

/** In every thirteenth history, the Deployment is made anew. */
function withRemake(seed: number, actions: Plan['actions']): Plan['actions'] {
  if (seed % 13 !== 11) return actions;
  const random = randomOf(seed ^ 0x72656d61);
  const at = 1 + Math.floor(random() * actions.length);
  const afterMs = 200 + Math.floor(random() * 6000);
  return actions.toSpliced(at, 0, { afterMs, action: { do: 'remake', forMs: Math.floor(random() ** 2 * 3000) } });
}

/** In three of seven histories, some steps do not wait. From random numbers of their own: the others stay as they were. */
function withoutWaits(seed: number, steps: readonly CanaryStep[]): readonly CanaryStep[] {
  if (![1, 3, 5].includes(seed % 7)) return steps;
  const random = randomOf(seed ^ 0x3c6ef372);
  return steps.map((step, i) => (i < steps.length - 1 && random() < 0.7 ? { ...step, pause: { duration: 0 } } : step));
}

const WINDOWS: readonly RollbackWindow[] = [
  { revisions: 1 },
  { revisions: 10 },
  { seconds: 8 },
  { revisions: 2, seconds: 60 },
];

/** Every third history has a window, from random numbers of its own: the others stay as they were. */
function windowOf(
  seed: number,
): { readonly rollbackWindow: RollbackWindow; readonly random: () => number } | undefined {
  if (seed % 3 !== 1) return undefined;
  const random = randomOf(seed ^ 0x1b873593);
  return { rollbackWindow: WINDOWS[Math.floor(random() * WINDOWS.length)]!, random };
}

/** More approvals, so that releases end, and changes back in between. */
const goingBack = (actions: Plan['actions'], random: () => number): Plan['actions'] =>
  actions.flatMap((one, i): Plan['actions'] => {
    const dice = random();
    const approve = { afterMs: 4000, action: { do: 'approve' } } as const;
    if (i === 0) return [one, approve, approve, approve];
    if (dice < 0.4)
      return [
        one,
        { afterMs: 300 + Math.floor(random() * 6000), action: { do: 'back', by: 1 + Math.floor(random() * 3) } },
      ];
    return dice < 0.7 ? [one, approve, approve] : [one];
  });
