// Parts of releases for tests of the page: Pods, batches and actions.
import type {
  ActionName,
  ActionView,
  Batch,
  Dots,
  PodDot,
  PodState,
  PodVersion,
} from '../../src/view/dashboard/types.ts';
import { ago } from './fixtures.ts';

export const dotsOf = (...pods: readonly (readonly [PodVersion, PodState, string?])[]): Dots => {
  const counts = { missing: 0, starting: 0, ready: 0, available: 0, failing: 0, leaving: 0 };
  const all = pods.map(([version, state, why], i): PodDot => {
    counts[state] += 1;
    const name = `web-${version === 'new' ? '6b8f4' : '5d4fc'}-${'bcdfghjklm'[i % 10]}${i}x7q`;
    return {
      ...(state !== 'missing' && { name, node: `n${i % 3}`, createdAt: ago(5) }),
      ...{ version, state },
      ...(why !== undefined && { why }),
      ...(why === 'CrashLoopBackOff' && { restarts: 7 }),
    };
  });
  return { pods: all, leftOut: 0, counts };
};
export const times = (
  count: number,
  version: PodVersion,
  state: PodState,
  why?: string,
): [PodVersion, PodState, string?][] =>
  Array.from({ length: count }, () => (why === undefined ? [version, state] : [version, state, why]));

export const batch = (
  step: number | undefined,
  label: string,
  progress: Batch['progress'],
  dots: Dots,
  updated: number,
  then?: string,
): Batch => ({
  ...(step !== undefined && { step }),
  ...{ label, progress, size: dots.pods.length, updated, dots },
  ...(then !== undefined && { then }),
});

const LABELS: Readonly<Record<ActionName, readonly [label: string, why: string]>> = {
  approve: ['Approve step 2', 'no step waits for approval'],
  pause: ['Pause', 'it is paused already: resume it instead'],
  resume: ['Resume', 'it is not paused'],
  jump: ['Jump to a step', 'no release is in progress'],
  finish: ['Finish', 'no release is in progress'],
  retry: ['Retry', 'no release is stalled or was rolled back'],
  undo: ['Undo', 'no object has an earlier version'],
  abort: ['Abort', 'no release is in progress: to go back to an earlier version, use undo'],
};

export const actionsOf = (
  name: string,
  possible: readonly ActionName[],
  more: Partial<Record<ActionName, Partial<ActionView>>> = {},
): ActionView[] =>
  (Object.keys(LABELS) as ActionName[]).map((action) => {
    const [label, why] = LABELS[action];
    const command = `kubectl tranche ${action} ${name} -n shop${action === 'approve' ? ' --step 2' : ''}`;
    const is = possible.includes(action);
    return {
      ...{ name: action, label, possible: is, command, version: 'v1' },
      confirm: action === 'finish' || action === 'abort' ? 'type' : 'ask',
      danger: action === 'finish' || action === 'abort',
      ...(is ? { says: `${label}: this happens`, verdict: { allowed: true, warnings: [] } } : { why }),
      ...more[action],
    };
  });

export const STEPS = [1, 2, 3, 4].map((value) => ({
  value,
  label: `step ${value}`,
  says: `web continues with step ${value}: ${[1, 5, 8, 10][value - 1]} of 10 Pods, then it waits for approval`,
  command: `kubectl tranche jump web ${value} -n shop`,
}));
