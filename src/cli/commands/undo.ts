// `kubectl tranche undo`: restores an earlier template, also of a held workload.
import type { Version, Versions } from '../../view/act/put-back.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { usageError } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';

export const undo = defineCommand({
  description:
    'Restores an earlier template of the workload. It also works during a release, where "kubectl rollout undo" fails: then it restores the stable ' +
    'version immediately. Otherwise it restores the previous revision, which goes through the steps like any other change, or is restored immediately ' +
    'within the rollbackWindow of the Rollout. With --now, a version that was completed before is restored immediately. This counts as approval, like finish.',
  arguments: [ROLLOUT],
  options: [
    ['--to-revision <number>', 'Revision of the workload to restore (see history)'],
    [
      '--now',
      'Restore immediately, without steps; only a version that was completed before; requires the right to approve',
    ],
    DRY_RUN,
  ],
  examples: ['kubectl tranche undo web', 'kubectl tranche undo web --now'],
  async run(context: Context, flags: { toRevision?: string; now?: boolean; dryRun?: string }, name: string) {
    const dryRun = parseDryRun(flags.dryRun);
    const revision = flags.toRevision === undefined ? undefined : parseRevision(flags.toRevision);
    const { putBack, stableOf } = await import('../put-back.ts');
    const { byRevision, undoChoice, versionOf } = await import('../../view/act/put-back.ts');
    if (flags.now === true) {
      const { undoNow } = await import('../undo-now.ts');
      const choose = ({ sets, deployment }: Versions): Version =>
        versionOf(byRevision(sets, revision!, deployment, true));
      const code = await undoNow(context, name, dryRun, revision === undefined ? undefined : choose);
      if (code !== undefined) return code;
    }
    return putBack(context, name, dryRun, (found) => {
      const choice = undoChoice(found, revision);
      return choice === 'Stable' ? stableOf(found) : choice;
    });
  },
});

function parseRevision(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw usageError(`invalid --to-revision "${text}": write a number from the history`);
  return Number(text);
}
