// `kubectl tranche history`: shows the last releases and the revisions that can be restored.
import { UNDO_STEP } from '../../engine/release/completed.ts';
import type { HistoryRow } from '../../view/history.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { OUTPUT, ROLLOUT } from '../flags.ts';
import { isTable, parseFormat, printData, rolloutName } from '../output.ts';
import type { Paint } from '../paint.ts';
import { paintVerdict } from '../render/checks.ts';
import { gather, getRollout } from '../resources.ts';
import { ago, duration, table } from '../text.ts';

export const history = defineCommand({
  description:
    'Shows the last ten releases with their author, start, duration, outcome, approvals, and what their checks said. -o wide adds the times of the approvals, and who broke the glass of a policy, with the reason.',
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
  else if (entries.length === 0) io.err(`no releases of ${rollout.metadata.name} yet\n`);
  else {
    const { historyRows } = await import('../../view/history.ts');
    const rows = historyRows(await gather(cluster, rollout, io.now()));
    const shown = { now: io.now(), wide: format === 'wide', checks: rows.some(hasChecks), paint: context.paint };
    io.out(
      table([
        [...HEAD, ...(shown.checks ? ['CHECKS'] : []), ...(shown.wide ? ['BROKEN GLASS'] : [])],
        ...rows.map((row) => cellsOf(row, shown)),
      ]),
    );
  }
  return EXIT.done;
}

const HEAD = ['REVISION', 'RELEASE', 'POD TEMPLATE', 'AUTHOR', 'BEGAN', 'TOOK', 'OUTCOME', 'APPROVED BY'];

interface Shown {
  readonly now: number;
  readonly wide: boolean;
  /** With a column for the verdicts of checks. */
  readonly checks: boolean;
  readonly paint: Paint;
}

const hasChecks = ({ verdicts }: HistoryRow): boolean => Object.keys(verdicts).length > 0;

const cellsOf = (row: HistoryRow, { now, wide, checks, paint }: Shown): string[] => [
  row.revision ?? '-',
  row.releaseId ?? '-',
  row.podTemplateHash ?? '-',
  row.author ?? '-',
  row.startedAt === undefined ? '-' : ago(now - row.startedAt),
  row.startedAt === undefined ? '-' : duration((row.endedAt ?? now) - row.startedAt),
  `${row.outcome ?? 'in progress'}${row.bypassed === undefined ? '' : ` (${row.bypassed})`}`,
  approvers(row, wide),
  ...(checks
    ? [
        Object.entries(row.verdicts)
          .map(([name, verdict]) => `${name} ${paintVerdict(verdict, paint)}`)
          .join(', ') || '-',
      ]
    : []),
  ...(wide ? [row.brokenGlass.map(({ user, reason, time }) => `${user}: ${reason} at ${time}`).join(', ') || '-'] : []),
];

/** If a person approved a step twice, because its plan had changed, the name appears once. With times, it appears twice. */
const approvers = ({ approvals }: HistoryRow, wide: boolean): string => {
  const texts = approvals.map(
    ({ step, user, time }) => `${step === UNDO_STEP ? 'undo' : step}: ${user}${wide ? ` at ${time}` : ''}`,
  );
  return [...new Set(texts)].join(', ') || '-';
};
