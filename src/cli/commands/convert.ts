// `kubectl tranche convert`: converts resources of Argo Rollouts and Flagger.
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { FILES } from '../flags.ts';

export const convert = defineCommand({
  description:
    'Converts Rollouts of Argo Rollouts and Canaries of Flagger to Deployments and Rollouts. Lists fields without a counterpart on standard error.',
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
      `nothing to convert: no Rollout of argoproj.io and no Canary of flagger.app in ${files.join(', ')}`,
    );
  const text = objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
  io.data(text);
  // The result must pass the same validation as any Rollout.
  const { findings } = await checkContents(parseObjects('the result', text), io.now());
  for (const { level, message } of findings) io.err(`${level}: ${message}\n`);
  return findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.done;
}
