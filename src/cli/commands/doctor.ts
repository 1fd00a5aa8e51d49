// `kubectl tranche doctor`: what is wrong, and the one command that mends it. It needs nothing of ours to be running.
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { NOT_CHECKED, type Finding } from '../doctor/finding.ts';
import { EXIT } from '../exit.ts';
import { DATA_OUTPUT } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';
import { oneLine } from '../paint.ts';

interface DoctorFlags {
  readonly systemNamespace?: string;
  readonly output?: string;
}

export const doctor = defineCommand({
  description:
    'Checks the installation (CRD, webhooks, certificates, the operator, your rights) and every Deployment that is held, and says for each finding the one ' +
    'command that mends it. It needs nothing of ours to be running. Exit code 1 when something is wrong.',
  options: [['--system-namespace <name>', 'where the chart is installed; else as the webhooks say'], DATA_OUTPUT],
  run: examine,
});

async function examine(context: Context, flags: DoctorFlags): Promise<number> {
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  const { findAll } = await import('../doctor/findings.ts');
  const findings = await findAll(context, flags.systemNamespace);
  const problems = findings.filter(({ level }) => level === 'problem').length;
  if (isTable(format)) print(context, findings, problems);
  else await printData(context, format, findings);
  return problems === 0 ? EXIT.done : EXIT.failed;
}

const SIGNS = { ok: ['green', '✓'], note: ['yellow', '-'], problem: ['red', '✗'] } as const;

function print({ io, paint }: Context, findings: readonly Finding[], problems: number): void {
  for (const { level, what, mend } of findings) {
    const [colour, sign] = SIGNS[level];
    io.out(`${paint(colour, sign)} ${oneLine(what)}\n${mend === undefined ? '' : `    ${paint('bold', mend)}\n`}`);
  }
  const unseen = findings.some(({ what }) => what.endsWith(NOT_CHECKED));
  const fine = unseen ? 'nothing is wrong in what you may see' : 'nothing is wrong';
  io.out(`\n${problems === 0 ? fine : plural(problems, 'problem')}\n`);
}
