// Finds the stable template, in a ReplicaSet or in the copy of it, to roll back to it.
import type { HoldRecord, PodTemplate } from '../../api/types.ts';
import { deploymentTemplate, sameTemplate } from '../lib/template.ts';
import { nothing, type Decision, type Effect } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { copyName, templateOf } from './stable.ts';
import type { Progress } from '../workload/kind.ts';

export type WayBack =
  /** The stable template: its digest is the recorded one. */
  | { readonly kind: 'Template'; readonly template: PodTemplate }
  /** No ReplicaSet has the template, so the copy must be read first. */
  | { readonly kind: 'Ask'; readonly decision: Decision }
  | { readonly kind: 'Unknown' };

type Facts = Pick<Snapshot, 'digest' | 'copy' | 'gate'>;

/** A ReplicaSet may have been edited, and a ControllerRevision replaced, so only a template with the recorded digest counts. */
export function wayBack({ digest, copy, gate }: Facts, progress: Progress, held: HoldRecord): WayBack {
  const { kind, workload, newVersion, oldVersions, stableVersion } = progress;
  const versions = newVersion ? [newVersion, ...oldVersions] : oldVersions;
  const known = versions.find(({ template }) => digest(template) === held.stable);
  if (known) return { kind: 'Template', template: deploymentTemplate(known.template) };
  if (copy === undefined) {
    const needsCopy = copyName(workload, held.stable);
    return { kind: 'Ask', decision: { ...nothing, needsChildren: true, needsCopy } };
  }
  const kept = templateOf(copy ?? undefined, held.stable, digest);
  if (kept !== undefined) return { kind: 'Template', template: kept };
  // A newer API server may have added a default to a ReplicaSet since; nothing changes a ControllerRevision. If a policy protects the release, this
  // version is not trusted.
  return stableVersion !== undefined && gate?.protects === undefined && !kind.children.includes('revisions')
    ? { kind: 'Template', template: deploymentTemplate(stableVersion.template) }
    : { kind: 'Unknown' };
}

/** Restores the template and writes the record. Undefined if the workload already has the template. */
export const goBack = ({ kind, workload }: Progress, template: PodTemplate, record?: HoldRecord): Effect | undefined =>
  sameTemplate(workload.spec.template, template) ? undefined : kind.revert(workload, template, record);
