// Warnings for the author of a Rollout: what its steps mean at the current size of the workload, and the effect of deleting or disabling it.
import { HELD, ON_DELETE } from '../../api/keys.ts';
import type { Deployment, IntOrString, Rollout } from '../../api/types.ts';
import { replicasOf, stepTargets } from '../lib/replicas.ts';
import { pods } from '../lib/text.ts';
import { userSettings } from '../workload/deployment/hold.ts';
import { planOf, replan, whereAt } from '../steps/replan.ts';
import { DEFAULT_DEADLINE_SECONDS } from '../steps/pod-health.ts';
import { show } from './violation.ts';
import type { RolloutEdit } from './rollout.ts';

export function advise({ rollout, old, deployment }: Pick<RolloutEdit, 'rollout' | 'old' | 'deployment'>): string[] {
  const canary = rollout.spec.strategy.canary;
  const steps = canary?.steps ?? [];
  const warnings: string[] = [];
  if (rollout.spec.disabled === true && old !== undefined && old.spec.disabled !== true) {
    warnings.push(...adviseOnLeaving(old, deployment));
  }
  const at = (index: number): string => `tranche: spec.strategy.canary.steps[${index}].replicas`;
  if (steps.some(({ traffic, replicas }) => traffic !== undefined && traffic !== replicas)) {
    warnings.push(
      'tranche: the weights of the steps have no effect, because traffic routing is not supported yet: each Pod gets its share of the requests',
    );
  } else if (steps.some((step) => step.traffic !== undefined)) {
    warnings.push(
      'tranche: the weights of the steps are percentages of Pods, because traffic routing is not supported yet',
    );
  }
  if (old !== undefined) warnings.push(...adviseOnReplan(old, rollout, deployment));
  if ((canary as Record<string, unknown> | undefined)?.['disableGenerateCanaryService'] === true) {
    warnings.push(
      'tranche: spec.strategy.canary.disableGenerateCanaryService has no effect, because traffic routing is not supported yet',
    );
  }
  const deadline = canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS;
  const minReady = (deployment && userSettings(deployment).minReadySeconds) ?? 0;
  if (deployment && deadline > 0 && minReady >= deadline)
    warnings.push(deadlineTooShort(deployment, deadline, minReady));
  const final = steps.at(-1)?.replicas;
  const replicas = deployment && replicasOf(deployment);
  if (replicas === undefined || replicas === 0) {
    if (typeof final === 'string' && final !== '100%') warnings.push(restFollows(at(steps.length - 1), final));
    return warnings;
  }
  const targets = stepTargets(steps, replicas);
  if (replicas === 1 && steps.length > 1 && targets[0] === 1) {
    warnings.push(
      'tranche: spec.strategy.canary.steps: the workload has 1 Pod: step 1 replaces it and completes the release, and no step waits',
    );
    return warnings;
  }
  for (const [index, { replicas: value }] of steps.entries()) {
    if (typeof value === 'number' && value > replicas) {
      warnings.push(
        `${at(index)}: ${value} is more than spec.replicas (${replicas}): the step updates ${index < steps.length - 1 ? 'all Pods but one' : 'all Pods'}`,
      );
    }
    const [before, now] = [targets[index - 1] ?? 0, targets[index] ?? 0];
    if (now < before) {
      warnings.push(
        `${at(index)}: ${show(value)} is ${now} of ${pods(replicas)}, less than step ${index} (${before}): the step has no effect`,
      );
    }
  }
  if (final !== undefined && (targets.at(-1) ?? 0) < replicas) warnings.push(restFollows(at(steps.length - 1), final));
  return warnings;
}

/** If the number of steps changes during a release: at which step the release continues. */
function adviseOnReplan(old: Rollout, next: Rollout, deployment: Deployment | undefined): string[] {
  const status = old.status?.canaryStatus;
  const steps = next.spec.strategy.canary?.steps ?? [];
  const before = old.spec.strategy.canary?.steps ?? [];
  if (status === undefined || old.status?.phase !== 'Progressing' || steps.length === before.length) return [];
  // The Deployment is given back or rolls back, so no step of this release follows.
  if (deployment !== undefined && deployment.metadata.annotations?.[HELD] === undefined) return [];
  const updated = status.canaryReplicas;
  // Without the Deployment, only the number of updated Pods is known.
  const sizes = { replicas: deployment ? replicasOf(deployment) : updated, updated };
  const after = replan({ plan: planOf(before), ...status }, steps, sizes, 0);
  if (after.planChanged !== true) return [];
  return [
    `tranche: Rollout ${next.metadata.name} has a release in progress, and the number of its steps changes from ${before.length} to ${steps.length}: ` +
      (deployment === undefined
        ? 'the release waits for approval before it updates more Pods'
        : `${whereAt(after, steps.length)}; no more Pods are updated before that`),
  ];
}

const deadlineTooShort = ({ metadata: { name } }: Deployment, deadline: number, minReady: number): string =>
  `tranche: spec.strategy.canary.stepDeadlineSeconds: ${deadline} is not more than minReadySeconds of Deployment ${name} (${minReady}), which is added to it: ` +
  `a step fails after ${deadline + minReady} seconds; write the time in which a Pod becomes Ready`;

const restFollows = (field: string, value: IntOrString): string =>
  `${field}: ${show(value)} is the last step: after it, the remaining Pods are updated in a rolling update; to update them in a step, add "100%"`;

/** What happens to the Pods if a Rollout is deleted or disabled during a release. */
export function adviseOnLeaving(rollout: Rollout, deployment: Deployment | undefined): string[] {
  if (rollout.status?.phase !== 'Progressing') return [];
  const back = rollout.metadata.annotations?.[ON_DELETE] === 'Rollback';
  const updated = rollout.status.canaryStatus?.canaryReplicas ?? 0;
  const replicas = deployment && replicasOf(deployment);
  const count = back ? updated : replicas === undefined ? undefined : Math.max(0, replicas - updated);
  const which = count === undefined ? 'the remaining Pods' : pods(count);
  const what = `this ends the release of Rollout ${rollout.metadata.name}: ${which} ${count === 1 ? 'is' : 'are'}`;
  return [
    back
      ? `tranche: ${what} rolled back to the stable version in a rolling update, without steps`
      : `tranche: ${what} updated to the new version in a rolling update, without steps; ` +
        `to roll back instead, set the annotation ${ON_DELETE}=Rollback first`,
  ];
}
