// Warnings and refusals for an edit of a workload: what happens, and how to continue.
import { ON_RESTART, ROLLOUT_RESOURCE, TRACEPARENT } from '../../api/keys.ts';
import type { CanaryStep, Deployment, HoldRecord, Rollout } from '../../api/types.ts';
import { isEmpty, replicasOf, stepTargets } from '../lib/replicas.ts';
import type { Grant } from '../release/completed.ts';
import { describeStep, routingOf } from '../traffic/plan.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import type { TemplateChange } from '../lib/template.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { namespaceFlag, plural, pods, workloadArgument } from '../lib/text.ts';
import type { Violation } from '../validate/violation.ts';

const MAX_STEPS_SHOWN = 8;
/** The kind if the caller names none. */
const ANY: WorkloadKind = deploymentKind;

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

export const rolledBack = (held: HoldRecord, next: Deployment, paused: boolean, kind = ANY): string =>
  paused
    ? `tranche: this is the stable version: Rollout ${held.rollout} cancels the release, but ${named(kind, next)} stays paused, as you set it; ` +
      `to roll back: ${kind.words.resume(next)}`
    : `tranche: this is the stable version: Rollout ${held.rollout} cancels the release and rolls back immediately, without steps`;

/** A version that was completed before. */
export const restored = (rollout: Rollout, next: Deployment, grant: Grant, paused: boolean, kind = ANY): string =>
  `tranche: this version was completed before: Rollout ${nameOf(rollout)} restores it immediately, without steps ` +
  `(${grant === 'Window' ? 'spec.strategy.canary.rollbackWindow' : 'approved with kubectl tranche undo --now'})` +
  (paused ? `, but ${named(kind, next)} stays paused, as you set it` : '');

/** A version that was completed before goes through the steps. */
export const backAtOnce = (rollout: Rollout, next: Deployment): string =>
  `tranche: this version was completed before; to restore it immediately, without steps: kubectl tranche undo ${nameOf(rollout)} --now${namespaceFlag(next)}; ` +
  (rollout.spec.strategy.canary?.rollbackWindow === undefined
    ? 'to allow this for later changes, set spec.strategy.canary.rollbackWindow of the Rollout'
    : 'it is outside spec.strategy.canary.rollbackWindow, or outside what a policy allows');

/** The operator must first take requests away from the new version, or remove the marks of an abandoned version. */
export const rollsBackLater = (held: HoldRecord, routed = false): string =>
  routed
    ? `tranche: this is the stable version: Rollout ${held.rollout} cancels the release: it sends all requests to the stable version first, and then rolls back without steps`
    : `tranche: this is the stable version: Rollout ${held.rollout} cancels the release and rolls back shortly, without steps`;

export const freed = (held: HoldRecord, next: Deployment, kind = ANY): string =>
  `tranche: Rollout ${held.rollout} no longer governs ${named(kind, next)}, which continues as a normal rolling update, without steps`;

/** A newer version of a workload that is still held, while its Rollout is disabled or deleted. */
export const stillHeld = (held: HoldRecord, next: Deployment, kind = ANY): string =>
  `tranche: ${named(kind, next)} is still held, but Rollout ${held.rollout} no longer releases it; ` +
  `to update it without steps: ${kind.words.resume(next)}`;

/** A template change without steps, because the Rollout is disabled or being deleted. */
export const standsAside = (rollout: Rollout, next: Deployment, kind = ANY): string =>
  `tranche: Rollout ${nameOf(rollout)} is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}: ` +
  `${named(kind, next)} updates all Pods in a normal rolling update, without steps`;

/** Why a template change under an active Rollout is rolled out without steps. Undefined if it goes through steps. */
export const bypassReason = (
  rollout: Rollout,
  next: Deployment,
  change: TemplateChange,
  kind = ANY,
): string | undefined => {
  const withoutSteps = `Rollout ${nameOf(rollout)} cannot release this in steps:`;
  const obstacle = kind.obstacle(next);
  if (obstacle !== undefined) {
    return `tranche: ${withoutSteps} ${named(kind, next)} has ${obstacle.strategy}, which ${obstacle.effect}; ${obstacle.remedy}`;
  }
  if (isEmpty(next)) return `tranche: ${withoutSteps} ${named(kind, next)} has 0 replicas`;
  if ((rollout.spec.strategy.canary?.steps ?? []).length === 0) {
    return `tranche: ${withoutSteps} it has no spec.strategy.canary.steps`;
  }
  if (change === 'Restart' && restartMode(rollout) === 'Native') {
    return `tranche: ${named(kind, next)} restarts in a normal rolling update, because Rollout ${nameOf(rollout)} has the annotation ${ON_RESTART}=Native`;
  }
  return undefined;
};

/** A new template of a workload with an unfinished release of OpenKruise. */
export const leftBehind = (rollout: Rollout, next: Deployment, kind = ANY): string =>
  `tranche: ${named(kind, next)} has an unfinished release of OpenKruise Rollouts: Rollout ${nameOf(rollout)} releases this in steps after a takeover; ` +
  `take it over with: kubectl tranche takeover ${workloadArgument(kind.resource, nameOf(next))}${namespaceFlag(next)}`;

export const unpausingRefusal = (next: Deployment): Violation => ({
  field: 'spec.paused',
  value: next.spec.paused ?? null,
  type: 'Forbidden',
  reason:
    'resuming would delete all Pods at the same time, because OpenKruise Rollouts left strategy Recreate on this Deployment',
  remedy: `take it over with: kubectl tranche takeover ${nameOf(next)}${namespaceFlag(next)}, or write strategy RollingUpdate in the same change`,
});

