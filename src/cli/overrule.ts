// An approval although a check is Worse: it has to be confirmed.
import { namespaceFlag } from '../engine/lib/text.ts';
import type { Rollout } from '../api/types.ts';
import { overruling } from '../view/checks.ts';
import { CliError } from './exit.ts';
import type { DryRun, Described } from './flags.ts';

export const YES: Described = ['--yes', 'Confirm an approval although a check is Worse'];

/**
 * What the approval overrules, for the message about its result. Empty if no check is Worse. Throws CliError if there is one, unless the user has
 * confirmed or nothing is changed. `command`: what to repeat with --yes, such as `approve web`.
 */
export function confirmOverruling(
  rollout: Rollout,
  command: string,
  confirmed: boolean | undefined,
  dryRun: DryRun,
): string {
  const found = overruling(rollout);
  if (found === undefined) return '';
  if (confirmed === true || dryRun !== 'none') return found.although;
  const at = namespaceFlag(rollout);
  throw new CliError(
    `this ${found.overrules}. To approve: kubectl tranche ${command}${at} --yes; ` +
      `to roll back: kubectl tranche abort ${rollout.metadata.name}${at}`,
  );
}
