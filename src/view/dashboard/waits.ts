// What a release waits for, who may approve it, and what happens next.
import type { ReleasePolicy } from '../../api/policy.ts';
import { stepTarget } from '../../engine/lib/replicas.ts';
import { approvalPolicies } from '../../engine/policy/approval.ts';
import { planRelease } from '../../engine/steps/plan.ts';
import { approvalRule, approvedBy } from '../approval.ts';
import { kindFor, type Facts } from '../facts.ts';
import { stateOf, stepsOf, type State } from '../state.ts';
import { thenOf } from './batches.ts';
import { saysOf, standingOf } from './row.ts';
import { first, LONGEST, name, text } from './text.ts';
import type { ApprovalView, NextStep, ReleaseRow, Waits } from './types.ts';

const PEOPLE = 50;

const FOR: Readonly<Record<State, Waits['for']>> = {
  Idle: 'nobody',
  Starting: 'operator',
  Moving: 'pods',
  Watching: 'checks',
  Waiting: 'time',
  Paused: 'person',
  Blocked: 'policy',
  Stalled: 'pods',
  Finishing: 'pods',
  RollingBack: 'pods',
  Disabled: 'nobody',
  Deleting: 'nobody',
  Pending: 'nobody',
};

/** `policies`: undefined if the user may not read them. Undefined if the release waits for nothing. */
export function waitsOf(
  facts: Facts,
  row: ReleaseRow,
  policies: readonly ReleasePolicy[] | undefined,
): Waits | undefined {
  const { rollout, deployment } = facts;
  const { state, waitsForApproval } = standingOf(rollout, deployment);
  if (state === 'Idle') return undefined;
  return {
    for: waitsForApproval
      ? 'approval'
      : state === 'Stalled' && rollout.status?.phase !== 'Progressing'
        ? 'nobody'
        : FOR[state],
    says: saysOf(state, rollout, LONGEST.message),
    ...(row.since !== undefined && { since: row.since }),
    ...(row.until !== undefined && { until: row.until }),
    ...(waitsForApproval && { approval: approvalView(facts, policies) }),
  };
}

function approvalView({ rollout, deployment }: Facts, policies: readonly ReleasePolicy[] | undefined): ApprovalView {
  const { people, required } = approvedBy(rollout, deployment, policies);
  const anybody =
    policies === undefined ? 'as many people as the policies require' : 'one person with the verb approve on Rollouts';
  return {
    given: first(people, PEOPLE).map(name),
    ...(required !== undefined && { required }),
    who: text(approvalRule(policies ?? []) ?? anybody, LONGEST.message),
  };
}

/** Undefined if no step follows, or without a workload. */
export function nextStepOf(
  { rollout, deployment }: Facts,
  policies: readonly ReleasePolicy[] | undefined,
): NextStep | undefined {
  const { status, spec } = rollout;
  const state = stateOf(rollout, deployment);
  const canary = status?.canaryStatus;
  const starting = state === 'Starting';
  if (!deployment || (status?.phase !== 'Progressing' && !starting) || canary?.restores !== undefined) return undefined;
  if (state === 'Finishing' || state === 'RollingBack' || state === 'Deleting') return undefined;
  const kind = kindFor(rollout);
  const steps = spec.strategy.canary?.steps ?? [];
  const step = starting ? 1 : nextIndex(rollout);
  if (step > steps.length + 1 || steps.length === 0) return undefined;
  const of = kind.replicas(deployment);
  const updated = canary?.canaryReplicas ?? 0;
  const reached =
    step === canary?.currentStepIndex
      ? updated
      : Math.max(updated, targetOf(rollout, canary?.currentStepIndex ?? 0, of));
  const from = starting ? 0 : Math.min(of, reached);
  const rest = step > steps.length;
  const to = Math.max(from, rest ? of : targetOf(rollout, step, of));
  if (rest && from >= of) return undefined;
  const approval = approvalPolicies(policies ?? []).length > 0;
  const planned = planRelease(rollout, deployment, { kind, approval }).steps.find(
    (one) => one.step === (rest ? undefined : step),
  );
  const isAsPlanned = planned?.updated === to && planned.replaces === to - from;
  const { surge, unavailable } = isAsPlanned ? planned : kind.spending(deployment, of).worst(from, to);
  const then = planned ? thenOf(planned) : 'the release is done';
  const pods =
    to === from
      ? `no more Pods: ${from} of ${of} stay`
      : `${to - from} more ${to - from === 1 ? 'Pod' : 'Pods'}: ${from} → ${to} of ${of}`;
  const limits = to === from ? '' : `; at most ${unavailable} missing, ${surge} extra`;
  return {
    ...(!rest && { step }),
    says: `${pods}${limits}; then ${then}`,
    from,
    to,
    of,
    missing: unavailable,
    extra: surge,
  };
}

/** The step that follows: the usual one, or the one that somebody has chosen. */
function nextIndex(rollout: Parameters<typeof stepsOf>[0]): number {
  const { currentStepIndex = 0, nextStepIndex = -1, currentStepState, notBegun } = rollout.status?.canaryStatus ?? {};
  if (currentStepState === 'BeforeStepUpgrade' || notBegun === true) return Math.max(1, currentStepIndex);
  return nextStepIndex >= 1 && nextStepIndex <= stepsOf(rollout) ? nextStepIndex : currentStepIndex + 1;
}

/** Pods of the new version after this step. */
const targetOf = ({ spec }: Facts['rollout'], step: number, replicas: number): number => {
  const steps = spec.strategy.canary?.steps ?? [];
  return stepTarget(steps[step - 1]?.replicas, replicas, step === steps.length);
};
