// The versions that a Rollout has completed, and which of them a change may go back to at once, without steps (docs/adr/0020).
import { kindName } from '../../api/resources.ts';
import { kindOf } from '../workload/registry.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { CanaryStatus, CompletedVersion, Deployment, Rollout, TemplateDigest } from '../../api/types.ts';
import type { Sha256 } from '../lib/template.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { approvalsOf, standingOf, type Standing } from '../policy/approval.ts';
import { planDigest } from '../policy/plan.ts';
import { windowLimits } from '../policy/rollback-window.ts';

/** Why a version may be restored without steps: the Rollout's rollbackWindow, or an approval (`kubectl tranche undo --now`). */
export type Grant = 'Window' | 'Approval';

/** The current version, and the number of earlier ones that rollbackWindow.revisions may name. */
const KEPT = 11;
/** `step` of an approval to restore a version. */
export const UNDO_STEP = 0;
/** An approval that is not used in this time has no effect. */
export const UNDO_SECONDS = 900;
/** The operator sees a change later than admission. */
export const LAG_MS = 60_000;

/**
 * The record after a version became the stable one. A version is added only if it is `completed`. A version that is already in the record moves to
 * its front.
 */
export function remember(
  known: readonly CompletedVersion[],
  { workload, templateDigest, revision }: Pick<CompletedVersion, 'workload' | 'templateDigest' | 'revision'>,
  completed: boolean,
  now: number,
): readonly CompletedVersion[] {
  const time = formatTime(now);
  const own = known.filter((one) => one.workload === workload);
  const before = own.find((one) => one.templateDigest === templateDigest);
  const others = own
    .filter((one) => one !== before)
    .map((one) => (one.replacedTime === undefined ? { ...one, replacedTime: time } : one));
  if (!completed && before === undefined) return others;
  const completedTime = completed || before === undefined ? time : before.completedTime;
  return [{ workload, templateDigest, revision, completedTime }, ...others].slice(0, KEPT);
}

/** The workload of a Rollout, as in the record. The name of a Rollout's workload can change. */
export const completedBy = ({ spec: { workloadRef } }: Rollout): string =>
  `${kindName(kindOf(workloadRef)?.resource ?? workloadRef)}/${workloadRef.name}`;

/** The completed versions that a change can go back to, the latest first: all of this workload but the stable version. */
export const earlierVersions = (rollout: Rollout): readonly CompletedVersion[] =>
  (rollout.status?.completedVersions ?? []).filter(
    ({ workload, templateDigest }) =>
      workload === completedBy(rollout) && templateDigest !== rollout.status?.canaryStatus?.stableDigest,
  );

/** True if this is a completed version, and not the stable one. */
export const isEarlier = (rollout: Rollout, template: TemplateDigest): boolean =>
  earlierVersions(rollout).some(({ templateDigest }) => templateDigest === template);

/** True if a version may be restored without steps, so that policies must be asked. */
export const mayRestore = (rollout: Rollout): boolean =>
  earlierVersions(rollout).length > 0 &&
  (rollout.spec.strategy.canary?.rollbackWindow !== undefined ||
    rollout.status?.canaryStatus?.approvals?.some(({ step }) => step === UNDO_STEP) === true);

export interface GrantFacts {
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
  /** The policies that match the workload. */
  readonly policies: readonly ReleasePolicy[];
  readonly now: number;
  readonly sha256: Sha256;
}

/** Why this template may be restored without steps. Undefined if it may not. */
export function grantFor(facts: GrantFacts, template: TemplateDigest): Grant | undefined {
  const { rollout } = facts;
  const { status } = rollout;
  const inForce = status?.phase === 'Healthy' || status?.phase === 'Progressing';
  if (!inForce || !isEarlier(rollout, template)) return undefined;
  if (isInWindow(facts, template)) return 'Window';
  return isUndoApproved(facts, template) ? 'Approval' : undefined;
}

/** True if the Rollout's window contains the version, within the limits of the policies. */
export function isInWindow(
  { rollout, policies, now }: Pick<GrantFacts, 'rollout' | 'policies' | 'now'>,
  template: TemplateDigest,
): boolean {
  const window = rollout.spec.strategy.canary?.rollbackWindow;
  const index = earlierVersions(rollout).findIndex(({ templateDigest }) => templateDigest === template);
  if (window === undefined || index === -1) return false;
  const limits = windowLimits(policies);
  const revisions = Math.min(window.revisions ?? Infinity, limits.revisions);
  const seconds = Math.min(window.seconds ?? Infinity, limits.seconds);
  if (index >= revisions || seconds <= 0) return false;
  const { replacedTime } = earlierVersions(rollout)[index]!;
  // A version without this time is being replaced now.
  const replaced = replacedTime === undefined ? now : parseTime(replacedTime);
  return replaced !== undefined && now - replaced <= seconds * 1000;
}

/** The status that an approval to restore this template is about: step 0, and no next step. */
export const undoStatus = (status: CanaryStatus, template: TemplateDigest): CanaryStatus => ({
  ...status,
  currentStepIndex: UNDO_STEP,
  nextStepIndex: -1,
  undoTo: template,
});

/** How many people have approved to restore this template, and how many must. */
export function undoStanding(
  { rollout, deployment, policies, sha256 }: GrantFacts,
  template: TemplateDigest,
): Standing | undefined {
  const status = rollout.status?.canaryStatus;
  return status && standingOf(policies, { rollout, status: undoStatus(status, template), deployment, sha256 });
}

/** True if enough people approved to restore this template a short time ago. */
function isUndoApproved(facts: GrantFacts, template: TemplateDigest): boolean {
  const { rollout, now, sha256 } = facts;
  const status = rollout.status?.canaryStatus;
  if (!status?.approvals?.some(({ step }) => step === UNDO_STEP)) return false;
  const about = undoStatus(status, template);
  const plan = planDigest(rollout, about, sha256);
  const times = approvalsOf(about)
    .filter((one) => one.plan === plan)
    .map(({ time }) => parseTime(time) ?? -Infinity);
  return now - Math.max(-Infinity, ...times) <= UNDO_SECONDS * 1000 && undoStanding(facts, template)?.enough === true;
}
