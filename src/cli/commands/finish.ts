// `kubectl tranche finish`: waits for the step in progress, then continues with the last step.
import type { Rollout } from '../../api/types.ts';
import { follow } from '../../view/act/target.ts';
import { messageOf, stepsOf } from '../../view/state.ts';
import { getTarget } from '../act.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, dryRunNote, parseDryRun, parseDuration, ROLLOUT } from '../flags.ts';

export const finish = defineCommand({
  description:
    'Updates the remaining Pods without further steps, within the limits of the workload, such as maxSurge and maxUnavailable. The command waits until the Pods of the current step ' +
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
  const { finish: decide, isOutOfOurHands } = await import('../../view/act/approve.ts');
  const { realClock, sleep } = await import('../../kube/clock.ts');
  const { furtherApprovals } = await import('../policies.ts');
  const cluster = await context.cluster();
  const deadline = io.now() + timeoutMs;
  const say = (text: string): void => io.out(`${text}${dryRunNote(dryRun)}\n`);
  let target = await getTarget(cluster, name);
  decide(target);
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
    const { write, current, says, ends } = decide(target);
    const last = stepsOf(rollout);
    if (write !== undefined) {
      try {
        const answer = await cluster.send(write, dryRun);
        const further = await furtherApprovals(cluster, rollout, deployment, answer as Rollout | undefined);
        if (further !== undefined)
          throw new CliError(
            `your approval of step ${current} of ${rollout.metadata.name} is recorded, but finish requires more approvals: ${further}`,
            EXIT.refused,
          );
        say(says);
        if (dryRun !== 'none' || ends) return EXIT.done;
      } catch (error) {
        if (cluster.answerOf(error) !== 'Conflict') throw error;
      }
    } else if (told !== (told = `${current}`)) {
      say(`waiting for step ${current} of ${last}: ${messageOf(rollout)}`);
      if (dryRun !== 'none') return EXIT.done;
    }
    if (io.now() > deadline) {
      io.err(`error: timed out after ${timeout}: step ${current} of ${last} is not done: ${rollout.status?.message}\n`);
      return EXIT.timedOut;
    }
    if (!(await sleep(realClock, LOOK_EVERY_MS, io.signal))) return EXIT.interrupted;
    target = await getTarget(cluster, name);
  }
}
