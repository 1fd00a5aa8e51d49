// The way back to the stable version: which template to put in place, from a ReplicaSet or from the copy that is kept of it.
import type { HoldRecord, PodTemplate } from '../../api/types.ts';
import { deploymentTemplate, sameTemplate } from '../lib/template.ts';
import { nothing, type Decision, type Effect } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { copyName, templateOf } from './stable.ts';
import type { Progress } from '../workload/kind.ts';

export type WayBack =
  /** This is the stable template: its digest is the one on record. */
  | { readonly kind: 'Template'; readonly template: PodTemplate }
  /** No ReplicaSet has it: the copy of this name is to be read first. */
  | { readonly kind: 'Ask'; readonly decision: Decision }
  | { readonly kind: 'Unknown' };

type Facts = Pick<Snapshot, 'digest' | 'copy' | 'gate'>;

/** A ReplicaSet may have been edited: a template counts only by its digest. */
export function wayBack({ digest, copy, gate }: Facts, progress: Progress, held: HoldRecord): WayBack {
  const { workload, newVersion, oldVersions, stableVersion } = progress;
  const versions = newVersion ? [newVersion, ...oldVersions] : oldVersions;
  const known = versions.find(({ template }) => digest(template) === held.stable);
  if (known) return { kind: 'Template', template: deploymentTemplate(known.template) };
  if (copy === undefined) {
    const needsCopy = copyName(workload, held.stable);
    return { kind: 'Ask', decision: { ...nothing, needsChildren: true, needsCopy } };
  }
  const kept = templateOf(copy ?? undefined, held.stable, digest);
  if (kept !== undefined) return { kind: 'Template', template: kept };
  // A newer API server may have added a default to it since. Where a policy protects the release, that is too little to go by.
  return stableVersion !== undefined && gate?.protects === undefined
    ? { kind: 'Template', template: deploymentTemplate(stableVersion.template) }
    : { kind: 'Unknown' };
}

/** Undefined when the workload has it already. `record` is written with it. */
export const goBack = ({ kind, workload }: Progress, template: PodTemplate, record?: HoldRecord): Effect | undefined =>
  sameTemplate(workload.spec.template, template) ? undefined : kind.revert(workload, template, record);
