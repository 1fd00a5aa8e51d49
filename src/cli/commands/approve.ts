// `kubectl tranche approve`: approves the waiting step, with the same patch as OpenKruise's clients.
import { EVENTS, ROLLOUTS } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { change } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { DRY_RUN, parseDryRun, parseStep, ROLLOUT } from '../flags.ts';
import { confirmOverruling, YES } from '../overrule.ts';

interface ApproveFlags {
  readonly step?: string;
  readonly message?: string;
  readonly yes?: boolean;
  readonly dryRun?: string;
}

export const approve = defineCommand({
  description:
    'Approves the waiting step. The release then continues with the next step. If a check is Worse, the command shows its numbers and requires --yes.',
  arguments: [ROLLOUT],
  options: [
    ['--step <number>', 'Approve only if this is the waiting step'],
    ['--message <text>', 'Reason; stored as an event of the Rollout'],
    YES,
    DRY_RUN,
  ],
  examples: ['kubectl tranche approve web --step 1 --message "error rate is flat"'],
  run: approveStep,
});

async function approveStep(context: Context, flags: ApproveFlags, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const step = flags.step === undefined ? undefined : parseStep(flags.step, '--step');
  const { approve: decide } = await import('../../view/act/approve.ts');
  let approved: string | undefined;
  const { rollout } = await change(context, name, dryRun, (target) => {
    const { rollout, deployment } = target;
    const { write, what, early, next } = decide(target, step);
    if (write === undefined) return { says: () => `${what} is already approved` };
    const again = `approve ${rollout.metadata.name}${step === undefined ? '' : ` --step ${step}`}`;
    const although = `${early}${confirmOverruling(rollout, again, flags.yes, dryRun)}`;
    return {
      write,
      says: async (answer) => {
        const { furtherApprovals } = await import('../policies.ts');
        const further = await furtherApprovals(await context.cluster(), rollout, deployment, answer);
        if (further !== undefined) return `your approval of ${what}${although} is recorded: ${further}`;
        approved = what;
        return `${what} is approved${although}; ${next}`;
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

/** Stores a message of the user as an event of the Rollout. Throws what the request throws. */
export async function postEvent(cluster: Cluster, rollout: Rollout, message: string, now: number): Promise<void> {
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
