// `kubectl tranche jump`: continues with another step, forward or back.
import type { Jumping } from '../../view/act/approve.ts';
import type { Target } from '../../view/act/target.ts';
import { change, type Change } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, parseStep, ROLLOUT } from '../flags.ts';
import { confirmOverruling, YES } from '../overrule.ts';

export const jump = defineCommand({
  description:
    'Continues with a step other than the next one. A jump forward skips the steps in between. If you jump back, the release waits again at that step; no ' +
    'Pods are rolled back. If the current step waits, the jump counts as its approval. If the current step is in progress, the release jumps immediately; ' +
    'if a policy requires approvals, it jumps when the step is done and approved. If a check is Worse, the command requires --yes.',
  arguments: [ROLLOUT, ['<step>', 'Number of the step, starting at 1']],
  options: [YES, DRY_RUN],
  async run(context: Context, flags: { yes?: boolean; dryRun?: string }, name: string, text: string) {
    const dryRun = parseDryRun(flags.dryRun);
    const step = parseStep(text, 'STEP');
    const cluster = await context.cluster();
    const { jump: decide } = await import('../../view/act/approve.ts');
    await change(context, name, dryRun, (target) => {
      const decided = changeOf(cluster, target, decide(target, step));
      confirmOverruling(target.rollout, `jump ${target.rollout.metadata.name} ${step}`, flags.yes, dryRun);
      return decided;
    });
    return EXIT.done;
  },
});

function changeOf(cluster: Cluster, { rollout, deployment }: Target, jumping: Jumping): Change {
  const { write, current, approves, usual, there, atOnce } = jumping;
  const { name } = rollout.metadata;
  return {
    write,
    says: async (answer) => {
      const { furtherApprovals, approvalRule, policiesFor } = await import('../policies.ts');
      if (approves) {
        const further = await furtherApprovals(cluster, rollout, deployment, answer);
        return further === undefined ? atOnce : `your approval of step ${current} of ${name} is recorded: ${further}`;
      }
      const policies = await policiesFor(cluster, rollout, deployment);
      // The jump waits for the current step if it names the next step anyway, or if a policy requires approvals.
      const later = usual || policies === undefined || approvalRule(policies) !== undefined;
      return later ? `after step ${current} of ${name} is done and approved, next is ${there}` : atOnce;
    },
  };
}
