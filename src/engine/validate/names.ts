// Checks that spec.workloadRef.name is a valid name, at admission and again for stored Rollouts.
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { Rollout } from '../../api/types.ts';
import type { Violation } from './violation.ts';

/** A stored kind may be any text. */
const kindNamed = (kind: unknown): string =>
  kind === 'StatefulSet' || kind === 'DaemonSet' || kind === 'CloneSet' ? kind : 'Deployment';

/** Undefined if the name is valid. Older schemas accepted any name. */
export function misnamedWorkload({ spec }: Rollout): Violation | undefined {
  const value: unknown = spec.workloadRef.name;
  if (isName(SUBDOMAIN_NAME, value)) return undefined;
  const { must, maxLength, example } = SUBDOMAIN_NAME;
  const tooLong = typeof value === 'string' && value.length > maxLength;
  return {
    field: 'spec.workloadRef.name',
    value,
    reason: value === undefined ? '' : tooLong ? `must be no more than ${maxLength} characters` : must,
    remedy: `write the name of a ${kindNamed(spec.workloadRef.kind)} in the same namespace, such as "${example}"`,
  };
}
