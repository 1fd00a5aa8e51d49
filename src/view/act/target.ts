// What an action is about, and whether a release is in a state for it. It loads nothing of the step machine, so that help is printed quickly.
import { ROLLOUT_RESOURCE } from '../../api/keys.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { ownerOf } from '../../engine/release/governing-rollout.ts';
import { resourceOf } from '../reference.ts';
import { isUnreported, messageOf, stateOf } from '../state.ts';
import { Refusal } from './refusal.ts';

export interface Target {
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
}

/** Returns the status of the release. Throws Refusal if no release is in progress. */
export function inRelease(target: Target, verb: string): NonNullable<Rollout['status']>['canaryStatus'] & object {
  const { rollout, deployment } = target;
  const name = rollout.metadata.name;
  if (deployment && isUnreported(rollout, deployment))
    throw new Refusal(
      `cannot ${verb}: the operator has not reported the new release of ${name} yet; try again in a moment. ` +
        'If this persists: kubectl tranche doctor',
    );
  const status = rollout.status?.canaryStatus;
  if (rollout.status?.phase !== 'Progressing' || !status)
    throw new Refusal(`cannot ${verb}: no release of ${name} is in progress (${standing(target)})`);
  return status;
}

/** Like inRelease. Also throws if all steps are done and the native controller finishes the release. */
export function inSteps(target: Target, verb: string): ReturnType<typeof inRelease> {
  const status = inRelease(target, verb);
  const state = stateOf(target.rollout, target.deployment);
  if (state === 'Finishing' || state === 'RollingBack' || status.currentStepState === 'Completed')
    throw new Refusal(
      `cannot ${verb}: ${target.rollout.metadata.name} is ${state === 'RollingBack' ? 'rolling back' : 'finishing'}: ${target.rollout.status?.message}`,
    );
  return status;
}

/** How to resume the release if it is paused; otherwise empty. */
export const whileFrozen = ({ rollout, deployment }: Target): string =>
  stateOf(rollout, deployment) === 'Paused' ? `; it is paused, resume it with: ${commandFor('resume', rollout)}` : '';

/** `kubectl tranche jump web 2 -n shop` */
export const commandFor = (command: string, rollout: Rollout, ...args: readonly string[]): string =>
  `kubectl tranche ${[command, rollout.metadata.name, ...args].join(' ')}${namespaceFlag(rollout)}`;

export const follow = (rollout: Rollout): string => `follow it with: ${commandFor('status', rollout)} --watch`;

/** `Waiting: step 1/3 done: ...` */
export const standing = ({ rollout, deployment }: Target): string =>
  `${stateOf(rollout, deployment)}: ${messageOf(rollout) ?? 'no status yet'}`;

/** Throws Refusal if another Rollout governs the same workload: only that one is in effect. `all`: the Rollouts of the namespace. */
export function refuseRival({ metadata, spec }: Rollout, all: readonly Rollout[]): void {
  const resource = resourceOf({ spec });
  const owner = ownerOf(
    all.filter((one) => one.spec.workloadRef.name === spec.workloadRef.name && resourceOf(one) === resource),
  );
  if (owner === undefined || owner.metadata.name === metadata.name) return;
  throw new Refusal(
    `${resource.kind} "${spec.workloadRef.name}" is released by Rollout "${owner.metadata.name}"; "${metadata.name}" has no effect: ` +
      `delete it with: kubectl delete ${ROLLOUT_RESOURCE} ${metadata.name}${namespaceFlag({ metadata })}`,
  );
}

/** Throws Refusal if the Rollout is being deleted. */
export function refuseDeleted({ metadata }: Rollout, verb: string): void {
  if (metadata.deletionTimestamp !== undefined) throw new Refusal(`cannot ${verb}: ${metadata.name} is being deleted`);
}
