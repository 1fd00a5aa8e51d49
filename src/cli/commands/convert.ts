// `kubectl tranche convert`: converts resources of Argo Rollouts and Flagger.
import { plural } from '../../engine/lib/text.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import type { Source } from '../convert/checks.ts';
import { CliError, EXIT } from '../exit.ts';
import { FILES } from '../flags.ts';

export const convert = defineCommand({
  description:
    'Converts Rollouts of Argo Rollouts and Canaries of Flagger to Deployments and Rollouts, and prints them. Lists on standard error what is not ' +
    'carried over, and ends with a count. Metrics become checks, and a comment shows the MetricSources that they need. What has no counterpart becomes a ' +
    'step that waits for approval.',
  arguments: [FILES],
  options: [['--strict', 'Fail if something is not carried over']],
  examples: ['kubectl tranche convert argo-rollout.yaml > tranche.yaml'],
  offline: true,
  run: convertFiles,
});

async function convertFiles({ io }: Context, flags: { strict?: boolean }, files: readonly string[]): Promise<number> {
  const { parseObjects, readAll } = await import('../files/read.ts');
  const { checkContents } = await import('../files/check.ts');
  const { convertObject, isRollout, nameOf } = await import('../convert/convert.ts');
  const { stringify } = await import('yaml');
  const found = await readAll(io, files);
  const all = found.map(({ object }) => object);
  const sources = new Map<string, Source>();
  let converted = 0;
  let lost = 0;
  const objects = found.flatMap(({ object, place }) => {
    const { objects: made, remarks, sources: needed = [] } = convertObject(object, all);
    for (const source of needed) sources.set(`${source.name} ${source.url}`, source);
    const { file, line } = place('kind');
    for (const remark of remarks)
      io.err(
        `${file}:${line}: ${remark.lost ? 'not carried' : 'note'}: ${String(object['kind'])} ${nameOf(object)}: ${remark.text}\n`,
      );
    if (made.length > 0) converted += 1;
    lost += remarks.filter((remark) => remark.lost).length;
    return made;
  });
  const counts = `${plural(converted, 'object')} converted, ${plural(lost, 'thing')} not carried`;
  if (!objects.some(isRollout)) {
    io.err(`${counts}\n`);
    throw new CliError(
      `nothing to convert: no Rollout of argoproj.io and no Canary of flagger.app in ${files.join(', ')}`,
    );
  }
  const yaml = (one: object): string => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false });
  const text = `${commentOn([...sources.values()], yaml)}${objects.map(yaml).join('---\n')}`;
  io.data(text);
  // The result must pass the same validation as any Rollout.
  const { findings } = await checkContents(parseObjects('the result', text), io.now());
  for (const { level, message } of findings) io.err(`${level}: ${message}\n`);
  io.err(`${counts}\n`);
  const fails = findings.some(({ level }) => level === 'error') || (flags.strict === true && lost > 0);
  return fails ? EXIT.failed : EXIT.done;
}

/** The MetricSources that the checks need, as a comment: whoever administers the cluster creates them, with their credentials. */
function commentOn(sources: readonly Source[], yaml: (one: object) => string): string {
  if (sources.length === 0) return '';
  const manifests = sources.map(({ name, type, url }) =>
    yaml({ apiVersion: 'tranche.dev/v1alpha1', kind: 'MetricSource', metadata: { name }, spec: { [type]: { url } } }),
  );
  const text = `The checks need these MetricSources. They are cluster-scoped: ask whoever administers the cluster.\n${manifests.join('---\n')}`;
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `# ${line}\n`)
    .join('');
}
