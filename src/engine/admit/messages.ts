// Warnings and refusals for an edit of a workload: what happens, and how to continue.
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

/** A release starts. */
export const released = (rollout: Rollout, next: Deployment, change: TemplateChange): string =>
  change === 'Restart'
    ? `tranche: Rollout ${nameOf(rollout)} restarts the Pods in ${plan(rollout, next, restartMode(rollout) !== 'Batches')}`
    : `tranche: Rollout ${nameOf(rollout)} releases this in ${plan(rollout, next, true)}`;

/** A newer version during a release. */
export const superseded = (rollout: Rollout, next: Deployment, change: TemplateChange): string =>
  `tranche: Rollout ${nameOf(rollout)} replaces its current release and ${change === 'Restart' ? 'restarts the Pods' : 'releases this'} ` +
  `from step 1, in ${plan(rollout, next, true)}; ${wayBack(rollout, next)}`;

/** How to return to the stable version. Without old ReplicaSets only its manifest can restore it. */
const wayBack = (rollout: Rollout, next: Deployment): string =>
  next.spec.revisionHistoryLimit === 0
    ? 'to roll back, apply the manifest of the stable version'
    : `to roll back to the stable version: kubectl tranche undo ${nameOf(rollout)}${namespaceFlag(rollout)}`;

export const rolledBack = (held: HoldRecord, next: Deployment, paused: boolean): string =>
  paused
    ? `tranche: this is the stable version: Rollout ${held.rollout} cancels the release, but Deployment ${nameOf(next)} stays paused, as you set it; ` +
      `to roll back: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`
    : `tranche: this is the stable version: Rollout ${held.rollout} cancels the release and rolls back at once, without steps`;

/** The operator must first remove the marks of an abandoned version. */
export const rollsBackLater = (held: HoldRecord): string =>
  `tranche: this is the stable version: Rollout ${held.rollout} cancels the release and rolls back shortly, without steps`;

export const freed = (held: HoldRecord, next: Deployment): string =>
  `tranche: Rollout ${held.rollout} no longer governs Deployment ${nameOf(next)}, which continues as a normal rolling update, without steps`;

/** A newer version of a Deployment that is still held, while its Rollout is disabled or deleted. */
export const stillHeld = (held: HoldRecord, next: Deployment): string =>
  `tranche: Deployment ${nameOf(next)} is still held, but Rollout ${held.rollout} no longer releases it; ` +
  `to update it without steps: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`;

/** A template change without steps, because the Rollout is disabled or being deleted. */
export const standsAside = (rollout: Rollout, next: Deployment): string =>
  `tranche: Rollout ${nameOf(rollout)} is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}: ` +
  `Deployment ${nameOf(next)} updates all Pods in a normal rolling update, without steps`;

/** Why a template change under an active Rollout is rolled out without steps. Undefined if it goes through steps. */
export const bypassReason = (rollout: Rollout, next: Deployment, change: TemplateChange): string | undefined => {
  const withoutSteps = `Rollout ${nameOf(rollout)} cannot release this in steps:`;
  if (next.spec.strategy?.type === 'Recreate') {
    return `tranche: ${withoutSteps} Deployment ${nameOf(next)} has strategy Recreate, which replaces all Pods at the same time; write RollingUpdate`;
  }
  if (replicasOf(next) === 0) return `tranche: ${withoutSteps} Deployment ${nameOf(next)} has 0 replicas`;
  if ((rollout.spec.strategy.canary?.steps ?? []).length === 0) {
    return `tranche: ${withoutSteps} it has no spec.strategy.canary.steps`;
  }
  if (change === 'Restart' && restartMode(rollout) === 'Native') {
    return `tranche: Deployment ${nameOf(next)} restarts in a normal rolling update, because Rollout ${nameOf(rollout)} has the annotation ${ON_RESTART}=Native`;
  }
  return undefined;
};

/** A new template of a Deployment with an unfinished release of OpenKruise. */
export const leftBehind = (rollout: Rollout, next: Deployment): string =>
  `tranche: Deployment ${nameOf(next)} has an unfinished release of OpenKruise Rollouts: Rollout ${nameOf(rollout)} releases this in steps after a takeover; ` +
  `take it over with: kubectl tranche takeover ${nameOf(next)}${namespaceFlag(next)}`;

export const unpausingRefusal = (next: Deployment): Violation => ({
  field: 'spec.paused',
  value: next.spec.paused ?? null,
  type: 'Forbidden',
  reason:
    'resuming would delete all Pods at the same time, because OpenKruise Rollouts left strategy Recreate on this Deployment',
  remedy: `take it over with: kubectl tranche takeover ${nameOf(next)}${namespaceFlag(next)}, or write strategy RollingUpdate in the same change`,
});

/** Outside a release the user may set any strategy, but a Deployment with strategy Recreate cannot be released in steps. */
export const recreates = (rollout: Rollout, old: Deployment, next: Deployment): string[] =>
  next.spec.strategy?.type === 'Recreate' && old.spec.strategy?.type !== 'Recreate'
    ? [
        `tranche: with strategy Recreate, Rollout ${nameOf(rollout)} cannot release Deployment ${nameOf(next)} in steps: the next change replaces all Pods at the same time; ` +
          'write RollingUpdate',
      ]
    : [];

/** Edits during a release that are recorded but not applied yet. */
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
        ? `tranche: Rollout ${held.rollout} continues with its steps`
        : `tranche: Deployment ${nameOf(next)} stays held: Rollout ${held.rollout} releases it in steps; ` +
            `approve with: kubectl tranche approve ${held.rollout}${namespaceFlag(next)}; ` +
            `roll back with: kubectl tranche undo ${held.rollout}${namespaceFlag(next)}, ` +
            `or kubectl-kruise rollout undo ${ROLLOUT_RESOURCE}/${held.rollout}${namespaceFlag(next)}`,
    );
  }
  if (edits.includes('paused') && next.spec.paused === true) {
    sentences.push(
      `tranche: Rollout ${held.rollout} pauses its release; continue with: kubectl rollout resume deployment/${nameOf(next)}${namespaceFlag(next)}`,
    );
  }
  if (others.length > 0) {
    sentences.push(
      `tranche: ${others.join(', ')} recorded: Rollout ${held.rollout} applies the new value when the release ends`,
    );
  }
  return sentences;
};

export const strategyTypeRefusal = (held: HoldRecord, next: Deployment): Violation => ({
  field: 'spec.strategy.type',
  value: next.spec.strategy?.type,
  type: 'Forbidden',
  reason: `cannot change while Rollout ${held.rollout} releases this Deployment in steps`,
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
    ...((targets.at(-1) ?? 0) < replicas
      ? ['after the last step, the remaining Pods are updated in a rolling update']
      : []),
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
  `tranche: metadata.annotations[${TRACEPARENT}]: Invalid value: "${value.slice(0, 80)}": must be a W3C traceparent, so the release starts a new trace; ` +
  'write 00-TRACE-SPAN-01 with 32 and 16 lower-case hex digits';
