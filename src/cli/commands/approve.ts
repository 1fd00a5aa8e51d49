// `kubectl tranche approve`: approves the waiting step, with the same patch as OpenKruise's clients.
import { EVENTS, ROLLOUTS } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { stepsOf } from '../../view/state.ts';
import { approvalOf, change, describeStep, follow, inSteps, whileFrozen } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, parseStep, ROLLOUT } from '../flags.ts';

interface ApproveFlags {
  readonly step?: string;
  readonly message?: string;
  readonly dryRun?: string;
}

export const approve = defineCommand({
  description: 'Approves the waiting step. The release then continues with the next step.',
  arguments: [ROLLOUT],
  options: [
    ['--step <number>', 'Approve only if this is the waiting step'],
    ['--message <text>', 'Reason; stored as an event of the Rollout'],
    DRY_RUN,
  ],
  examples: ['kubectl tranche approve web --step 1 --message "error rate is flat"'],
  run: approveStep,
});

async function approveStep(context: Context, flags: ApproveFlags, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const step = flags.step === undefined ? undefined : parseStep(flags.step, '--step');
  let approved: string | undefined;
  const { rollout } = await change(context, name, dryRun, (target) => {
    const { rollout, deployment } = target;
    const status = inSteps(target, 'approve');
    const index = status.currentStepIndex;
    const of = `step ${index} of ${stepsOf(rollout)} of ${rollout.metadata.name}`;
    if (step !== undefined && step !== index)
      throw new CliError(`cannot approve step ${step}: the release is at step ${index} of ${stepsOf(rollout)}`);
    if (status.currentStepState === 'StepReady') return { says: () => `${of} is already approved` };
    if (status.currentStepState !== 'StepPaused')
      throw new CliError(`cannot approve: ${of} is not waiting yet: ${rollout.status?.message}; ${follow(rollout)}`);
    const next = status.nextStepIndex >= 1 ? status.nextStepIndex : index + 1;
    return {
      write: approvalOf(rollout),
      says: async (answer) => {
        const { furtherApprovals } = await import('../policies.ts');
        const further = await furtherApprovals(await context.cluster(), rollout, deployment, answer);
        if (further !== undefined) return `your approval of ${of} is recorded: ${further}`;
        approved = of;
        return `${of} is approved; next is ${await describeStep(target, next)}${whileFrozen(target)}`;
      },
    };
  });
  if (flags.message !== undefined && approved !== undefined && dryRun === 'none')
    await keepMessage(context, rollout, `${approved} approved: ${flags.message}`);
  return EXIT.done;
}

/** Only warns if the event cannot be created: the approval is already done. */
async function keepMessage(context: Context, rollout: Rollout, message: string): Promise<void> {
  const cluster = await context.cluster();
  try {
    await postEvent(cluster, rollout, message, context.io.now());
  } catch (error) {
    context.io.err(`Warning: cannot store the message as an event: ${(error as Error).message}\n`);
  }
}

async function postEvent(cluster: Cluster, rollout: Rollout, message: string, now: number): Promise<void> {
  const user = await cluster.whoAmI();
  const { name, namespace = 'default', uid, resourceVersion } = rollout.metadata;
  const time = new Date(now).toISOString().replace(/\.\d+/, '');
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name}.`, namespace },
    involvedObject: {
      apiVersion: ROLLOUTS.apiVersion,
      kind: ROLLOUTS.kind,
      name,
      namespace,
      uid,
      resourceVersion,
    },
    type: 'Normal',
    reason: 'ApprovalMessage',
    message: `${user}: ${message}`.slice(0, 1024),
    source: { component: 'kubectl-tranche' },
    reportingComponent: 'kubectl-tranche',
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
  await cluster.send({ method: 'POST', resource: EVENTS, namespace, body }, 'none');
}
