// What is not wrong with a Rollout, but its author should know: what its steps come to at the size the workload has now, and what leaving does.
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
      'tranche: the weights of the steps have no effect: this version routes no traffic; the new version gets requests as its Pods do',
    );
  } else if (steps.some((step) => step.traffic !== undefined)) {
    warnings.push('tranche: the weights of the steps count Pods: this version routes no traffic');
  }
  if (old !== undefined) warnings.push(...adviseOnReplan(old, rollout, deployment));
  if ((canary as Record<string, unknown> | undefined)?.['disableGenerateCanaryService'] === true) {
    warnings.push(
      `tranche: spec.strategy.canary.disableGenerateCanaryService has no effect: this version routes no traffic`,
    );
  }
  const deadline = canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS;
  const minReady = (deployment && userSettings(deployment).minReadySeconds) ?? 0;
  if (deployment && deadline > 0 && minReady >= deadline)
    warnings.push(longInGettingReady(deployment, deadline, minReady));
  const final = steps.at(-1)?.replicas;
  const replicas = deployment && replicasOf(deployment);
  if (replicas === undefined || replicas === 0) {
    if (typeof final === 'string' && final !== '100%') warnings.push(restFollows(at(steps.length - 1), final));
    return warnings;
  }
  const targets = stepTargets(steps, replicas);
  if (replicas === 1 && steps.length > 1 && targets[0] === 1) {
    warnings.push(
      'tranche: spec.strategy.canary.steps: the workload has 1 Pod, and step 1 replaces it: the release is done then, and no step waits',
    );
    return warnings;
  }
  for (const [index, { replicas: value }] of steps.entries()) {
    if (typeof value === 'number' && value > replicas) {
      warnings.push(
        `${at(index)}: ${value} is more than the ${replicas} Pods there are: the step releases ${index < steps.length - 1 ? 'all but one' : 'all'} of them`,
      );
    }
    const [before, now] = [targets[index - 1] ?? 0, targets[index] ?? 0];
    if (now < before) {
      warnings.push(
        `${at(index)}: ${show(value)} is ${now} of the ${replicas} Pods there are, less than the ${before} of step ${index}: the step does nothing`,
      );
    }
  }
  if (final !== undefined && (targets.at(-1) ?? 0) < replicas) warnings.push(restFollows(at(steps.length - 1), final));
  return warnings;
}

/** Another number of steps in the middle of a release: where it goes on. */
function adviseOnReplan(old: Rollout, next: Rollout, deployment: Deployment | undefined): string[] {
  const status = old.status?.canaryStatus;
  const steps = next.spec.strategy.canary?.steps ?? [];
  const before = old.spec.strategy.canary?.steps ?? [];
  if (status === undefined || old.status?.phase !== 'Progressing' || steps.length === before.length) return [];
  // Given back, or going back: no step of this release follows.
  if (deployment !== undefined && deployment.metadata.annotations?.[HELD] === undefined) return [];
  const updated = status.canaryReplicas;
  // Of a Deployment that is not known, the Pods of the new version are.
  const sizes = { replicas: deployment ? replicasOf(deployment) : updated, updated };
  const after = replan({ plan: planOf(before), ...status }, steps, sizes, 0);
  if (after.planChanged !== true) return [];
  return [
    `tranche: ${next.metadata.name} is in the middle of a release, and the number of its steps changes from ${before.length} to ${steps.length}: ` +
      (deployment === undefined
        ? 'it waits for approval before any further Pod is released'
        : `${whereAt(after, steps.length)}; no further Pod is released before`),
  ];
}

const longInGettingReady = ({ metadata: { name } }: Deployment, deadline: number, minReady: number): string =>
  `tranche: spec.strategy.canary.stepDeadlineSeconds: ${deadline} is not more than the minReadySeconds of Deployment ${name}, ${minReady}: ` +
  `these are added to it, so that a step fails after ${deadline + minReady} seconds; write the seconds in which a Pod gets Ready`;

const restFollows = (field: string, value: IntOrString): string =>
  `${field}: ${show(value)} is the last step: when it is done the rest of the Pods follow at once; end with "100%" to see them in a step`;

/** A Rollout that is deleted or disabled in the middle of a release: what happens to the Pods. */
export function adviseOnLeaving(rollout: Rollout, deployment: Deployment | undefined): string[] {
  if (rollout.status?.phase !== 'Progressing') return [];
  const back = rollout.metadata.annotations?.[ON_DELETE] === 'Rollback';
  const updated = rollout.status.canaryStatus?.canaryReplicas ?? 0;
  const replicas = deployment && replicasOf(deployment);
  const count = back ? updated : replicas === undefined ? undefined : Math.max(0, replicas - updated);
  const which = count === undefined ? 'the rest of the Pods' : pods(count);
  const verb = count === 1 ? 'goes' : 'go';
  return [
    back
      ? `tranche: ${rollout.metadata.name} is in the middle of a release: ${which} ${verb} back to the version before at once, not in steps`
      : `tranche: ${rollout.metadata.name} is in the middle of a release: ${which} ${verb} to the new version at once, not in steps; ` +
        `to go back instead, annotate it with ${ON_DELETE}=Rollback first`,
  ];
}
