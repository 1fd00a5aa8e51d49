// Checks an edit or deletion of a Rollout against policies, and sets the annotations on it that only Tranche may write.
import * as keys from '../../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Rollout } from '../../api/types.ts';
import { replicasOf } from '../lib/replicas.ts';
import { formatTime } from '../lib/time.ts';
import { judgeOverride } from '../policy/analysis.ts';
import { approvalBy, approvalPolicies, judgeApprover, judgeSingleHanded, waitingStepOf } from '../policy/approval.ts';
import { breakableBy } from '../policy/break-glass.ts';
import { originOf } from '../policy/origin.ts';
import { changesPlan, withPlanChange } from '../policy/plan.ts';
import type { Finding, Person } from '../policy/policy.ts';
import { judgeWindow } from '../policy/rollback-window.ts';
import { sameJson } from '../lib/template.ts';
import { judgePlan, judgeProtection } from '../policy/rules.ts';
import { isInFlight } from '../release/in-flight.ts';
import { approvalByEdit, asWaiting, stepsOf } from './approval-by-edit.ts';
import { approvingOf, type PolicyContext } from './approvals.ts';
import { markOf, misuseOf, reasonIn, releaseMarked, standingMark } from './break-glass.ts';
import { personOf } from './decision.ts';
import { nothingSaid, outcomesOf, type Said } from './outcomes.ts';
import type { PatchOp } from '../lib/json-patch.ts';

/** The mutating webhook runs first and writes the annotations. The validating webhook sees the final object. */
export type Phase = 'mutate' | 'validate';

export interface PolicedEdit extends PolicyContext {
  readonly phase: Phase;
  readonly old: Rollout | undefined;
  readonly next: Rollout;
}

export function judgeRolloutEdit(edit: PolicedEdit): Said {
  const { phase, old, next, deployment, by, policies } = edit;
  const facts = { ...edit, stored: old };
  const written = phase === 'mutate' ? reasonIn(next) : undefined;
  const person = personOf(by, written ?? standingMark(next, facts)?.reason);
  const misuse = phase === 'mutate' ? misuseOf(next, facts, policies) : undefined;
  if (misuse !== undefined) return { ...nothingSaid, violations: [misuse] };
  const findings: Finding[] = old === undefined ? [] : judgeProtection(policies, old, next, deployment);
  if (planChanged(old, next)) {
    findings.push(...judgePlan(policies, asWaiting(old, next), deployment && replicasOf(deployment)));
  }
  if (!sameJson(old?.spec.strategy.canary?.rollbackWindow, next.spec.strategy.canary?.rollbackWindow))
    findings.push(...judgeWindow(policies, next));
  findings.push(...judgeApprovalByEdit(edit, person));
  const said = outcomesOf(findings, person, next, by, phase === 'mutate' ? [] : ['warned', 'audited', 'broken']);
  const advice = phase === 'validate' && changesInFlight(edit) ? adviseOnPlan(policies) : [];
  return { ...said, warnings: [...said.warnings, ...advice] };
}

/** `old`: the deleted Rollout. */
export function judgeDeletion(old: Rollout, context: PolicyContext): Said {
  const { deployment, by, policies } = context;
  const person = personOf(by, standingMark(old, { ...context, stored: old })?.reason);
  const findings = judgeProtection(policies, old, undefined, deployment);
  return outcomesOf(findings, person, old, by, ['warned', 'audited', 'broken']);
}

/** True if the edit changes the steps or the checks. */
const planChanged = (old: Rollout | undefined, next: Rollout): boolean =>
  old === undefined ||
  JSON.stringify(stepsOf(old)) !== JSON.stringify(stepsOf(next)) ||
  !sameJson(old.spec.strategy.canary?.analysis, next.spec.strategy.canary?.analysis);

function judgeApprovalByEdit({ old, next, deployment, policies }: PolicedEdit, person: Person): Finding[] {
  const approval = approvalByEdit(old, next);
  if (old === undefined || approval === undefined) return [];
  const origin = originOf(next, deployment);
  return [
    ...judgeApprover(policies, person, origin),
    ...judgeOverride(policies, old, person),
    ...judgeSingleHanded(policies, approval, origin),
  ];
}

/** True if the edit changes the plan of a release in progress, apart from an approval. */
const changesInFlight = ({ old, next, deployment }: PolicedEdit): boolean =>
  old !== undefined && isInFlight(old, deployment) && changesPlan(old, asWaiting(old, next));

function adviseOnPlan(policies: readonly ReleasePolicy[]): string[] {
  const names = approvalPolicies(policies).map(({ metadata }) => metadata.name);
  return names.length === 0
    ? []
    : [
        `tranche: the plan changes during a release: earlier approvals of this step no longer count, and no more Pods are updated before the next approval (policy ${names.join(', ')})`,
      ];
}

/** Sets the annotations that only Tranche may write. Values from users are replaced by the old ones. */
export function marksOf(edit: PolicedEdit): PatchOp[] {
  const { old, next } = edit;
  const before = old?.metadata.annotations;
  const changed = changesInFlight(edit)
    ? withPlanChange(old, edit.by.user, edit.by.request)
    : before?.[keys.PLAN_CHANGED];
  const wanted = {
    [keys.BREAK_GLASS]: undefined,
    [keys.GLASS_BROKEN]: newMark(edit) ?? markOf(old),
    [keys.APPROVED]: newApproval(edit, changed) ?? before?.[keys.APPROVED],
    [keys.PLAN_CHANGED]: changed,
  };
  const received = next.metadata.annotations ?? {};
  if (Object.entries(wanted).every(([key, value]) => received[key] === value)) return [];
  const annotations = Object.fromEntries(
    Object.entries({ ...received, ...wanted }).filter(([, value]) => value !== undefined),
  );
  return [{ op: 'add', path: '/metadata/annotations', value: annotations }];
}

/** The mark of broken glass for the current step, if the edit has a reason. */
function newMark({ old, next, deployment, by, policies, now, sha256 }: PolicedEdit): string | undefined {
  const status = old?.status?.canaryStatus;
  const reason = reasonIn(next)?.trim() ?? '';
  if (reason === '' || status === undefined || deployment === undefined) return undefined;
  const mark: BrokenGlass = {
    user: by.user,
    reason,
    time: formatTime(now),
    policies: breakableBy(policies, by.groups),
    ...releaseMarked(deployment, sha256),
    step: waitingStepOf(status).step,
  };
  return JSON.stringify(mark);
}

/** The approval by this edit, for the plan after the edit. `changed`: the annotation of the last plan change. */
function newApproval(edit: PolicedEdit, changed: string | undefined): string | undefined {
  const { old, next } = edit;
  const status = old?.status?.canaryStatus;
  if (old === undefined || status === undefined || approvalByEdit(old, next) === undefined) return undefined;
  const { [keys.PLAN_CHANGED]: _, ...rest } = next.metadata.annotations ?? {};
  const annotations = { ...rest, ...(changed !== undefined && { [keys.PLAN_CHANGED]: changed }) };
  const rollout = { ...next, metadata: { ...next.metadata, annotations } };
  return JSON.stringify(approvalBy(approvingOf(edit, { stored: old, rollout, status })));
}
