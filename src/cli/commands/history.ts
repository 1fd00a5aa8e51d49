// `kubectl tranche history`: the releases that the Rollout remembers, and the revisions that can be put back.
import type { HistoryRow } from '../../view/history.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { OUTPUT, ROLLOUT } from '../flags.ts';
import { isTable, parseFormat, printData, rolloutName } from '../output.ts';
import { gather, getRollout } from '../resources.ts';
import { duration, table } from '../text.ts';

export const history = defineCommand({
  description: 'The last ten releases: who, when, how long, with which outcome, approved by whom.',
  arguments: [ROLLOUT],
  options: [OUTPUT],
  run: showHistory,
});

async function showHistory(context: Context, flags: { output?: string }, name: string): Promise<number> {
  const { io } = context;
  const format = parseFormat(flags.output);
  const cluster = await context.cluster();
  const rollout = await getRollout(cluster, name);
  const entries = rollout.status?.history ?? [];
  if (!isTable(format)) await printData(context, format, entries, [rolloutName(rollout)]);
  else if (entries.length === 0) io.err(`${rollout.metadata.name} has released nothing yet\n`);
  else {
    const { historyRows } = await import('../../view/history.ts');
    const rows = historyRows(await gather(cluster, rollout, io.now()));
    io.out(table([HEAD, ...rows.map((row) => cellsOf(row, io.now(), format === 'wide'))]));
  }
  return EXIT.done;
}

const HEAD = ['REVISION', 'RELEASE', 'POD TEMPLATE', 'AUTHOR', 'BEGAN', 'TOOK', 'OUTCOME', 'APPROVED BY'];

const cellsOf = (row: HistoryRow, now: number, wide: boolean): string[] => [
  row.revision ?? '-',
  row.releaseId ?? '-',
  row.podTemplateHash ?? '-',
  row.author ?? '-',
  row.startedAt === undefined ? '-' : `${duration(now - row.startedAt)} ago`,
  row.startedAt === undefined ? '-' : duration((row.endedAt ?? now) - row.startedAt),
  row.outcome ?? 'under way',
  approvers(row, wide),
];

/** Who approved a step again, since its plan had changed, is named once; with the times, each time. */
const approvers = ({ approvals }: HistoryRow, wide: boolean): string => {
  const texts = approvals.map(({ step, user, time }) => `${step}: ${user}${wide ? ` at ${time}` : ''}`);
  return [...new Set(texts)].join(', ') || '-';
};
