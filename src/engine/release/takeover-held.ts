// Plans the takeover of a workload that OpenKruise Rollouts held with a field that Tranche borrows too, such as the partition of a StatefulSet. Pure.
import * as keys from '../../api/keys.ts';
import type { IntOrString, Rollout, Workload } from '../../api/types.ts';
import { patchFor } from '../admit/patch.ts';
import { deploymentTemplate, sameTemplate, UNKNOWN } from '../lib/template.ts';
import { pods } from '../lib/text.ts';
import { formatTime } from '../lib/time.ts';
import type { Children } from '../snapshot.ts';
import type { Borrowed } from '../workload/edits.ts';
import type { OpenKruiseHold, Progress, ProgressFacts, Version, WorkloadKind } from '../workload/kind.ts';
import { WITHOUT_HOLD } from '../workload/record.ts';
import { ownerOf } from './governing-rollout.ts';
import { leftoverOf, tracesOf } from './openkruise.ts';
import {
  askForEnding,
  clean,
  governorOf,
  nobody,
  onward,
  refuse,
  refuseEnding,
  refusePinned,
  refuseUnsupported,
  version,
  wait,
  type Ending,
  type Service,
  type TakeoverPlan,
} from './takeover-plan.ts';

/** The facts about one workload, read at the same time. */
export interface HeldTakeoverFacts extends Pick<ProgressFacts, 'now' | 'digest'> {
  readonly kind: WorkloadKind & { readonly openKruise: OpenKruiseHold };
  readonly workload: Workload;
  /** Rollouts in its namespace that name the workload. */
  readonly rollouts: readonly Rollout[];
  readonly children: Children;
  /** Services in its namespace. */
  readonly services: readonly Service[];
  /** The user's own partition, as the user says it. OpenKruise does not keep it. */
  readonly partition: IntOrString | undefined;
}

/** The same facts give the same plan. After a plan is carried out, the next plan is `Nothing`. */
export function planHeldTakeover(facts: HeldTakeoverFacts, ending: Ending | undefined): TakeoverPlan {
  const { kind, workload, rollouts, services, children, now, digest } = facts;
  const owner = ownerOf(rollouts);
  const leftover = leftoverOf(workload, owner, kind);
  if (leftover === undefined) return { kind: 'Nothing', says: 'it has no leftovers of OpenKruise Rollouts' };
  if (leftover === 'Traces') return clean(kind, workload);
  const pinned = refusePinned(kind, workload, services);
  if (pinned) return pinned;
  const progress = kind.progress({ now, digest, rollout: owner ?? nobody(kind, workload) }, workload, children);
  if (progress.unsettled !== undefined) return wait(progress.unsettled);
  const stable = stableOf(progress, workload, owner);
  if (progress.replicas > 0 && progress.old === 0 && progress.updated === progress.replicas)
    return giveBack(facts, 'it has only one version left');
  if (stable !== undefined && stable === progress.newVersion)
    return giveBack(facts, 'it has the stable template again and rolls back in a normal rolling update');
  const governor = governorOf(owner);
  if (governor) {
    const impossible = refuseUnsupported(kind, workload, governor);
    if (impossible) return impossible;
    return ending ? refuseEnding(kind, workload, governor) : hold(facts, progress, stable, governor);
  }
  if (!ending) return askForEnding(kind, workload, owner);
  return ending === 'Finish'
    ? giveBack(facts, 'it continues to its template in a normal rolling update, without steps')
    : rollBack(facts, stable);
}

/** The stable revision that OpenKruise recorded, or else the oldest revision that still has Pods. */
function stableOf(
  { newVersion, oldVersions }: Progress,
  { metadata }: Workload,
  owner: Rollout | undefined,
): Version | undefined {
  const all = newVersion ? [newVersion, ...oldVersions] : oldVersions;
  // OpenKruise notes the hash alone for some kinds, and the name of the revision for others.
  for (const noted of [metadata.labels?.[keys.STABLE_REVISION], owner?.status?.canaryStatus?.stableRevision]) {
    const found = noted ? all.find(({ revision }) => revision === noted || revision.endsWith(`-${noted}`)) : undefined;
    if (found) return found;
  }
  const number = ({ number: text }: Version): number => Number(text ?? Infinity);
  return oldVersions.filter(({ replicas }) => replicas > 0).toSorted((a, b) => number(a) - number(b))[0];
}

