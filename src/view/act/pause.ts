// The pause of a release, and its end.
import { kindFor } from '../facts.ts';
import { messageOf, stateOf } from '../state.ts';
import { commandFor, refuseDeleted, type Target } from './target.ts';
import { patchSpec, unpause, type Write } from './write.ts';

export interface Pausing {
  /** Empty: there is nothing to do. In this order: the last one is about the Rollout, if there is one about it. */
  readonly writes: readonly Write[];
  readonly says: string;
}

/** Throws Refusal. */
export function pause({ rollout, deployment }: Target): Pausing {
  refuseDeleted(rollout, 'pause');
  const { name } = rollout.metadata;
  const resume = commandFor('resume', rollout);
  if (rollout.spec.strategy.paused === true)
    return { writes: [], says: `${name} is already paused; to resume it: ${resume}` };
  const what =
    rollout.status?.phase === 'Progressing'
      ? 'no more Pods are replaced and no timer runs'
      : stateOf(rollout, deployment) === 'Disabled'
        ? 'it is disabled; after it is enabled, the next change is held at its first step'
        : 'no release is in progress; the next change is held at its first step';
  return {
    writes: [patchSpec(rollout, { strategy: { paused: true } })],
    says: `${name} is paused: ${what}; to resume it: ${resume}`,
  };
}

/** Throws Refusal. */
export function resume({ rollout, deployment }: Target): Pausing {
  refuseDeleted(rollout, 'resume');
  const { name } = rollout.metadata;
  const byRollout = rollout.spec.strategy.paused === true;
  const kind = kindFor(rollout);
  const held = deployment && kind.readHold(deployment);
  const paused = held && kind.isPaused(held) ? deployment : undefined;
  if (!byRollout && !paused)
    return { writes: [], says: `${name} is not paused; ${messageOf(rollout) ?? 'no status yet'}` };
  return {
    writes: [
      ...(paused ? [unpause(kind, paused)] : []),
      ...(byRollout ? [patchSpec(rollout, { strategy: { paused: false } })] : []),
    ],
    says: `${paused ? `${name} and its ${kind.resource.kind} are resumed` : `${name} is resumed`}; a step that waits for approval still waits`,
  };
}
