// Breaking the glass: who may bypass a policy, and for which release the mark counts. A mark counts for one release of one workload, from one
// version to one other. No label extends it to the next release.
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Workload } from '../../api/types.ts';
import type { DigestOf } from '../lib/template.ts';
import { rolloutIdOf } from '../release/release-id.ts';
import { recordOn } from '../workload/record.ts';

export type Release = Pick<BrokenGlass, 'rolloutID' | 'uid' | 'template' | 'stable'>;

/** The release of a workload, as a mark identifies it. */
export function releaseOf(workload: Workload, digest: DigestOf): Release {
  const { uid } = workload.metadata;
  const rolloutID = rolloutIdOf(workload);
  const stable = recordOn(workload)?.stable;
  return {
    ...(rolloutID !== undefined && { rolloutID }),
    ...(uid !== undefined && { uid }),
    template: digest(workload.spec.template),
    ...(stable !== undefined && { stable }),
  };
}

/** True if the mark is about this release. Older versions wrote marks without a release. They count for none. */
export const isAbout = (mark: BrokenGlass, release: Release): boolean =>
  mark.template !== undefined &&
  (['rolloutID', 'uid', 'template', 'stable'] as const).every((fact) => mark[fact] === release[fact]);

export const mayBreak = (policy: ReleasePolicy, groups: readonly string[]): boolean =>
  policy.spec.breakGlass?.groups.some((group) => groups.includes(group)) ?? false;

/** Names of the policies that this person may bypass. */
export const breakableBy = (policies: readonly ReleasePolicy[], groups: readonly string[]): string[] =>
  policies.filter((policy) => mayBreak(policy, groups)).map(({ metadata }) => metadata.name);

/** Parses the webhook's annotation. Undefined if it is absent or invalid. */
export function readBreakGlass(annotation: string | undefined): BrokenGlass | undefined {
  if (annotation === undefined) return undefined;
  try {
    const value = JSON.parse(annotation) as Partial<BrokenGlass> | null;
    const ours = typeof value?.user === 'string' && typeof value.reason === 'string' && typeof value.time === 'string';
    const policies = Array.isArray(value?.policies) ? value.policies : [];
    return ours ? { ...(value as BrokenGlass), policies } : undefined;
  } catch {
    return undefined;
  }
}
