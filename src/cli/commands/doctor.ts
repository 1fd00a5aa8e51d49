// `kubectl tranche doctor`: finds problems, and prints a command that fixes each one. It works without a running operator.
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { NOT_CHECKED, type Finding } from '../doctor/finding.ts';
import { EXIT } from '../exit.ts';
import { DATA_OUTPUT, parseDuration } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';
import { oneLine } from '../paint.ts';

interface DoctorFlags {
  readonly systemNamespace?: string;
  readonly wait?: string;
  readonly output?: string;
}

export const doctor = defineCommand({
  description:
    'Checks the installation (CRDs, webhooks, certificates, operator, your permissions) and all held workloads. Prints a command that fixes each ' +
    'problem. It works even if Tranche is not running. The exit code is 1 if there is a problem.',
  options: [
    ['--system-namespace <name>', 'Namespace of the installation; default: as in the webhook configurations'],
    ['--wait <time>', 'Check again until there is no problem, at most for this time, such as 2m'],
    DATA_OUTPUT,
  ],
  examples: ['kubectl tranche doctor', 'kubectl tranche doctor --wait=2m   # after helm upgrade'],
  run: examine,
});

async function examine(context: Context, flags: DoctorFlags): Promise<number> {
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  const waitMs = flags.wait === undefined ? 0 : parseDuration(flags.wait, '--wait');
  const { findAll } = await import('../doctor/findings.ts');
  const { untilWell } = await import('../doctor/wait.ts');
  const findings = await untilWell(context, waitMs, () => findAll(context, flags.systemNamespace));
  if (findings === undefined) return EXIT.interrupted;
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
  const fine = unseen ? 'no problems in what you may read' : 'no problems';
  io.out(`\n${problems === 0 ? fine : plural(problems, 'problem')}\n`);
}
