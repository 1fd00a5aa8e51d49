// The restoring of an earlier template, for undo and abort: which version, and what follows.
import { HELD, PAUSED_UNSEEN } from '../../api/keys.ts';
import type { Deployment, HoldRecord, PodTemplate } from '../../api/types.ts';
import { deploymentTemplate, sameTemplate, type DigestOf } from '../../engine/lib/template.ts';
import type { Progress, Version as KeptVersion, WorkloadKind } from '../../engine/workload/kind.ts';
import { kindFor, versionsOf } from '../facts.ts';
import { isUnreported, stateOf } from '../state.ts';
import { Refusal } from './refusal.ts';
import { inRelease, standing, type Target } from './target.ts';
import { replaceTemplate, type Write } from './write.ts';

/** A template to restore, and its name in messages. */
export interface Version {
  readonly template: PodTemplate;
  readonly name: string;
}

/** The versions to choose from. */
export interface Versions extends Target {
  readonly kind: WorkloadKind;
  readonly deployment: Deployment;
  /** The record of the hold; undefined if the workload is not held or the record is not readable. */
  readonly held: HoldRecord | undefined;
  /** The versions that ReplicaSets or ControllerRevisions have. */
  readonly sets: readonly KeptVersion[];
  readonly digest: DigestOf;
}

/** Throws Refusal without a workload. */
export function versionsFor({ rollout, deployment }: Target, view: Progress | undefined, digest: DigestOf): Versions {
  const kind = kindFor(rollout);
  refuseGone({ rollout, deployment });
  return { rollout, kind, deployment: deployment!, held: kind.readHold(deployment!), sets: versionsOf(view), digest };
}

/** Throws Refusal if the workload does not exist. */
export function refuseGone({ rollout, deployment }: Target): void {
  if (!deployment)
    throw new Refusal(
      `${kindFor(rollout).resource.kind} "${rollout.spec.workloadRef.name}" of Rollout "${rollout.metadata.name}" does not exist`,
    );
}

export const versionOf = ({ template, number, revision }: KeptVersion): Version => ({
  template: deploymentTemplate(template),
  name: `revision ${number ?? '?'} (${revision})`,
});

/** True if the API server paused the template, and no webhook saw it. */
export const isPausedUnseen = ({ metadata }: Deployment): boolean =>
  metadata.annotations?.[PAUSED_UNSEEN] !== undefined;

export interface PuttingBack {
  readonly write: Write;
  /** `Deployment web has the template of revision 1 (5d4f) again` */
  readonly what: string;
  /** What follows, if a webhook sees the change: `the release is cancelled and rolls back immediately, without steps`. */
  readonly follows: string;
  /** It is the stable version of the release in progress. */
  readonly toStable: boolean;
}

export function putBack({ template, name }: Version, found: Versions): PuttingBack {
  const { rollout, kind, deployment, held, digest } = found;
  const noun = kind.resource.kind;
  const toStable = held !== undefined && digest(template) === held.stable;
  const follows = toStable
    ? kind.isPaused(held)
      ? `the release is cancelled; the ${noun} stays paused because its ${kind.words.pause} is set`
      : 'the release is cancelled and rolls back immediately, without steps'
    : rollout.spec.disabled === true || rollout.metadata.deletionTimestamp !== undefined
      ? `the Rollout is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}, so this is a normal rolling update`
      : held !== undefined
        ? 'it replaces the current release and starts at step 1'
        : 'it goes through the steps like any other change';
  return {
    write: replaceTemplate(kind.resource, deployment, template),
    what: `${noun} ${deployment.metadata.name} has the template of ${name} again`,
    follows,
    toStable,
  };
}

// Which version ------------------------------------------------------------------------------------------------------

/** True if `abort` restores the stable version. A text: there is nothing to abort, and why. Throws Refusal. */
export function abortable(found: Versions): true | string {
  const { rollout, deployment, held } = found;
  const nothing = `nothing to abort: ${rollout.metadata.name}`;
  if (stateOf(rollout, deployment) === 'RollingBack')
    return `${nothing} is already rolling back: ${rollout.status?.message}`;
  if (held === undefined && !isPausedUnseen(deployment)) {
    if (rollout.status?.phase !== 'Progressing' && !isUnreported(rollout, deployment))
      return `${nothing} has no release in progress (${standing(found)})`;
    inRelease(found, 'abort');
  }
  return true;
}

/** What `undo` restores: during a release the stable version, otherwise the one before, unless the user names a revision. Throws Refusal. */
export function undoChoice(found: Versions, revision?: number): Version | 'Stable' {
  const { rollout, deployment, held, sets } = found;
  if (revision !== undefined) return versionOf(byRevision(sets, revision, deployment));
  return held !== undefined || rollout.status?.phase === 'Progressing' ? 'Stable' : versionOf(previous(found));
}

const revisionOf = ({ number }: KeptVersion): number => Number(number ?? 0);

function previous({ sets, kind, deployment }: Versions): KeptVersion {
  if (deployment.metadata.annotations?.[HELD] !== undefined)
    throw new Refusal(
      `the record of the hold of ${deployment.metadata.name} is not readable; to repair it: kubectl tranche doctor`,
    );
  const [last] = others(sets, deployment);
  if (last === undefined)
    throw new Refusal(`${deployment.metadata.name} has no earlier revision: no ${kind.words.keeper} has one`);
  return last;
}

/** The versions with another template than the current one, the latest first. */
export const others = (sets: readonly KeptVersion[], deployment: Deployment): KeptVersion[] =>
  sets
    .filter(({ template }) => !sameTemplate(template, deployment.spec.template))
    .toSorted((a, b) => revisionOf(b) - revisionOf(a));

/** Throws Refusal. `current`: the current version can be chosen, too. */
export function byRevision(
  sets: readonly KeptVersion[],
  revision: number,
  deployment: Deployment,
  current = false,
): KeptVersion {
  const found = sets.find((set) => revisionOf(set) === revision);
  const name = deployment.metadata.name;
  if (found === undefined) {
    const known = sets.map(revisionOf).filter((one) => one > 0);
    throw new Refusal(
      `${name} has no revision ${revision}; existing revisions: ${known.sort((a, b) => a - b).join(', ') || 'none'}`,
    );
  }
  if (!current && sameTemplate(found.template, deployment.spec.template))
    throw new Refusal(`${name} is already at revision ${revision}`);
  return found;
}

/** The stable version, as far as ReplicaSets or ControllerRevisions have it. `byDigest`: it is the one that the record of the hold names. */
export function stableAmong({ rollout, held, sets, digest }: Versions): {
  readonly version: Version | undefined;
  readonly byDigest: boolean;
} {
  const byDigest = sets.find(({ template }) => held !== undefined && digest(template) === held.stable);
  if (byDigest) return { version: versionOf(byDigest), byDigest: true };
  const revision = rollout.status?.canaryStatus?.stableRevision;
  const byHash = sets.find((set) => revision !== undefined && revision !== '' && set.revision === revision);
  return { version: byHash && versionOf(byHash), byDigest: false };
}

/** Why the stable version is not restored. */
export const noStable = ({ kind, deployment }: Versions): Refusal =>
  new Refusal(
    `no ${kind.words.keeper} of ${deployment.metadata.name} has the stable version: apply its manifest instead`,
  );

/** The workload has the template of this version. */
export const isCurrent = ({ template }: Version, { deployment }: Versions): boolean =>
  sameTemplate(template, deployment.spec.template);

export const hasAlready = ({ deployment }: Versions): string =>
  `${deployment.metadata.name} already has the stable version`;
