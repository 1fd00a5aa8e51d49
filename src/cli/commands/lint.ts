// `kubectl tranche lint`: validates files as the webhook does, and prints the lines of errors. With --live, tries checks on the cluster.
import type { Rollout } from '../../api/types.ts';
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import type { Finding } from '../files/check.ts';
import type { Place } from '../files/read.ts';
import { ADDRESS, DATA_OUTPUT, TOKEN_FILE } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';
import { oneLine } from '../paint.ts';

export const lint = defineCommand({
  description:
    'Validates the Rollouts, ReleasePolicies and TrafficRoutings in files as the webhook does, without a cluster. Prints file, line and column of each error. Takes ' +
    'workloads and Namespaces in the files into account, and ignores other objects. Applies the ReleasePolicies to the Rollouts that they select, as at ' +
    'the start of a release, or says in a note why it does not. With --live, it also tries the checks of the Rollouts on the cluster: whether each query ' +
    'returns anything now, of the right Pods.',
  arguments: [
    ['[file...]', 'YAML or JSON files; "-" is standard input. With --live, default: the Rollouts of the namespace'],
  ],
  options: [
    ['--strict', 'Fail on warnings, too'],
    ['--live', 'Try the checks of the Rollouts on the cluster, with your permissions'],
    ADDRESS,
    TOKEN_FILE,
    DATA_OUTPUT,
  ],
  examples: ['kubectl tranche lint rollout.yaml', 'kubectl tranche lint --live rollout.yaml'],
  run: lintFiles,
});

interface LintFlags {
  readonly strict?: boolean;
  readonly live?: boolean;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly output?: string;
}

async function lintFiles(context: Context, flags: LintFlags, files: readonly string[]): Promise<number> {
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  const live = flags.live === true;
  if (!live && (flags.address ?? flags.tokenFile) !== undefined)
    throw usageError('--address and --token-file require --live');
  if (files.length === 0 && !live) throw usageError("missing required argument 'file'");
  const offline =
    files.length === 0 ? { findings: [], checked: 0, rollouts: undefined } : await lintObjects(context, files);
  const tried = live ? await tryLive(context, flags, offline.rollouts) : { findings: [], checked: 0 };
  const findings = [...offline.findings, ...tried.findings];
  if (isTable(format)) print(context, findings, offline.checked, live ? tried.checked : undefined);
  else await printData(context, format, findings);
  const fails = findings.some(({ level }) => level === 'error' || (level === 'warning' && flags.strict === true));
  return fails ? EXIT.failed : EXIT.done;
}

/** A Rollout, and the place of each of its fields. */
interface Placed {
  readonly rollout: Rollout;
  place(field: string): Place;
}

/** `rollouts`: those without errors. */
async function lintObjects(context: Context, files: readonly string[]) {
  const { readObjects } = await import('../files/read.ts');
  const { checkContents } = await import('../files/check.ts');
  const { asRollout } = await import('../files/objects.ts');
  const contents = await readObjects(context.io, files);
  const { findings, checked } = await checkContents(contents, context.io.now(), context.flags.namespace);
  const hasErrors = new Set(findings.filter(({ level }) => level === 'error').map(({ file }) => file));
  const rollouts = contents.objects.flatMap((found): Placed[] => {
    const { rollout } = asRollout(found)?.shape ?? {};
    return rollout === undefined || hasErrors.has(found.place('spec').file) ? [] : [{ rollout, place: found.place }];
  });
  return { findings, checked, rollouts };
}

/** Tries the checks on the cluster. `rollouts`: undefined for all of the namespace, whose findings have no line. */
async function tryLive(
  context: Context,
  flags: LintFlags,
  rollouts: readonly Placed[] | undefined,
): Promise<{ readonly findings: Finding[]; readonly checked: number }> {
  const { io } = context;
  const { tryChecks } = await import('../analyze/live.ts');
  const { createSources } = await import('../analyze/sources.ts');
  const { getStored, listRollouts } = await import('../resources.ts');
  const cluster = await context.cluster();
  const stored = (rollout: Rollout): Placed => ({
    rollout,
    place: () => ({ file: `rollout/${rollout.metadata.name}`, line: 0, column: 0 }),
  });
  const subjects = rollouts ?? (await listRollouts(cluster, cluster.namespace)).map(stored);
  const sources = createSources(cluster, flags);
  const findings: Finding[] = [];
  let checked = 0;
  try {
    for (const { rollout, place } of subjects) {
      const checks = rollout.spec.strategy.canary?.analysis ?? [];
      if (checks.length === 0) continue;
      checked += checks.length;
      const known = rollouts === undefined ? rollout : await getStored(cluster, rollout);
      const tried = await tryChecks(cluster, known, { sources, now: io.now(), signal: io.signal });
      findings.push(...tried.map(({ field, ...finding }) => ({ ...place(field), ...finding })));
    }
  } catch (error) {
    if (io.signal.aborted) throw new CliError('interrupted', EXIT.interrupted);
    throw error;
  } finally {
    sources.close();
  }
  return { findings, checked };
}

const COLOURS = { error: 'red', warning: 'yellow', note: 'dim' } as const;

/** `tried`: number of checks that were tried on the cluster. Undefined without --live. */
function print({ io, paint }: Context, findings: readonly Finding[], checked: number, tried: number | undefined): void {
  for (const { file, line, column, level, message } of findings) {
    const place = line === 0 ? file : `${file}:${line}:${column}`;
    io.out(`${place}: ${paint(COLOURS[level], level)}: ${oneLine(message)}\n`);
  }
  const count = (level: string): number => findings.filter((finding) => finding.level === level).length;
  const what = tried === undefined ? '' : `${plural(tried, 'check')} tried on the cluster, `;
  io.err(
    `${what}${plural(checked, 'object')} checked: ${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}\n`,
  );
}
