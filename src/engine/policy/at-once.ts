// The rule about a field of the template that takes effect on all nodes at once.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Finding } from './policy.ts';

export interface AtOnce {
  readonly policies: readonly ReleasePolicy[];
  /** The field. Undefined if the edit changes none. */
  readonly atOnce?: string | undefined;
  /** A release of the workload is in progress. */
  readonly superseding: boolean;
}

/** Findings under policies that require steps or protect the release: Pods of the new version would start without steps and approvals. */
export function startsAtOnce({ policies, atOnce, superseding }: AtOnce): Finding[] {
  if (atOnce === undefined) return [];
  return policies.flatMap((policy): Finding[] => {
    const { requireRollout, protectInFlight } = policy.spec;
    if (requireRollout !== true && !(superseding && protectInFlight === true)) return [];
    return [
      {
        field: atOnce,
        value: 'changed',
        type: 'Forbidden',
        policy,
        rule: requireRollout === true ? 'requireRollout' : 'protectInFlight',
        rank: 0,
        reason: `takes effect on all nodes at once, so Pods of the new version would start without steps (policy ${policy.metadata.name})`,
        remedy: superseding ? 'change it when the release has ended' : 'change it alone, in a release of its own',
      },
    ];
  });
}
