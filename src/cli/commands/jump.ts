// `kubectl tranche jump`: continues with another step, forward or back.
import { stepsOf } from '../../view/state.ts';
import { change, describeStep, inSteps, patchStatus, whileFrozen, type Change, type Target } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, parseStep, ROLLOUT } from '../flags.ts';

export const jump = defineCommand({
  description:
    'Continues with a step other than the next one. A jump forward skips the steps in between. If you jump back, the release waits again at that step; no ' +
    'Pods are rolled back. If the current step waits, the jump counts as its approval. If the current step is in progress, the release jumps immediately; ' +
    'if a policy requires approvals, it jumps when the step is done and approved.',
  arguments: [ROLLOUT, ['<step>', 'Number of the step, starting at 1']],
  options: [DRY_RUN],
  async run(context: Context, flags: { dryRun?: string }, name: string, text: string) {
    const dryRun = parseDryRun(flags.dryRun);
    const step = parseStep(text, 'STEP');
    const cluster = await context.cluster();
    await change(context, name, dryRun, (target) => jumpTo(cluster, target, step));
    return EXIT.done;
  },
});

function jumpTo(cluster: Cluster, target: Target, step: number): Change {
  const { rollout, deployment } = target;
  const status = inSteps(target, 'jump');
  const all = stepsOf(rollout);
  const { name } = rollout.metadata;
  if (step > all) throw new CliError(`cannot jump to step ${step}: ${name} has ${all} steps: write 1 to ${all}`);
  const current = status.currentStepIndex;
  const back = step <= current ? '; updated Pods stay updated' : '';
  const there = async (): Promise<string> => `${await describeStep(target, step)}${back}`;
  const atOnce = async (): Promise<string> =>
    `${name} jumps from step ${current} to ${await there()}${whileFrozen(target)}`;
  if (status.currentStepState === 'StepPaused')
    return {
      write: patchStatus(rollout, { nextStepIndex: step, currentStepState: 'StepReady' }),
      says: async (answer) => {
        const { furtherApprovals } = await import('../policies.ts');
        const further = await furtherApprovals(cluster, rollout, deployment, answer);
        return further === undefined ? atOnce() : `your approval of step ${current} of ${name} is recorded: ${further}`;
      },
    };
  return {
    write: patchStatus(rollout, { nextStepIndex: step }),
    says: async () => {
      const { approvalRule, policiesFor } = await import('../policies.ts');
      const policies = await policiesFor(cluster, rollout, deployment);
      // The jump waits for the current step if it names the next step anyway, or if a policy requires approvals.
      const later = step === status.nextStepIndex || policies === undefined || approvalRule(policies) !== undefined;
      return later ? `after step ${current} of ${name} is done and approved, next is ${await there()}` : atOnce();
    },
  };
}
