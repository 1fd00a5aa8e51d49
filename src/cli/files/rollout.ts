// The one Rollout of a file.
import type { Rollout } from '../../api/types.ts';
import { validateRollout } from '../../engine/validate/rollout.ts';
import { sentence } from '../../engine/validate/violation.ts';
import { CliError, usageError } from '../exit.ts';
import type { Io } from '../io.ts';
import { asRollout } from './objects.ts';
import { readAll } from './read.ts';

/** "-" is standard input. Throws CliError unless the file has exactly one Rollout, and it is valid. */
export async function rolloutIn(io: Io, file: string): Promise<Rollout> {
  const objects = await readAll(io, [file]);
  const [found, another] = objects.map(asRollout).filter((one) => one !== undefined);
  if (found === undefined || another !== undefined)
    throw usageError(
      `${file} contains ${found === undefined ? 'no Rollout' : 'more than one Rollout'}: write a file with one`,
    );
  const { rollout, violations: shape } = found.shape;
  const judged = rollout ? validateRollout({ rollout, version: found.version }).violations : [];
  const violations = [...judged, ...shape];
  if (!rollout || violations.length > 0)
    throw new CliError(
      `the Rollout is invalid: ${violations.map(sentence).join('; ')}; for details: kubectl tranche lint`,
    );
  return rollout;
}
