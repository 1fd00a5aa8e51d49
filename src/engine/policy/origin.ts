// The authors of a release: `notAuthor` does not let them approve it. The person behind a machine account is unknown.
import { CHANGED_BY } from '../../api/keys.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { HistoryEntry, KubeObject, Rollout } from '../../api/types.ts';
import { recordOn } from '../workload/record.ts';
import { readPlanChange } from './plan.ts';

export interface Origin {
  /** Users who changed the template since the stable version, as the webhook recorded them. */
  readonly authors: readonly string[];
  /** Users who changed the plan during the release. */
  readonly planners: readonly string[];
  /** The release contains a change of the template that no webhook saw. */
  readonly unknown: boolean;
}

/** ServiceAccounts, nodes and components of Kubernetes. The person behind such an account is unknown. */
export const isMachine = (user: string): boolean => user.startsWith('system:');

export function originOf(rollout: Rollout | undefined, workload: KubeObject | undefined): Origin {
  const author = workload?.metadata.annotations?.[CHANGED_BY];
  const bypassed = workload !== undefined && recordOn(workload)?.bypassed !== undefined;
  // Then the annotation is from an earlier change.
  const latest = bypassed ? undefined : author;
  const earlier = supersededBefore(rollout?.status?.history ?? []).map((entry) => entry.author);
  const authors = [latest, ...earlier];
  return {
    authors: [...new Set(authors.filter((user) => user !== undefined))],
    planners: readPlanChange(rollout)?.users ?? [],
    unknown: authors.includes(undefined),
  };
}

/** The versions that the current one superseded. Their changes may be part of it. */
function supersededBefore(history: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const ended = history.filter(({ endTime }) => endTime !== undefined);
  const other = ended.findIndex(({ outcome }) => outcome !== 'Superseded');
  return other === -1 ? ended : ended.slice(0, other);
}

/** Number of changes by an unknown person. Each of them may be an approver. */
export const strangersIn = ({ authors, planners, unknown }: Origin): number =>
  new Set([...authors, ...planners].filter(isMachine)).size + (unknown ? 1 : 0);

/** Number of different approvers that this policy requires: with `notAuthor`, one more for each change by an unknown person. */
export const requiredBy = ({ spec }: ReleasePolicy, origin: Origin | undefined): number =>
  (spec.approval?.required ?? 1) + (spec.approval?.notAuthor === true && origin ? strangersIn(origin) : 0);
