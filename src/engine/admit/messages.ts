// The sentences a user reads at the moment of an edit: what will happen to it, and how to go on.
import { ON_RESTART, ROLLOUT_RESOURCE, TRACEPARENT } from '../../api/keys.ts';
import type { CanaryStep, Deployment, HoldRecord, Rollout } from '../../api/types.ts';
import { replicasOf, stepTargets } from '../lib/replicas.ts';
import type { Settings } from '../workload/deployment/hold.ts';
import type { TemplateChange } from '../lib/template.ts';
import { namespaceFlag } from '../lib/text.ts';
import type { Violation } from '../validate/violation.ts';

const MAX_STEPS_SHOWN = 8;

const LIMITS: ReadonlySet<string> = new Set<keyof Settings>(['maxSurge', 'maxUnavailable']);
const FIELD_NAMES: Readonly<Record<keyof Settings, string>> = {
  paused: 'spec.paused',
  maxSurge: 'spec.strategy.rollingUpdate.maxSurge',
  maxUnavailable: 'spec.strategy.rollingUpdate.maxUnavailable',
  minReadySeconds: 'spec.minReadySeconds',
  progressDeadlineSeconds: 'spec.progressDeadlineSeconds',
};

/** A release begins. */
export const released = (rollout: Rollout, next: Deployment, change: TemplateChange): string =>
  change === 'Restart'
    ? `tranche: ${nameOf(rollout)} restarts the Pods in ${plan(rollout, next, restartMode(rollout) !== 'Batches')}`
    : `tranche: ${nameOf(rollout)} releases this in ${plan(rollout, next, true)}`;

/** A newer version in the middle of a release. */
export const superseded = (rollout: Rollout, next: Deployment, change: TemplateChange): string =>
  `tranche: ${nameOf(rollout)} gives up the version before and ${change === 'Restart' ? 'restarts the Pods' : 'releases this'} ` +
  `from step 1, in ${plan(rollout, next, true)}; ${wayBack(rollout, next)}`;

/** It is not the version before the release: what is, is put back by that. Nobody can put back what no ReplicaSet keeps. */
const wayBack = (rollout: Rollout, next: Deployment): string =>
  next.spec.revisionHistoryLimit === 0
    ? 'to go back to the version before the release, apply its manifest'
    : `to go back to the version before the release: kubectl tranche undo ${nameOf(rollout)}${namespaceFlag(rollout)}`;

export const rolledBack = (held: HoldRecord, next: Deployment, paused: boolean): string =>
  paused
    ? `tranche: this is the version before the release: ${held.rollout} cancels it, but ${nameOf(next)} stays paused as you set it; ` +
      `roll back with: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`
    : `tranche: this is the version before the release: ${held.rollout} cancels it and rolls back at once, not in steps`;

/** The abandoned version's Pods carry marks that the operator must take off first. */
export const rollsBackLater = (held: HoldRecord): string =>
  `tranche: this is the version before the release: ${held.rollout} cancels it and rolls back in a moment, not in steps`;

export const freed = (held: HoldRecord, next: Deployment): string =>
  `tranche: ${held.rollout} does not govern ${nameOf(next)} any more: it goes on as a normal rolling update, without steps`;

/** A newer version of a Deployment that is still held, while its Rollout is off or gone. */
export const heldByNobody = (held: HoldRecord, next: Deployment): string =>
  `tranche: ${nameOf(next)} is still held, and ${held.rollout} does not release it any more; ` +
  `release it without steps with: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`;

/** A template change that nobody will take through steps, because its Rollout is off. */
export const standsAside = (rollout: Rollout, next: Deployment): string =>
  `tranche: ${nameOf(rollout)} is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}: ` +
  `${nameOf(next)} changes all its Pods in a normal rolling update, without steps`;

/** Why a template change under an active Rollout goes out without steps; undefined when it does not. */
export const bypassReason = (rollout: Rollout, next: Deployment, change: TemplateChange): string | undefined => {
  const withoutSteps = `${nameOf(rollout)} cannot release this in steps:`;
  if (next.spec.strategy?.type === 'Recreate') {
    return `tranche: ${withoutSteps} the strategy of ${nameOf(next)} is Recreate, which replaces all Pods at once; write RollingUpdate`;
  }
  if (replicasOf(next) === 0) return `tranche: ${withoutSteps} ${nameOf(next)} has no Pods`;
  if ((rollout.spec.strategy.canary?.steps ?? []).length === 0) {
    return `tranche: ${withoutSteps} it has no spec.strategy.canary.steps`;
  }
  if (change === 'Restart' && restartMode(rollout) === 'Native') {
    return `tranche: ${nameOf(next)} restarts in a normal rolling update, as the annotation ${ON_RESTART} of ${nameOf(rollout)} says`;
  }
  return undefined;
};

