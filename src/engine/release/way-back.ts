// The way back to the stable version: which template to put in place, from a ReplicaSet or from the copy that is kept of it.
import type { Held, PodTemplate } from '../../api/types.ts';
import { revertDeployment } from '../workload/deployment/effects.ts';
import { deploymentTemplate, sameTemplate } from '../lib/template.ts';
import { nothing, type Decision, type Effect, type Snapshot } from '../snapshot.ts';
import { copyName, templateOf } from './stable.ts';
import type { View } from '../workload/deployment/view.ts';

export type WayBack =
  /** This is the stable template: its digest is the one on record. */
  | { readonly kind: 'Template'; readonly template: PodTemplate }
  /** No ReplicaSet has it: the copy of this name is to be read first. */
  | { readonly kind: 'Ask'; readonly decision: Decision }
  | { readonly kind: 'Unknown' };

type Facts = Pick<Snapshot, 'digest' | 'copy' | 'gate'>;

/** A ReplicaSet may have been edited: a template counts only by its digest. */
export function wayBack({ digest, copy, gate }: Facts, view: View, held: Held): WayBack {
  const { deployment, newSet, oldSets, stableSet } = view;
  const sets = newSet ? [newSet, ...oldSets] : oldSets;
  const known = sets.find((set) => digest(set.spec.template) === held.stable);
  if (known) return { kind: 'Template', template: deploymentTemplate(known.spec.template) };
  if (copy === undefined) {
    const needsCopy = copyName(deployment, held.stable);
    return { kind: 'Ask', decision: { ...nothing, needsChildren: true, needsCopy } };
  }
  const kept = templateOf(copy ?? undefined, held.stable, digest);
  if (kept !== undefined) return { kind: 'Template', template: kept };
  // A newer API server may have added a default to it since. Where a policy protects the release, that is too little to go by.
  return stableSet !== undefined && gate?.protects === undefined
    ? { kind: 'Template', template: deploymentTemplate(stableSet.spec.template) }
    : { kind: 'Unknown' };
}

/** Undefined when the Deployment has it already. `record` is written with it. */
export const goBack = ({ deployment }: View, template: PodTemplate, record?: Held): Effect | undefined =>
  sameTemplate(deployment.spec.template, template) ? undefined : revertDeployment(deployment, template, record);
