// `kubectl tranche convert`: Argo Rollouts and Flagger, with a list of what has no counterpart.
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { FILES } from '../flags.ts';

export const convert = defineCommand({
  description:
    'Turns Rollouts of Argo Rollouts and Canaries of Flagger into Deployments with Rollouts, and lists on standard error what has no counterpart.',
  arguments: [FILES],
  examples: ['kubectl tranche convert argo-rollout.yaml > tranche.yaml'],
  offline: true,
  run: convertFiles,
});

async function convertFiles({ io }: Context, _: object, files: readonly string[]): Promise<number> {
  const { parseObjects, readAll } = await import('../files/read.ts');
  const { checkContents } = await import('../files/check.ts');
  const { convertObject, isRollout, nameOf } = await import('../convert/convert.ts');
  const { stringify } = await import('yaml');
  const found = await readAll(io, files);
  const all = found.map(({ object }) => object);
  const objects = found.flatMap(({ object, place }) => {
    const converted = convertObject(object, all);
    const { file, line } = place('kind');
    for (const note of converted?.notes ?? [])
      io.err(`${file}:${line}: ${String(object['kind'])} ${nameOf(object)}: ${note}\n`);
    return converted?.objects ?? [];
  });
  if (!objects.some(isRollout))
    throw new CliError(
      `nothing to convert in ${files.join(', ')}: a Rollout of argoproj.io or a Canary of flagger.app is looked for`,
    );
  const text = objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
  io.data(text);
  // What we write is held to what the webhook would say, like anybody's.
  const { findings } = await checkContents(parseObjects('the result', text), io.now());
  for (const { level, message } of findings) io.err(`${level}: ${message}\n`);
  return findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.done;
}
