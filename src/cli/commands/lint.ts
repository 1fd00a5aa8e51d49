// `kubectl tranche lint`: the webhook's validation on files, with the lines of what is wrong.
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Finding } from '../files/check.ts';
import { DATA_OUTPUT, FILES } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';

export const lint = defineCommand({
  description:
    'Checks the Rollouts and ReleasePolicies in files as the webhook would, without a cluster, and says file, line and column of each mistake. A Deployment beside them is ' +
    'taken into account. Other objects are passed over.',
  arguments: [FILES],
  options: [['--strict', 'warnings fail too'], DATA_OUTPUT],
  offline: true,
  run: lintFiles,
});

async function lintFiles(
  context: Context,
  flags: { strict?: boolean; output?: string },
  files: readonly string[],
): Promise<number> {
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  const { readObjects } = await import('../files/read.ts');
  const { checkContents } = await import('../files/check.ts');
  const { findings, checked } = await checkContents(await readObjects(context.io, files), context.io.now());
  if (isTable(format)) print(context, findings, checked);
  else await printData(context, format, findings);
  const fails = findings.some(({ level }) => level === 'error' || flags.strict === true);
  return fails ? EXIT.failed : EXIT.done;
}

function print({ io, paint }: Context, findings: readonly Finding[], checked: number): void {
  for (const { file, line, column, level, message } of findings) {
    const colour = level === 'error' ? 'red' : 'yellow';
    io.out(`${file}:${line}:${column}: ${paint(colour, level)}: ${message}\n`);
  }
  const count = (level: string): number => findings.filter((finding) => finding.level === level).length;
  io.err(
    `${plural(checked, 'object')} checked: ${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}\n`,
  );
}
