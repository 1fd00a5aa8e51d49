// Plans the takeover of one Deployment that OpenKruise Rollouts left: the next write, or why there is none. Pure.
import * as keys from '../../api/keys.ts';
import type { Deployment, Held, ReplicaSet, Rollout } from '../../api/types.ts';
import { patchFor } from '../admit/patch.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import { resolveLimits } from '../lib/replicas.ts';
import { deploymentTemplate, sameTemplate, UNKNOWN } from '../lib/template.ts';
import { namespaceFlag, pods } from '../lib/text.ts';
import {
  heldAnnotations,
  heldLabels,
  heldSettings,
  NO_BUDGET,
  writeHeld,
  type Settings,
} from '../workload/deployment/hold.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import { hashOf, isActive, isMarkedSet, sizeOf, type View } from '../workload/deployment/view.ts';
import type { ProgressFacts } from '../workload/kind.ts';
import { WITHOUT_HOLD } from '../workload/record.ts';
import { ownerOf } from './governing-rollout.ts';
import { leftoverOf, settingsBefore, tracesOf, type Leftover } from './openkruise.ts';
import {
  askForEnding,
  clean,
  endWithout,
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

/** The facts about one Deployment, read at the same time. */
export interface TakeoverFacts extends Pick<ProgressFacts, 'now' | 'digest'> {
  readonly deployment: Deployment;
  /** Rollouts in its namespace that name the Deployment. */
  readonly rollouts: readonly Rollout[];
  readonly replicaSets: readonly ReplicaSet[];
  /** Services in its namespace. */
  readonly services: readonly Service[];
  /** Other Deployments that OpenKruise created for its release. */
  readonly extras: readonly Deployment[];
}

/** The same facts give the same plan. After a plan is carried out, the next plan is `Nothing`. */
export function planTakeover(facts: TakeoverFacts, ending: Ending | undefined): TakeoverPlan {
  const { deployment } = facts;
  const owner = ownerOf(facts.rollouts);
  const leftover = leftoverOf(deployment, owner);
  if (leftover === undefined) return { kind: 'Nothing', says: 'it has no leftovers of OpenKruise Rollouts' };
  if (leftover === 'Traces') return clean(deploymentKind, deployment);
  const pinned = refusePinned(deploymentKind, deployment, facts.services);
  if (pinned) return pinned;
  const situation = look(facts, owner, leftover);
  const governor = governorOf(owner);
  if (isOver(situation)) return giveBack(situation, 'it has only one version left');
  if (situation.stable !== undefined && situation.stable === situation.view.newSet)
    return giveBack(situation, 'it has the stable template again and rolls back in a normal rolling update');
  if (governor) {
    const impossible = cannotHold(situation, governor);
    if (impossible) return impossible;
    return ending ? refuseEnding(deploymentKind, deployment, governor) : hold(situation, governor);
  }
  if (!ending) return askForEnding(deploymentKind, deployment, owner);
  const marked = situation.view.oldSets.find((set) => isActive(set) && isMarkedSet(set));
  if (marked) return unmark(situation, marked);
  const then = afterwards(situation);
  return ending === 'Finish'
    ? giveBack(situation, `it continues to its template in a normal rolling update, without steps${then}`)
    : rollBack(situation, then);
}

interface Situation {
  readonly deployment: Deployment;
  readonly leftover: Exclude<Leftover, 'Traces'>;
  /** The view of the Deployment after it is held. */
  readonly view: View;
  readonly stable: ReplicaSet | undefined;
  readonly settings: Settings;
  readonly guessed: boolean;
  readonly held: Held;
  /** The sum of the sizes of all ReplicaSets. */
  readonly sum: number;
  readonly extras: readonly Deployment[];
  /** What must be observed before the first write. */
  readonly unsettled: string | undefined;
}

function look(facts: TakeoverFacts, owner: Rollout | undefined, leftover: Exclude<Leftover, 'Traces'>): Situation {
  const { now, deployment, replicaSets, extras, digest } = facts;
  const rollout = owner ?? nobody(deploymentKind, deployment);
  const children = { replicaSets, pods: [] };
  const viewed = (as: Deployment): View => deploymentKind.progress({ now, rollout, digest }, as, children);
  const before = viewed(deployment);
  const { settings, guessed } = settingsBefore(deployment);
  const stable = stableOf(before, deployment, owner);
  const sum = before.updated + before.old;
  const surge = Math.max(0, sum - before.replicas);
  const limits = resolveLimits(settings.maxSurge, settings.maxUnavailable, before.replicas);
  const budget =
    surge > 0 ? { maxSurge: surge, maxUnavailable: Math.min(limits.unavailable, before.replicas) } : NO_BUDGET;
  const held: Held = {
    v: 1,
    rollout: rollout.metadata.name,
    user: settings,
    stable: stable ? digest(stable.spec.template) : UNKNOWN,
    budget,
  };
  const { maxSurge, maxUnavailable } = budget;
  const spec = {
    ...deployment.spec,
    paused: true,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  };
  const metadata = {
    ...deployment.metadata,
    annotations: { ...deployment.metadata.annotations, [keys.HELD]: writeHeld(held) },
  };
  const view = viewed({ ...deployment, metadata, spec });
  // With strategy Recreate, the Deployment controller does not scale several ReplicaSets. Otherwise it may still be scaling them.
  const recreate = deployment.spec.strategy?.type === 'Recreate';
  const late = [view.newSet, ...view.oldSets].find((set) => set && (set.status?.replicas ?? 0) < sizeOf(set));
  const unsettled =
    (recreate ? undefined : before.unsettled) ?? (late && `${late.metadata.name} to create its Pods`) ?? view.unsettled;
  return { deployment, leftover, view, stable, settings, guessed, held, sum, extras, unsettled };
}

/** The stable revision that OpenKruise recorded, or else the oldest revision that still has Pods, as OpenKruise chooses it. */
function stableOf(
  { newSet, oldSets }: View,
  deployment: Deployment,
  owner: Rollout | undefined,
): ReplicaSet | undefined {
  const all = newSet ? [newSet, ...oldSets] : oldSets;
  const noted = [deployment.metadata.labels?.[keys.STABLE_REVISION], owner?.status?.canaryStatus?.stableRevision];
  for (const hash of noted) {
    const found = hash ? all.find((set) => hashOf(set) === hash) : undefined;
    if (found) return found;
  }
  const revision = (set: ReplicaSet): number => Number(set.metadata.annotations?.[keys.REVISION] ?? Infinity);
  return oldSets.filter(isActive).toSorted((a, b) => revision(a) - revision(b))[0];
}

/** All Pods run the template, or there are no Pods: nothing is left to release in steps. */
function isOver({ view: { old, updated, replicas }, deployment, leftover, sum }: Situation): boolean {
  if (deployment.spec.paused !== true && leftover !== 'BlueGreen') return true;
  return replicas > 0 && (sum === 0 || (old === 0 && updated === replicas));
}

/** What the user must clean up: objects that OpenKruise created or changed beside the Deployment. */
function afterwards({ leftover, extras, deployment }: Situation): string {
  const { name } = deployment.metadata;
  const names = extras.map(({ metadata }) => metadata.name);
  if (names.length > 0)
    return `; then remove the finalizers of Deployment ${names.join(', ')}, which OpenKruise created, and delete it`;
  return leftover === 'BlueGreen'
    ? `; if a HorizontalPodAutoscaler targets ${name}-DisableByRollout, change its target to ${name}`
    : '';
}

function cannotHold(situation: Situation, rollout: Rollout): TakeoverPlan | undefined {
  const { deployment, leftover, extras, view, sum } = situation;
  const { name } = deployment.metadata;
  const where = namespaceFlag(deployment);
  const without = endWithout(deploymentKind, deployment, rollout);
  if (leftover === 'BlueGreen') return refuse('Tranche cannot continue its blue-green release', without);
  if (extras.length > 0)
    return refuse(
      `Tranche cannot continue its release with an extra Deployment (${extras.map(({ metadata }) => metadata.name).join(', ')})`,
      without,
    );
  const unsupported = refuseUnsupported(deploymentKind, deployment, rollout);
  if (unsupported) return unsupported;
  if (sum > view.replicas + view.limits.surge)
    return refuse(
      `it was scaled to ${view.replicas}, but its ReplicaSets have ${pods(sum)}`,
      `kubectl scale deployment ${name}${where} --replicas=${sum}, then try again; scale it after the takeover`,
    );
  return undefined;
}

/** Holds the Deployment as the webhook would. This write starts and ends nothing. */
function hold(situation: Situation, rollout: Rollout): TakeoverPlan {
  const { deployment, view, stable, held, guessed, sum } = situation;
  const missing = view.replicas - sum;
  const active = [view.newSet, ...view.oldSets].filter((set) => set !== undefined && isActive(set));
  const [largest] = view.oldSets.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  const set = stable && isActive(stable) ? stable : largest;
  if (set && missing > 0 && active.length > 1 && deployment.spec.strategy?.type === 'Recreate') {
    const size = sizeOf(set) + missing;
    const says = `ReplicaSet ${set.metadata.name}: scaled up by ${pods(missing)} to ${size}, so that all versions add up to ${view.replicas}`;
    return { kind: 'PatchReplicaSet', set, spec: { replicas: size }, says };
  }
  if (situation.unsettled) return wait(situation.unsettled);
  const stableHash = hashOf(stable);
  const ops = patch(deployment, heldSettings(held), {
    annotations: heldAnnotations(held),
    labels: {
      ...heldLabels(held),
      [keys.WORKLOAD_TYPE]: 'deployment',
      ...(stableHash ? { [keys.STABLE_REVISION]: stableHash } : {}),
    },
  });
  const says = `taken over: the Deployment stays held with ${view.updated} of ${pods(view.replicas)} updated, and ${onward(rollout, hashOf(view.newSet))}`;
  return { kind: 'PatchWorkload', ops, says, guessed: lost(guessed) };
}

/** Restores the user's settings and resumes in one write. Between two writes, strategy Recreate would delete every Pod. */
function giveBack({ deployment, settings, guessed }: Situation, says: string, template?: PatchOp): TakeoverPlan {
  const ops = patch(deployment, settings, {
    ...WITHOUT_HOLD,
  });
  return {
    kind: 'PatchWorkload',
    ops: template ? [...ops, template] : ops,
    says: `given back: ${says}`,
    guessed: lost(guessed),
  };
}

function rollBack(situation: Situation, then: string): TakeoverPlan {
  const { stable, deployment } = situation;
  if (!stable) return refuse('no ReplicaSet has the stable version', 'write --finish');
  const value = deploymentTemplate(stable.spec.template);
  const template: PatchOp | undefined = sameTemplate(value, deployment.spec.template)
    ? undefined
    : { op: 'replace', path: '/spec/template', value };
  return giveBack(
    situation,
    `it rolls back to the stable version (${hashOf(stable)}) in a normal rolling update${then}`,
    template,
  );
}

const unmark = ({ settings }: Situation, set: ReplicaSet): TakeoverPlan => ({
  kind: 'PatchReplicaSet',
  set,
  spec: { minReadySeconds: settings.minReadySeconds ?? 0 },
  says: `ReplicaSet ${set.metadata.name}: its Pods count as available again`,
});

const lost = (guessed: boolean): string | undefined =>
  guessed
    ? "maxSurge and maxUnavailable: both are set to Kubernetes' default, 25%; correct them afterwards"
    : undefined;

type Keys = Readonly<Record<string, string | null>>;

/** One write for this resourceVersion: the whole strategy, the new keys, and the removal of OpenKruise's keys. */
function patch(deployment: Deployment, settings: Settings, keep: { annotations: Keys; labels: Keys }): PatchOp[] {
  const { maxSurge, maxUnavailable, ...fields } = settings;
  const traces = tracesOf(deployment);
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
  return [
    version(deployment),
    ...patchFor(deploymentKind, deployment, {
      annotations: { ...traces.annotations, ...keep.annotations },
      labels: { ...traces.labels, ...keep.labels },
    }),
    ...Object.entries(fields).flatMap(([field, value]): PatchOp[] => {
      const now = (deployment.spec as Readonly<Record<string, unknown>>)[field];
      if (value === null) return now === undefined ? [] : [{ op: 'remove', path: `/spec/${field}` }];
      return now === value ? [] : [{ op: 'add', path: `/spec/${field}`, value }];
    }),
    { op: 'add', path: '/spec/strategy', value: strategy },
  ];
}
