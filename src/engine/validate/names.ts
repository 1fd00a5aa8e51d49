// Is the workload's name one that an object can have at all? Asked of what is written, and again of what is stored.
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { Rollout } from '../../api/types.ts';
import type { Violation } from './violation.ts';

/** Undefined where it is. Older schemas, and whatever goes past them, let anything be stored. */
export function misnamedWorkload({ spec }: Rollout): Violation | undefined {
  const value: unknown = spec.workloadRef.name;
  if (isName(SUBDOMAIN_NAME, value)) return undefined;
  const { must, maxLength, example } = SUBDOMAIN_NAME;
  const tooLong = typeof value === 'string' && value.length > maxLength;
  return {
    field: 'spec.workloadRef.name',
    value,
    reason: `is not a name: ${tooLong ? `must be no more than ${maxLength} characters` : must}`,
    remedy: `write the name of a Deployment of the same namespace, such as "${example}"`,
  };
}
