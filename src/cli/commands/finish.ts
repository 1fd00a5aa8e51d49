// `kubectl tranche finish`: through the last step at once, waiting for the step that is under way.
import type { Rollout } from '../../api/types.ts';
import type { Run } from '../cli.ts';
import { isWhole, replicasOf } from '../../engine/lib/replicas.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { realClock, sleep } from '../../kube/clock.ts';
import { isConflict } from '../../kube/errors.ts';
import { describeStep, follow, getTarget, inSteps, patchStatus, send, type Target } from '../act.ts';
import { parseDryRun, parseDuration } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { furtherApprovals } from '../policies.ts';
import { messageOf, stateOf, stepsOf } from '../state.ts';

const LOOK_EVERY_MS = 500;

export function finish(flags: { timeout?: string; dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  const timeout = flags.timeout ?? '10m';
  const timeoutMs = parseDuration(timeout, '--timeout');
  return async (context) => {
    const { io } = context;
    const cluster = await context.cluster();
    const deadline = io.now() + timeoutMs;
    const say = (text: string): void =>
      io.out(`${text}${dryRun === 'none' ? '' : ` (${dryRun} dry run: nothing was changed)`}\n`);
    let target = await getTarget(cluster, name);
    inSteps(target, 'finish');
    refuseFrozen(target);
    const release = target.rollout.status?.canaryStatus?.observedRolloutID;
    let told = '';
    for (;;) {
      const { rollout, deployment } = target;
      if (rollout.status?.canaryStatus?.observedRolloutID !== release)
        throw new CliError(
          `the release of ${rollout.metadata.name} was rolled back or replaced meanwhile: nothing more was done`,
        );
      if (isOutOfOurHands(target)) {
        say(`${rollout.metadata.name} releases the rest now: ${messageOf(rollout)}; ${follow(rollout)}`);
        return EXIT.done;
      }
      refuseFrozen(target);
      const { currentStepIndex, currentStepState } = inSteps(target, 'finish');
      const last = stepsOf(rollout);
      if (currentStepState === 'StepPaused') {
        const onward = currentStepIndex < last ? { nextStepIndex: last } : {};
        try {
          const call = patchStatus(rollout, { ...onward, currentStepState: 'StepReady' });
          const answer = dryRun === 'client' ? undefined : await send(cluster, call, dryRun);
          const further = await furtherApprovals(cluster, rollout, deployment, answer as Rollout | undefined);
          if (further !== undefined)
            throw new CliError(
              `your approval of step ${currentStepIndex} of ${rollout.metadata.name} is recorded, and it cannot be finished by one: ${further}`,
              EXIT.refused,
            );
          say(
            `${rollout.metadata.name} goes on with ${describeStep(target, currentStepIndex < last ? last : last + 1)}`,
          );
          const whole = deployment && isWhole(rollout.spec.strategy.canary?.steps?.[last - 1], replicasOf(deployment));
          if (dryRun !== 'none' || whole || currentStepIndex === last) return EXIT.done;
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      } else if (told !== (told = `${currentStepIndex}`)) {
        say(`waiting for step ${currentStepIndex} of ${last}: ${messageOf(rollout)}`);
        if (dryRun !== 'none') return EXIT.done;
      }
      if (io.now() > deadline) {
        io.err(
          `error: step ${currentStepIndex} of ${last} was not done within ${timeout}: ${rollout.status?.message}\n`,
        );
        return EXIT.timedOut;
      }
      if (!(await sleep(realClock, LOOK_EVERY_MS, io.signal))) return EXIT.interrupted;
      target = await getTarget(cluster, name);
    }
  };
}

function refuseFrozen({ rollout, deployment }: Target): void {
  const { name } = rollout.metadata;
  const state = stateOf(rollout, deployment);
  if (state === 'Paused' || rollout.spec.strategy.paused === true)
    throw new CliError(
      `cannot finish: ${name} is paused; first: kubectl tranche resume ${name}${namespaceFlag(rollout)}`,
    );
  if (state === 'Stalled') throw new CliError(`cannot finish: ${rollout.status?.message}`);
}

/** The last step is moving and nothing waits behind it, or the native controller has the rest. */
function isOutOfOurHands({ rollout, deployment }: Target): boolean {
  const state = stateOf(rollout, deployment);
  if (state === 'Finishing' || state === 'Idle') return true;
  const status = rollout.status?.canaryStatus;
  const last = stepsOf(rollout);
  const whole = deployment && isWhole(rollout.spec.strategy.canary?.steps?.[last - 1], replicasOf(deployment));
  return whole === true && status?.currentStepIndex === last && status.currentStepState === 'StepUpgrade';
}
