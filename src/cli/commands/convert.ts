// `kubectl tranche convert`: Argo Rollouts and Flagger, with a list of what has no counterpart.
import type { Run } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { parseObjects, readObjects } from '../files.ts';
import { convertArgo } from '../convert/argo.ts';
import { convertCompanion } from '../convert/companions.ts';
import { convertFlagger } from '../convert/flagger.ts';
import { asObject, type Converted, type Json } from '../convert/types.ts';
import { lintContents } from './lint.ts';

export function convert(_: object, files: readonly string[]): Run {
  return async ({ io }) => {
    const { objects, mistakes } = await readObjects(io, files);
    const [mistake] = mistakes;
    if (mistake)
      throw new CliError(`${mistake.place.file}:${mistake.place.line}:${mistake.place.column}: ${mistake.message}`);
    const { stringify } = await import('yaml');
    const documents: string[] = [];
    const all = objects.map(({ object }) => object);
    let found = false;
    for (const { object, place } of objects) {
      const converted = convertObject(object, all);
      if (!converted) continue;
      found ||= converted.objects.some(({ kind }) => kind === 'Rollout');
      const { file, line } = place('kind');
      const name = (object['metadata'] as Json | undefined)?.['name'];
      for (const note of converted.notes)
        io.err(`${file}:${line}: ${String(object['kind'])} ${String(name)}: ${note}\n`);
      documents.push(...converted.objects.map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })));
    }
    if (!found)
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

function convertObject(object: Json, all: readonly Json[]): Converted | undefined {
  if (isArgo(object)) return convertArgo(object);
  if (groupOf(object) === 'flagger.app' && object['kind'] === 'Canary') return convertFlagger(object);
  return convertCompanion(object, (rollout) => deploymentOf(rollout, all));
}

/** An Argo Rollout with a workloadRef has a Deployment of another name, perhaps. */
function deploymentOf(rollout: string, all: readonly Json[]): string {
  const argo = all.find((one) => isArgo(one) && asObject(one['metadata'])?.['name'] === rollout);
  const ref = asObject(asObject(argo?.['spec'])?.['workloadRef']);
  return String(ref?.['name'] ?? rollout);
}

const groupOf = (object: Json): string => String(object['apiVersion'] ?? '').split('/', 1)[0]!;
const isArgo = (object: Json): boolean => groupOf(object) === 'argoproj.io' && object['kind'] === 'Rollout';
