// `kubectl tranche finish`: waits for the step in progress, then continues with the last step.
import type { Rollout } from '../../api/types.ts';
import { isWhole, replicasOf } from '../../engine/lib/replicas.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { messageOf, stateOf, stepsOf } from '../../view/state.ts';
import { describeStep, follow, getTarget, inSteps, patchStatus, type Target } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, dryRunNote, parseDryRun, parseDuration, ROLLOUT } from '../flags.ts';

export const finish = defineCommand({
  description:
    'Updates the remaining Pods without further steps, within maxSurge and maxUnavailable of the Deployment. The command waits until the Pods of the current step ' +
    'are available. It counts as an approval, and waits for the windows of policies like any step.',
  arguments: [ROLLOUT],
  options: [['--timeout <time>', 'Time to wait for the step in progress', { default: '10m' }], DRY_RUN],
  run: releaseRest,
});

const LOOK_EVERY_MS = 500;

async function releaseRest(
  context: Context,
  flags: { timeout: string; dryRun?: string },
  name: string,
): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const { timeout } = flags;
  const timeoutMs = parseDuration(timeout, '--timeout');
  const { io } = context;
  const { realClock, sleep } = await import('../../kube/clock.ts');
  const { furtherApprovals } = await import('../policies.ts');
  const cluster = await context.cluster();
  const deadline = io.now() + timeoutMs;
  const say = (text: string): void => io.out(`${text}${dryRunNote(dryRun)}\n`);
  let target = await getTarget(cluster, name);
  inSteps(target, 'finish');
  refuseFrozen(target);
  const release = target.rollout.status?.canaryStatus?.observedRolloutID;
  let told = '';
  for (;;) {
    const { rollout, deployment } = target;
    if (rollout.status?.canaryStatus?.observedRolloutID !== release)
      throw new CliError(`the release of ${rollout.metadata.name} was rolled back or replaced in the meantime`);
    if (isOutOfOurHands(target)) {
      say(`${rollout.metadata.name} releases the remaining Pods now: ${messageOf(rollout)}; ${follow(rollout)}`);
      return EXIT.done;
    }
    refuseFrozen(target);
    const { currentStepIndex, currentStepState } = inSteps(target, 'finish');
    const last = stepsOf(rollout);
    if (currentStepState === 'StepPaused') {
      const onward = currentStepIndex < last ? { nextStepIndex: last } : {};
      try {
        const answer = await cluster.send(patchStatus(rollout, { ...onward, currentStepState: 'StepReady' }), dryRun);
        const further = await furtherApprovals(cluster, rollout, deployment, answer as Rollout | undefined);
        if (further !== undefined)
          throw new CliError(
            `your approval of step ${currentStepIndex} of ${rollout.metadata.name} is recorded, but finish requires more approvals: ${further}`,
            EXIT.refused,
          );
        say(
          `${rollout.metadata.name} continues with ${await describeStep(target, currentStepIndex < last ? last : last + 1)}`,
        );
        const whole = deployment && isWhole(rollout.spec.strategy.canary?.steps?.[last - 1], replicasOf(deployment));
        if (dryRun !== 'none' || whole || currentStepIndex === last) return EXIT.done;
      } catch (error) {
        if (cluster.answerOf(error) !== 'Conflict') throw error;
      }
    } else if (told !== (told = `${currentStepIndex}`)) {
      say(`waiting for step ${currentStepIndex} of ${last}: ${messageOf(rollout)}`);
      if (dryRun !== 'none') return EXIT.done;
    }
    if (io.now() > deadline) {
      io.err(
        `error: timed out after ${timeout}: step ${currentStepIndex} of ${last} is not done: ${rollout.status?.message}\n`,
      );
      return EXIT.timedOut;
    }
    if (!(await sleep(realClock, LOOK_EVERY_MS, io.signal))) return EXIT.interrupted;
    target = await getTarget(cluster, name);
  }
}

function refuseFrozen({ rollout, deployment }: Target): void {
  const { name } = rollout.metadata;
  const state = stateOf(rollout, deployment);
  if (state === 'Paused' || rollout.spec.strategy.paused === true)
    throw new CliError(
      `cannot finish: ${name} is paused; resume it first: kubectl tranche resume ${name}${namespaceFlag(rollout)}`,
    );
  if (state === 'Stalled') throw new CliError(`cannot finish: ${rollout.status?.message}`);
}

/** The last step is in progress and no wait follows, or the native controller releases the remaining Pods. */
function isOutOfOurHands({ rollout, deployment }: Target): boolean {
  const state = stateOf(rollout, deployment);
  if (state === 'Finishing' || state === 'Idle') return true;
  const status = rollout.status?.canaryStatus;
  const last = stepsOf(rollout);
  const whole = deployment && isWhole(rollout.spec.strategy.canary?.steps?.[last - 1], replicasOf(deployment));
  return whole === true && status?.currentStepIndex === last && status.currentStepState === 'StepUpgrade';
}
