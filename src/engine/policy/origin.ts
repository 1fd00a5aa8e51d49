// Whose change a release is: the people that `notAuthor` keeps from approving it, and those of whom nobody knows who they are.
import { CHANGED_BY } from '../../api/keys.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { HistoryEntry, KubeObject, Rollout } from '../../api/types.ts';
import { recordOn } from '../workload/record.ts';
import { readPlanChange } from './plan.ts';

export interface Origin {
  /** Who changed the template since the stable version, as the webhook noted it. */
  readonly authors: readonly string[];
  /** Who changed the plan in the middle of the release. */
  readonly planners: readonly string[];
  /** A change of the template that no webhook saw is part of it. */
  readonly unknown: boolean;
}

/** ServiceAccounts, nodes and Kubernetes' own components. The person behind one of them is not known. */
export const isMachine = (user: string): boolean => user.startsWith('system:');

export function originOf(rollout: Rollout | undefined, workload: KubeObject | undefined): Origin {
  const author = workload?.metadata.annotations?.[CHANGED_BY];
  const bypassed = workload !== undefined && recordOn(workload)?.bypassed !== undefined;
  // The annotation is that of an earlier change then.
  const latest = bypassed ? undefined : author;
  const earlier = supersededBefore(rollout?.status?.history ?? []).map((entry) => entry.author);
  const authors = [latest, ...earlier];
  return {
    authors: [...new Set(authors.filter((user) => user !== undefined))],
    planners: readPlanChange(rollout)?.users ?? [],
    unknown: authors.includes(undefined),
  };
}

/** The versions that the one in flight took the place of: their changes may be part of it. */
function supersededBefore(history: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const ended = history.filter(({ endTime }) => endTime !== undefined);
  const other = ended.findIndex(({ outcome }) => outcome !== 'Superseded');
  return other === -1 ? ended : ended.slice(0, other);
}

/** Changes of which nobody knows the person behind: each may be that of somebody who approves. */
export const strangersIn = ({ authors, planners, unknown }: Origin): number =>
  new Set([...authors, ...planners].filter(isMachine)).size + (unknown ? 1 : 0);

/** Different people that this policy wants: with `notAuthor`, one more for each change of which nobody knows the person behind. */
export const requiredBy = ({ spec }: ReleasePolicy, origin: Origin | undefined): number =>
  (spec.approval?.required ?? 1) + (spec.approval?.notAuthor === true && origin ? strangersIn(origin) : 0);
