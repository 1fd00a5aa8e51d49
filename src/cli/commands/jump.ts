// `kubectl tranche jump`: another step next, forward or back.
import type { Run } from '../cli.ts';
import { change, describeStep, inSteps, patchStatus, whileFrozen } from '../act.ts';
import { parseDryRun } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { approvalRule, furtherApprovals, policiesFor } from '../policies.ts';
import { stepsOf } from '../state.ts';
import { parseStep } from './approve.ts';

export function jump(flags: { dryRun?: string }, name: string, text: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  const step = parseStep(text, 'STEP');
  return async (context) => {
    await change(context, name, dryRun, (target) => {
      const { rollout } = target;
      const status = inSteps(target, 'jump');
      const all = stepsOf(rollout);
      const { name } = rollout.metadata;
      if (step > all) throw new CliError(`cannot jump to step ${step}: ${name} has ${all} steps: write 1 to ${all}`);
      const back = step <= status.currentStepIndex ? '; Pods that are updated stay so' : '';
      if (status.currentStepState === 'StepPaused')
        return {
          call: patchStatus(rollout, { nextStepIndex: step, currentStepState: 'StepReady' }),
          says: async (answer) => {
            const further = await furtherApprovals(await context.cluster(), rollout, target.deployment, answer);
            return further === undefined
              ? `${name} jumps from step ${status.currentStepIndex} to ${describeStep(target, step)}${back}${whileFrozen(target)}`
              : `your approval of step ${status.currentStepIndex} of ${name} is recorded: ${further}`;
          },
        };
      return {
        call: patchStatus(rollout, { nextStepIndex: step }),
        says: async () => {
          const policies = await policiesFor(await context.cluster(), rollout, target.deployment);
          // The step that follows anyway is no jump, and where a policy requires approvals there is none without.
          const later = step === status.nextStepIndex || policies === undefined || approvalRule(policies) !== undefined;
          return later
            ? `when step ${status.currentStepIndex} of ${name} is done and approved, next is ${describeStep(target, step)}${back}`
            : `${name} jumps from step ${status.currentStepIndex} to ${describeStep(target, step)}${back}${whileFrozen(target)}`;
        },
      };
    });
    return EXIT.done;
  };
}