/** A new template of a Deployment that OpenKruise left in the middle of a release. */
export const leftBehind = (rollout: Rollout, next: Deployment): string =>
  `tranche: OpenKruise Rollouts left ${nameOf(next)} in the middle of a release: this starts nothing until it is taken over, and then ` +
  `${nameOf(rollout)} releases it in steps; take it over with: kubectl tranche takeover ${nameOf(next)}${namespaceFlag(next)}`;

export const unpausingRefusal = (next: Deployment): Violation => ({
  field: 'spec.paused',
  value: next.spec.paused ?? null,
  reason: 'would end all Pods at once: OpenKruise Rollouts has left this Deployment with strategy Recreate',
  remedy: `take it over with: kubectl tranche takeover ${nameOf(next)}${namespaceFlag(next)}, or write strategy RollingUpdate in the same change`,
});

/** At rest the strategy is the user's; with this one no release can be held. */
export const recreates = (rollout: Rollout, old: Deployment, next: Deployment): string[] =>
  next.spec.strategy?.type === 'Recreate' && old.spec.strategy?.type !== 'Recreate'
    ? [
        `tranche: with the strategy Recreate ${nameOf(rollout)} releases nothing in steps: the next change of ${nameOf(next)} replaces ` +
          'all Pods at once; write RollingUpdate',
      ]
    : [];

/** Edits beside the release that are noted but not in force yet. */
export const kept = (
  held: HoldRecord,
  next: Deployment,
  edits: readonly string[],
  { unpaused, marked, paused }: { readonly unpaused: boolean; readonly marked: boolean; readonly paused: boolean },
): readonly string[] => {
  const others = edits
    .filter((field) => LIMITS.has(field) || (marked && field !== 'paused'))
    .map((field) => FIELD_NAMES[field as keyof Settings]);
  const sentences: string[] = [];
  if (unpaused) {
    sentences.push(
      paused
        ? `tranche: ${held.rollout} goes on with its steps`
        : `tranche: ${nameOf(next)} stays held: ${held.rollout} releases it in steps; ` +
            `approve with: kubectl tranche approve ${held.rollout}${namespaceFlag(next)}; ` +
            `go back with: kubectl tranche undo ${held.rollout}${namespaceFlag(next)}, ` +
            `or kubectl-kruise rollout undo ${ROLLOUT_RESOURCE}/${held.rollout}${namespaceFlag(next)}`,
    );
  }
  if (edits.includes('paused') && next.spec.paused === true) {
    sentences.push(
      `tranche: ${held.rollout} stops where it is; go on with: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`,
    );
  }
  if (others.length > 0) {
    sentences.push(`tranche: ${others.join(', ')} noted: ${held.rollout} puts it in place when the release ends`);
  }
  return sentences;
};

export const strategyTypeRefusal = (held: HoldRecord, next: Deployment): Violation => ({
  field: 'spec.strategy.type',
  value: next.spec.strategy?.type,
  reason: `would replace all Pods at once: Rollout ${held.rollout} is releasing this Deployment in steps`,
  remedy: 'keep RollingUpdate, or finish or roll back the release first',
});

const nameOf = (object: Rollout | Deployment): string => object.metadata.name;
const restartMode = (rollout: Rollout): string | undefined => rollout.metadata.annotations?.[ON_RESTART];

/** `3 steps: 1 → 5 → 10 of 10 Pods; step 1 waits for approval; approve with: …` */
const plan = (rollout: Rollout, next: Deployment, withApproval: boolean): string => {
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const replicas = replicasOf(next);
  const targets = stepTargets(steps, replicas);
  const parts = [
    `${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${list(targets)} of ${replicas} Pods`,
    ...(steps[0] === undefined || targets[0]! >= replicas ? [] : [wait(steps[0], withApproval)]),
    ...(replicas === 1 && steps.length > 1 ? ['step 1 replaces the only Pod'] : []),
    ...((targets.at(-1) ?? 0) < replicas ? ['after the last step the rest follows at once'] : []),
  ];
  if (withApproval && steps.some((step, i) => waitsForApproval(step) && targets[i]! < replicas)) {
    parts.push(`approve with: kubectl tranche approve ${nameOf(rollout)}${namespaceFlag(rollout)}`);
  }
  return parts.join('; ');
};

const list = (targets: readonly number[]): string =>
  targets.length <= MAX_STEPS_SHOWN
    ? targets.join(' → ')
    : [...targets.slice(0, MAX_STEPS_SHOWN - 2), '…', targets.at(-1)].join(' → ');

const waitsForApproval = (step: CanaryStep): boolean => step.pause?.duration === undefined;

const wait = (step: CanaryStep, withApproval: boolean): string => {
  if (waitsForApproval(step)) return withApproval ? 'step 1 waits for approval' : 'no step waits for approval';
  return step.pause?.duration === 0 ? 'step 1 does not wait' : `step 1 waits ${step.pause?.duration}s`;
};

export const noTraceparent = (value: string): string =>
  `tranche: metadata.annotations[${TRACEPARENT}] "${value.slice(0, 80)}" is no W3C traceparent, so the release is a trace of its own: write 00-TRACE-SPAN-01 with 32 and 16 hex digits in lower case`;