/**
 * Holds every Pod, as the webhook would. This write starts and ends nothing: Pods of the new version keep it, and the operator lets the step continue
 * with them.
 */
function hold(
  { kind, workload, partition, digest }: HeldTakeoverFacts,
  progress: Progress,
  stable: Version | undefined,
  rollout: Rollout,
): TakeoverPlan {
  const user = kind.openKruise.user(workload, partition);
  const { held, borrowed } = kind.edits.holdFirst({ next: workload, fieldManager: '' }, workload, user, {
    rollout,
    stable: stable ? digest(stable.template) : UNKNOWN,
  });
  // Pods of the new version may be below the user's partition.
  const record = progress.updated > 0 ? { ...held, moved: formatTime(progress.now) } : held;
  const { annotations, labels } = kind.edits.metadataOf(record);
  return write(
    { kind, workload },
    borrowed,
    {
      annotations,
      labels: {
        ...labels,
        [keys.WORKLOAD_TYPE]: kind.workloadType,
        ...(stable?.revision ? { [keys.STABLE_REVISION]: stable.revision } : {}),
      },
    },
    {
      says:
        `taken over: the ${kind.resource.kind} stays held with ${progress.updated} of ${pods(progress.replicas)} updated, ` +
        `and ${onward(rollout, progress.newVersion?.revision ?? '')}`,
      guessed: partition === undefined ? lost(kind, user) : undefined,
    },
  );
}

/** Restores the user's values, so that the workload's controller updates all Pods. */
function giveBack(facts: HeldTakeoverFacts, why: string, template?: Version['template']): TakeoverPlan {
  const { kind, workload } = facts;
  const user = kind.openKruise.user(workload, undefined);
  const plan = write(facts, user, WITHOUT_HOLD, { says: `given back: ${why}`, guessed: lost(kind, user) });
  if (template === undefined || plan.kind !== 'PatchWorkload') return plan;
  return { ...plan, ops: [...plan.ops, { op: 'replace', path: '/spec/template', value: template }] };
}

function rollBack(facts: HeldTakeoverFacts, stable: Version | undefined): TakeoverPlan {
  if (!stable) return refuse('no revision has the stable version', 'write --finish');
  const template = deploymentTemplate(stable.template);
  const why = `it rolls back to the stable version (${stable.revision}) in a normal rolling update`;
  return giveBack(facts, why, sameTemplate(template, facts.workload.spec.template) ? undefined : template);
}

/** What OpenKruise did not keep. */
const lost = ({ words, openKruise }: WorkloadKind, user: Borrowed): string | undefined =>
  openKruise?.known
    ? undefined
    : `${Object.keys(user)
        .map((field) => words.fields[field])
        .join(' and ')}: it is removed when the release ends; if you had set it, set it again`;

type Keys = Readonly<Record<string, string | null>>;

/** One write for this resourceVersion: the borrowed fields, the new keys, and the removal of OpenKruise's keys. */
function write(
  { kind, workload }: Pick<HeldTakeoverFacts, 'kind' | 'workload'>,
  borrowed: Borrowed,
  keep: { annotations?: Keys; labels?: Keys },
  more: { says: string; guessed: string | undefined },
): TakeoverPlan {
  const traces = tracesOf(workload);
  const ops = patchFor(kind, workload, {
    annotations: { ...traces.annotations, ...keep.annotations },
    labels: { ...traces.labels, ...keep.labels },
    borrowed,
  });
  return { kind: 'PatchWorkload', ops: [version(workload), ...ops], ...more };
}
