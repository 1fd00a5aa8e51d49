// `kubectl tranche lint`: validates files as the webhook does, and prints the lines of errors.
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Finding } from '../files/check.ts';
import { DATA_OUTPUT, FILES } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';

export const lint = defineCommand({
  description:
    'Validates the Rollouts and ReleasePolicies in files as the webhook does, without a cluster. Prints file, line and column of each error. Takes ' +
    'Deployments and Namespaces in the files into account, and ignores other objects. Applies the ReleasePolicies to the Rollouts that they select, as at ' +
    'the start of a release, or says in a note why it does not.',
  arguments: [FILES],
  options: [['--strict', 'Fail on warnings, too'], DATA_OUTPUT],
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
  const contents = await readObjects(context.io, files);
  const { findings, checked } = await checkContents(contents, context.io.now(), context.flags.namespace);
  if (isTable(format)) print(context, findings, checked);
  else await printData(context, format, findings);
  const fails = findings.some(({ level }) => level === 'error' || (level === 'warning' && flags.strict === true));
  return fails ? EXIT.failed : EXIT.done;
}

const COLOURS = { error: 'red', warning: 'yellow', note: 'dim' } as const;

function print({ io, paint }: Context, findings: readonly Finding[], checked: number): void {
  for (const { file, line, column, level, message } of findings) {
    io.out(`${file}:${line}:${column}: ${paint(COLOURS[level], level)}: ${message}\n`);
  }
  const count = (level: string): number => findings.filter((finding) => finding.level === level).length;
  io.err(
    `${plural(checked, 'object')} checked: ${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}\n`,
  );
}
