// `kubectl tranche undo`: restores an earlier template, also of a held Deployment.
import { HELD, REVISION } from '../../api/keys.ts';
import type { Deployment, ReplicaSet } from '../../api/types.ts';
import { sameTemplate } from '../../engine/lib/template.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../exit.ts';
import { DRY_RUN, parseDryRun, ROLLOUT } from '../flags.ts';
import type { Version, Versions } from '../put-back.ts';

export const undo = defineCommand({
  description:
    'Restores an earlier template of the Deployment. It also works during a release, where "kubectl rollout undo" fails: then it restores the stable ' +
    'version immediately. Otherwise it restores the previous revision, which goes through the steps like any other change, or is restored immediately ' +
    'within the rollbackWindow of the Rollout. With --now, a version that was completed before is restored immediately. This counts as approval, like finish.',
  arguments: [ROLLOUT],
  options: [
    ['--to-revision <number>', 'Revision of the Deployment to restore (see history)'],
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
    const { putBack, stableOf, versionOf } = await import('../put-back.ts');
    if (flags.now === true) {
      const { undoNow } = await import('../undo-now.ts');
      const choose = ({ sets, deployment }: Versions): Version =>
        versionOf(byRevision(sets, revision!, deployment, true));
      const code = await undoNow(context, name, dryRun, revision === undefined ? undefined : choose);
      if (code !== undefined) return code;
    }
    return putBack(context, name, dryRun, (found) => {
      const { rollout, deployment, held, sets } = found;
      if (revision !== undefined) return versionOf(byRevision(sets, revision, deployment));
      const releasing = held !== undefined || rollout.status?.phase === 'Progressing';
      return releasing ? stableOf(found) : versionOf(previous(sets, deployment));
    });
  },
});

const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[REVISION] ?? 0);

function previous(sets: readonly ReplicaSet[], deployment: Deployment): ReplicaSet {
  if (deployment.metadata.annotations?.[HELD] !== undefined)
    throw new CliError(
      `the record of the hold of ${deployment.metadata.name} is not readable; to repair it: kubectl tranche doctor`,
    );
  const others = sets.filter((set) => !sameTemplate(set.spec.template, deployment.spec.template));
  const [last] = others.sort((a, b) => revisionOf(b) - revisionOf(a));
  if (last === undefined)
    throw new CliError(`${deployment.metadata.name} has no earlier revision: no ReplicaSet has one`);
  return last;
}

function byRevision(
  sets: readonly ReplicaSet[],
  revision: number,
  deployment: Deployment,
  current = false,
): ReplicaSet {
  const found = sets.find((set) => revisionOf(set) === revision);
  const name = deployment.metadata.name;
  if (found === undefined) {
    const known = sets.map(revisionOf).filter((one) => one > 0);
    throw new CliError(
      `${name} has no revision ${revision}; existing revisions: ${known.sort((a, b) => a - b).join(', ') || 'none'}`,
    );
  }
  if (!current && sameTemplate(found.spec.template, deployment.spec.template))
    throw new CliError(`${name} is already at revision ${revision}`);
  return found;
}

function parseRevision(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw usageError(`invalid --to-revision "${text}": write a number from the history`);
  return Number(text);
}
