// A new attempt: of a stalled release, whose unready Pods are replaced, or of a version that was rolled back.
import type { HistoryEntry } from '../../api/types.ts';
import { deploymentTemplate } from '../../engine/lib/template.ts';
import { plural } from '../../engine/lib/text.ts';
import { isTrue } from '../../engine/status.ts';
import { readySince } from '../../engine/workload/pods.ts';
import type { Facts } from '../facts.ts';
import { kindFor } from '../facts.ts';
import { isHeldByCheck, stateOf } from '../state.ts';
import { Refusal } from './refusal.ts';
import { commandFor, standing, type Target } from './target.ts';
import { deletePod, replaceTemplate, type Write } from './write.ts';

const UNDONE = new Set<string | undefined>(['RolledBack', 'Failed']);

export interface Retrying {
  readonly writes: readonly Write[];
  readonly says: string;
}

/** What there is to retry: a stalled release, or the last release in the history. Throws Refusal if there is nothing. */
export function retryable(target: Target): 'Stalled' | HistoryEntry {
  const { rollout, deployment } = target;
  if (isHeldByCheck(rollout))
    throw new Refusal(`nothing to retry: ${rollout.status?.message}; to roll back: ${commandFor('abort', rollout)}`);
  if (rollout.status?.phase === 'Progressing' && isTrue(rollout, 'Stalled')) return 'Stalled';
  const [last] = rollout.status?.history ?? [];
  if (stateOf(rollout, deployment) === 'Idle' && last && UNDONE.has(last.outcome)) return last;
  throw new Refusal(
    `nothing to retry: ${rollout.metadata.name} has no stalled or rolled back release (${standing(target)})`,
  );
}

/** Throws Refusal. */
export function retry(facts: Facts): Retrying {
  const last = retryable(facts);
  return last === 'Stalled' ? startAnew(facts) : releaseAgain(facts, last);
}

/** Deletes the Pods of the new version that are not ready. Throws Refusal. */
export function startAnew({ rollout, view }: Facts): Retrying {
  const bad = (view?.pods ?? []).filter((pod) => readySince(pod, Infinity) === undefined);
  const missing = view ? (view.missing?.pods ?? view.updated - view.pods.length) : 0;
  if (bad.length === 0 && (missing > 0 || (view && !view.newVersion)))
    throw new Refusal(
      `nothing to retry: Pods of the new version of ${rollout.metadata.name} are not created yet, and Kubernetes retries by itself: ` +
        `${rollout.status?.message ?? ''}`,
    );
  if (!view || bad.length === 0)
    throw new Refusal(
      `nothing to retry: all Pods of the new version of ${rollout.metadata.name} are ready; the release continues by itself`,
    );
  const names = bad.map(({ metadata }) => metadata.name).join(', ');
  return {
    writes: bad.map(deletePod),
    says: `${plural(bad.length, 'unready Pod')} of the new version deleted, to be replaced: ${names}`,
  };
}

/** Throws Refusal. */
export function releaseAgain({ rollout, deployment, view }: Facts, last: HistoryEntry): Retrying {
  const set = view?.oldVersions.find(({ revision }) => revision === last.revision);
  if (!deployment || !set)
    throw new Refusal(
      `no ${view?.kind.words.keeper ?? 'ReplicaSet'} has the rolled back version (${last.revision || 'it had no Pods'}): apply its manifest again`,
    );
  return {
    writes: [replaceTemplate(kindFor(rollout).resource, deployment, deploymentTemplate(set.template))],
    says: `${rollout.metadata.name} releases ${last.revision} again from step 1`,
  };
}
