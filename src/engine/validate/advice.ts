// Warnings for the author of a Rollout: what its steps mean at the current size of the workload, and the effect of deleting or disabling it.
import { HELD, ON_DELETE } from '../../api/keys.ts';
import type { AnalysisCheck } from '../../api/analysis.ts';
import type { CanaryStrategy, Deployment, IntOrString, Rollout } from '../../api/types.ts';
import { canDiffer } from '../analysis/rank.ts';
import { isWhole, knownReplicas, replicasOf, stepTargets } from '../lib/replicas.ts';
import { plural, pods } from '../lib/text.ts';
import { planOf, replan, whereAt } from '../steps/replan.ts';
import { DEFAULT_DEADLINE_SECONDS } from '../steps/pod-health.ts';
import { adviseOnTraffic } from './traffic-advice.ts';
import { show } from './violation.ts';
import type { RolloutEdit } from './rollout.ts';

export function advise({
  rollout,
  old,
  deployment,
  minReadySeconds: minReady = 0,
}: Pick<RolloutEdit, 'rollout' | 'old' | 'deployment'> & { readonly minReadySeconds?: number }): string[] {
  const canary = rollout.spec.strategy.canary;
  const steps = canary?.steps ?? [];
  const warnings: string[] = [];
  if (rollout.spec.disabled === true && old !== undefined && old.spec.disabled !== true) {
    warnings.push(...adviseOnLeaving(old, deployment));
  }
  const at = (index: number): string => `tranche: spec.strategy.canary.steps[${index}].replicas`;
  if (old !== undefined) warnings.push(...adviseOnReplan(old, rollout, deployment));
  const deadline = canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS;
  if (deployment && deadline > 0 && minReady >= deadline)
    warnings.push(deadlineTooShort(deployment, deadline, minReady));
  const final = steps.at(-1)?.replicas;
  const replicas = deployment && knownReplicas(deployment);
  if (canary) warnings.push(...adviseOnTraffic(canary, replicas), ...adviseOnAnalysis(canary, replicas));
  if (replicas === undefined || replicas === 0) {
    if (typeof final === 'string' && final !== '100%') warnings.push(restFollows(at(steps.length - 1), final));
    return warnings;
  }
  const targets = stepTargets(steps, replicas);
  if (replicas === 1 && steps.length > 1 && targets[0] === 1) {
    warnings.push(
      'tranche: spec.strategy.canary.steps: the workload has 1 Pod: step 1 replaces it, and the other steps replace no Pod',
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
        `${at(index)}: ${show(value)} is ${now} of ${pods(replicas)}, less than step ${index} (${before}): the step replaces no Pod`,
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
  // The workload is given back or rolls back, so no step of this release follows.
  if (deployment !== undefined && deployment.metadata.annotations?.[HELD] === undefined) return [];
  const updated = status.canaryReplicas;
  // Without the workload, only the number of updated Pods is known.
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

function* adviseOnAnalysis(canary: CanaryStrategy, replicas: number | undefined): Generator<string> {
  const { analysis: checks = [], steps = [] } = canary;
  if (checks.length === 0) return;
  const at = 'spec.strategy.canary';
  for (const [index, { source, pods, condition, value }] of checks.entries()) {
    const kind = pods ? 'pods' : condition ? 'condition' : value?.external ? 'value.external' : undefined;
    if (kind !== undefined && source !== undefined && source !== 'kubernetes')
      yield `tranche: ${at}.analysis[${index}].source: has no effect, because ${kind} is read from the Kubernetes API`;
  }
  const last = steps.length - 1;
  const whole = (index: number): boolean =>
    replicas === undefined ? steps[index]?.replicas === '100%' : isWhole(steps[index], replicas, index === last);
  if (steps.every(({ pause, analysis }, index) => analysis === undefined && (whole(index) || pause?.duration === 0))) {
    yield `tranche: ${at}.analysis: no step waits for the checks, because no step has a pause or analysis; add for example analysis: {seconds: 600} to the first step`;
  }
  if (steps[last]?.analysis && whole(last) && checks.every(comparesOnly)) {
    yield `tranche: ${at}.steps[${last}].analysis: in this step no stable Pod is left to compare with, so the checks show nothing new; add a check with ratio.limit, or a smaller step before it`;
  }
  if (replicas === undefined || !checks.some(({ pods }) => pods !== undefined)) return;
  for (const [index, target] of stepTargets(steps, replicas).entries()) {
    const stable = replicas - target;
    if (steps[index]?.analysis === undefined || stable === 0 || canDiffer(target, stable)) continue;
    const names = checks.filter(({ pods }) => pods !== undefined).map(({ name }) => name);
    yield `tranche: ${at}.steps[${index}].analysis: the step has ${plural(target, 'new Pod')} and ${plural(stable, 'stable Pod')}, too few for the checks with pods (${names.join(', ')}): they show nothing in this step`;
  }
}

/** The check says nothing when no stable Pod is left. */
const comparesOnly = ({ ratio, pods }: AnalysisCheck): boolean =>
  pods !== undefined || (ratio !== undefined && ratio.limit === undefined);

const deadlineTooShort = ({ kind, metadata: { name } }: Deployment, deadline: number, minReady: number): string =>
  `tranche: spec.strategy.canary.stepDeadlineSeconds: ${deadline} is not more than minReadySeconds of ${kind ?? 'Deployment'} ${name} (${minReady}), which is added to it: ` +
  `a step fails after ${deadline + minReady} seconds; write the time in which a Pod becomes Ready`;

const restFollows = (field: string, value: IntOrString): string =>
  `${field}: ${show(value)} is the last step: after it, the remaining Pods are updated in a rolling update; to update them in a step, add "100%"`;

/** What happens to the Pods if a Rollout is deleted or disabled during a release. */
export function adviseOnLeaving(rollout: Rollout, deployment: Deployment | undefined): string[] {
  if (rollout.status?.phase !== 'Progressing') return [];
  const back = rollout.metadata.annotations?.[ON_DELETE] === 'Rollback';
  const updated = rollout.status.canaryStatus?.canaryReplicas ?? 0;
  const replicas = deployment && knownReplicas(deployment);
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
