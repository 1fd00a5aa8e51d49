// `kubectl tranche approve`: the wire format is OpenKruise's, the words are ours.
import type { Rollout } from '../../api/types.ts';
import { EVENTS } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import type { Run } from '../cli.ts';
import { change, describeStep, follow, inSteps, patchStatus, whileFrozen, type Target } from '../act.ts';
import { parseDryRun, type Cluster, type Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { furtherApprovals } from '../policies.ts';
import { stepsOf } from '../state.ts';

export function approve(flags: { step?: string; message?: string; dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  const step = flags.step === undefined ? undefined : parseStep(flags.step, '--step');
  return async (context) => {
    let approved: string | undefined;
    const target = await change(context, name, dryRun, (target) => {
      const { rollout, deployment } = target;
      const status = inSteps(target, 'approve');
      const index = status.currentStepIndex;
      const of = `step ${index} of ${stepsOf(rollout)} of ${rollout.metadata.name}`;
      if (step !== undefined && step !== index)
        throw new CliError(`cannot approve step ${step}: the release is at step ${index} of ${stepsOf(rollout)}`);
      if (status.currentStepState === 'StepReady') return { says: () => `${of} is approved already` };
      if (status.currentStepState !== 'StepPaused')
        throw new CliError(`cannot approve: ${of} does not wait yet: ${rollout.status?.message}; ${follow(rollout)}`);
      const next = status.nextStepIndex >= 1 ? status.nextStepIndex : index + 1;
      return {
        call: patchStatus(rollout, { currentStepState: 'StepReady' }),
        says: async (answer) => {
          const further = await furtherApprovals(await context.cluster(), rollout, deployment, answer);
          if (further !== undefined) return `your approval of ${of} is recorded: ${further}`;
          approved = of;
          return `${of} is approved; next is ${describeStep(target, next)}${whileFrozen(target)}`;
        },
      };
    });
    if (flags.message !== undefined && approved !== undefined && dryRun === 'none')
      await keepMessage(context, target, `${approved} approved`, flags.message);
    return EXIT.done;
  };
}

export function parseStep(text: string, what: string): number {
  const step = Number(text);
  if (!/^\d+$/.test(text) || step < 1) throw usageError(`${what} "${text}" is not a step: write its number, from 1`);
  return step;
}

/** The approval stands whether or not this can be written. */
async function keepMessage(context: Context, { rollout }: Target, what: string, message: string): Promise<void> {
  const cluster = await context.cluster();
  try {
    await postEvent(cluster, rollout, `${what}: ${message}`, context.io.now());
  } catch (error) {
    context.io.err(`Warning: your message could not be kept as an event: ${(error as Error).message}\n`);
  }
}

async function postEvent({ api }: Cluster, rollout: Rollout, message: string, now: number): Promise<void> {
  const { whoAmI } = await import('../../kube/self.ts');
  const user = await whoAmI(api);
  const { name, namespace = 'default', uid, resourceVersion } = rollout.metadata;
  const time = new Date(now).toISOString().replace(/\.\d+/, '');
  await api.request({
    method: 'POST',
    path: pathOf(EVENTS, { namespace }),
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: {
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
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
    },
  });
}
