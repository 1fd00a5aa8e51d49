// `kubectl tranche convert`: Argo Rollouts and Flagger, with a list of what has no counterpart.
import type { Run } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { parseObjects, readObjects } from '../files.ts';
import { convertArgo } from '../convert/argo.ts';
import { convertFlagger } from '../convert/flagger.ts';
import type { Converted, Json } from '../convert/types.ts';
import { lintContents } from './lint.ts';

export function convert(_: object, files: readonly string[]): Run {
  return async ({ io }) => {
    const { objects, mistakes } = await readObjects(io, files);
    const [mistake] = mistakes;
    if (mistake)
      throw new CliError(`${mistake.place.file}:${mistake.place.line}:${mistake.place.column}: ${mistake.message}`);
    const { stringify } = await import('yaml');
    const documents: string[] = [];
    for (const { object, place } of objects) {
      const converted = convertObject(object);
      if (!converted) continue;
      const { file, line } = place('kind');
      const name = (object['metadata'] as Json | undefined)?.['name'];
      for (const note of converted.notes)
        io.err(`${file}:${line}: ${String(object['kind'])} ${String(name)}: ${note}\n`);
      documents.push(...converted.objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })));
    }
    if (documents.length === 0)
      throw new CliError(
        `nothing to convert in ${files.join(', ')}: a Rollout of argoproj.io or a Canary of flagger.app is looked for`,
      );
    const text = documents.join('---\n');
    io.data(text);
    // What we write is held to what the webhook would say, like anybody's.
    const { findings } = await lintContents(parseObjects('the result', text), io.now());
    for (const { level, message } of findings) io.err(`${level}: ${message}\n`);
    return findings.some(({ level }) => level === 'error') ? EXIT.failed : EXIT.done;
  };
}

function convertObject(object: Json): Converted | undefined {
  const group = String(object['apiVersion'] ?? '').split('/', 1)[0];
  if (group === 'argoproj.io' && object['kind'] === 'Rollout') return convertArgo(object);
  if (group === 'flagger.app' && object['kind'] === 'Canary') return convertFlagger(object);
  return undefined;
}