/** Outside a release the user may set any strategy, but with some of them, such as Recreate, there are no steps. */
export const recreates = (rollout: Rollout, old: Deployment, next: Deployment, kind = ANY): string[] => {
  const obstacle = kind.obstacle(next);
  return obstacle !== undefined && kind.obstacle(old) === undefined
    ? [
        `tranche: Rollout ${nameOf(rollout)} cannot release ${named(kind, next)} in steps: ${obstacle.strategy} ${obstacle.effect}; ${obstacle.remedy}`,
      ]
    : [];
};

interface KeptEdit {
  readonly unpaused: boolean;
  readonly marked: boolean;
  readonly paused: boolean;
  /** No Rollout governs the workload. */
  readonly ends: boolean;
}

/** Edits during a release that are recorded but not applied yet. */
export const kept = (
  held: HoldRecord,
  next: Deployment,
  edits: readonly string[],
  { unpaused, marked, paused, ends }: KeptEdit,
  kind = ANY,
): readonly string[] => {
  const { recorded, fields, pausedBy, resume } = kind.words;
  const pauses = edits.includes(pausedBy) && kind.isPausedBy(kind.borrowed(next));
  const others = edits
    .filter((field) => (recorded.has(field) && !(pauses && field === pausedBy)) || (marked && field !== pausedBy))
    .map((field) => fields[field]);
  const sentences: string[] = [];
  if (unpaused && ends) {
    sentences.push(
      `tranche: Rollout ${held.rollout} no longer governs ${named(kind, next)}, which continues as a normal rolling update, without steps, ` +
        'when requests no longer depend on its versions',
    );
  } else if (unpaused) {
    sentences.push(
      paused
        ? `tranche: Rollout ${held.rollout} continues with its steps`
        : `tranche: ${named(kind, next)} stays held: Rollout ${held.rollout} releases it in steps; ` +
            `approve with: kubectl tranche approve ${held.rollout}${namespaceFlag(next)}; ` +
            `roll back with: kubectl tranche undo ${held.rollout}${namespaceFlag(next)}, ` +
            `or kubectl-kruise rollout undo ${ROLLOUT_RESOURCE}/${held.rollout}${namespaceFlag(next)}`,
    );
  }
  if (pauses) {
    sentences.push(`tranche: Rollout ${held.rollout} pauses its release; continue with: ${resume(next)}`);
  }
  if (others.length > 0) {
    sentences.push(
      `tranche: ${others.join(', ')} recorded: Rollout ${held.rollout} applies the new value when the release ends`,
    );
  }
  return sentences;
};

export const strategyTypeRefusal = (held: HoldRecord, next: Deployment, kind = ANY): Violation => ({
  field: kind.words.strategyType,
  value: kind.strategyType(next),
  type: 'Forbidden',
  reason: `cannot change while Rollout ${held.rollout} releases this ${kind.resource.kind} in steps`,
  remedy: 'keep the previous value, or finish or roll back the release first',
});

const nameOf = (object: Rollout | Deployment): string => object.metadata.name;
const named = ({ resource }: WorkloadKind, next: Deployment): string => `${resource.kind} ${nameOf(next)}`;
const restartMode = (rollout: Rollout): string | undefined => rollout.metadata.annotations?.[ON_RESTART];

/** `3 steps: 1 → 5 → 10 of 10 Pods; step 1 waits for approval; approve with: …` */
const plan = (rollout: Rollout, next: Deployment, withApproval: boolean): string => {
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const replicas = replicasOf(next);
  const targets = stepTargets(steps, replicas);
  const ends = (index: number): boolean => index === steps.length - 1 && targets[index]! >= replicas;
  const parts = [
    `${plural(steps.length, 'step')}: ${list(targets)} of ${pods(replicas)}`,
    ...(replicas === 1 && steps.length > 1 ? ['step 1 replaces the only Pod'] : []),
    ...firstRequests(rollout, replicas),
    ...(steps[0] === undefined || ends(0) ? [] : [wait(steps[0], withApproval)]),
    ...((targets.at(-1) ?? 0) < replicas
      ? ['after the last step, the remaining Pods are updated in a rolling update']
      : []),
  ];
  if (withApproval && steps.some((step, i) => waitsForApproval(step) && !ends(i))) {
    parts.push(`approve with: kubectl tranche approve ${nameOf(rollout)}${namespaceFlag(rollout)}`);
  }
  return parts.join('; ');
};

/** `step 1 sends 5% of the requests of Service web to 1 Pod` */
function firstRequests(rollout: Rollout, replicas: number): readonly string[] {
  const routing = routingOf(rollout);
  const said = routing && describeStep(routing, rollout.spec.strategy.canary?.steps ?? [], 0, replicas);
  return said === undefined ? [] : [said];
}

const list = (targets: readonly number[]): string =>
  targets.length <= MAX_STEPS_SHOWN
    ? targets.join(' → ')
    : [...targets.slice(0, MAX_STEPS_SHOWN - 2), '…', targets.at(-1)].join(' → ');

const waitsForApproval = (step: CanaryStep): boolean => pauseSeconds(step) === Infinity;

const wait = (step: CanaryStep, withApproval: boolean): string => {
  if (waitsForApproval(step)) return withApproval ? 'step 1 waits for approval' : 'no step waits for approval';
  const seconds = pauseSeconds(step);
  if (step.analysis !== undefined && seconds === 0) return `step 1 is watched for ${step.analysis.seconds}s`;
  return seconds === 0 ? 'step 1 does not wait' : `step 1 waits ${seconds}s`;
};

export const noTraceparent = (value: string): string =>
  `tranche: metadata.annotations[${TRACEPARENT}]: Invalid value: "${value.slice(0, 80)}": must be a W3C traceparent, so the release starts a new trace; ` +
  'write 00-TRACE-SPAN-01 with 32 and 16 lower-case hex digits';
