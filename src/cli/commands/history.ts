// `kubectl tranche history`: the releases that the Rollout remembers, and the revisions that can be put back.
import { REVISION } from '../../api/keys.ts';
import type { HistoryEntry } from '../../api/types.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { hashOf } from '../../engine/workload/deployment/view.ts';
import type { Run } from '../cli.ts';
import { EXIT } from '../exit.ts';
import { isTable, parseFormat, printData, rolloutName } from '../output.ts';
import { gather, getRollout } from '../resources.ts';
import { duration, table } from '../text.ts';

export function history(flags: { output?: string }, name: string): Run {
  const format = parseFormat(flags.output);
  return async (context) => {
    const cluster = await context.cluster();
    const rollout = await getRollout(cluster, name);
    const entries = rollout.status?.history ?? [];
    if (!isTable(format)) {
      await printData(context, format, entries, [rolloutName(rollout)]);
      return EXIT.done;
    }
    if (entries.length === 0) {
      context.io.err(`${rollout.metadata.name} has released nothing yet\n`);
      return EXIT.done;
    }
    const { view } = await gather(cluster, rollout, context.io.now());
    const sets = [...(view?.newSet ? [view.newSet] : []), ...(view?.oldSets ?? [])];
    const revisions = new Map(sets.map((set) => [hashOf(set), set.metadata.annotations?.[REVISION]]));
    // The entry of a release gets its revision when it ends; until then the status has it.
    const revisionOf = ({ revision, endTime }: HistoryEntry): string =>
      (endTime === undefined && rollout.status?.canaryStatus?.canaryRevision) || revision;
    context.io.out(
      table([
        ['REVISION', 'RELEASE', 'POD TEMPLATE', 'AUTHOR', 'BEGAN', 'TOOK', 'OUTCOME', 'APPROVED BY'],
        ...entries.map((entry) => [
          revisions.get(revisionOf(entry)) ?? '-',
          entry.rolloutID || '-',
          revisionOf(entry) || '-',
          entry.author ?? '-',
          ...times(entry, context.io.now()),
          entry.outcome ?? 'under way',
          approvers(entry, format === 'wide'),
        ]),
      ]),
    );
    return EXIT.done;
  };
}

function times({ startTime, endTime }: HistoryEntry, now: number): [string, string] {
  const start = parseTime(startTime);
  if (start === undefined) return ['-', '-'];
  return [`${duration(now - start)} ago`, duration((parseTime(endTime) ?? now) - start)];
}

/** Who approved a step again, since its plan had changed, is named once; with the times, each time. */
const approvers = ({ approvals }: HistoryEntry, wide: boolean): string => {
  const texts = (approvals ?? []).map(({ step, user, time }) => `${step}: ${user}${wide ? ` at ${time}` : ''}`);
  return [...new Set(texts)].join(', ') || '-';
};
