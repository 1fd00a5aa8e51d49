// What a person can do with a release: whether it makes sense now, what will happen, and the writes that do it. They are those of the plugin's commands.
import type { Rollout } from '../../api/types.ts';
import { governs } from '../../engine/admit/edit.ts';
import { planDigest } from '../../engine/policy/plan.ts';
import { grantFor } from '../../engine/release/completed.ts';
import { approve, finish, isOutOfOurHands, jump } from '../act/approve.ts';
import { pause, resume, type Pausing } from '../act/pause.ts';
import {
  abortable,
  hasAlready,
  isCurrent,
  noStable,
  others,
  putBack,
  stableAmong,
  undoChoice,
  versionOf,
  versionsFor,
  type Version,
  type Versions,
} from '../act/put-back.ts';
import { Refusal } from '../act/refusal.ts';
import { retry } from '../act/retry.ts';
import { commandFor, refuseRival } from '../act/target.ts';
import type { Write } from '../act/write.ts';
import { approvalRule, stillRequired } from '../approval.ts';
import { overruling } from '../checks.ts';
import type { Facts } from '../facts.ts';
import { isHeldByCheck, messageOf, stepsOf } from '../state.ts';
import type { Surroundings } from './detail.ts';
import { LONGEST, text } from './text.ts';
import type { ActionAsk, ActionChoice, ActionName, ActionView } from './types.ts';

/** An action with the writes that it sends, in this order. Empty if it is not possible. */
export interface PlannedAction {
  readonly view: ActionView;
  readonly writes: readonly Write[];
}

type Asked = Pick<ActionAsk, 'name' | 'step' | 'revision'>;

interface Decided {
  readonly writes: readonly Write[];
  readonly says: string;
  readonly overrules?: string | undefined;
  readonly choices?: readonly ActionChoice[];
  /** What the sentence does not show: a change of it needs another look by the user. */
  readonly about?: string;
}

type Decide = (facts: Facts, around: Surroundings, asked: Asked) => Decided;

interface Action {
  label(rollout: Rollout): string;
  /** Arguments of the command after the name of the Rollout. */
  args(rollout: Rollout, asked: Asked): readonly string[];
  readonly confirm: ActionView['confirm'];
  readonly danger: boolean;
  readonly decide: Decide;
}

const MOST = { steps: 50, revisions: 20 } as const;
/** The current step of a release in progress. */
const stepIn = ({ status }: Rollout): readonly number[] =>
  status?.phase === 'Progressing' ? [status.canaryStatus?.currentStepIndex ?? 1] : [];

const plain = (label: string): Pick<Action, 'label' | 'args'> => ({ label: () => label, args: () => [] });

const ACTIONS: Readonly<Record<ActionName, Action>> = {
  approve: {
    label: (rollout) =>
      isHeldByCheck(rollout) ? 'Continue although a check is Worse' : ['Approve', ...stepIn(rollout)].join(' step '),
    args: (rollout) => [
      ...stepIn(rollout).flatMap((step) => ['--step', `${step}`]),
      ...(overruling(rollout) ? ['--yes'] : []),
    ],
    confirm: 'ask',
    danger: false,
    decide: decideApproval,
  },
  pause: { ...plain('Pause'), confirm: 'ask', danger: false, decide: (facts) => decidePause(pause(facts)) },
  resume: { ...plain('Resume'), confirm: 'ask', danger: false, decide: (facts) => decidePause(resume(facts)) },
  jump: {
    label: () => 'Jump to another step',
    args: (rollout, { step }) => [`${step ?? 'STEP'}`, ...(overruling(rollout) ? ['--yes'] : [])],
    confirm: 'ask',
    danger: false,
    decide: decideJump,
  },
  finish: { ...plain('Finish'), confirm: 'type', danger: true, decide: decideFinish },
  retry: { ...plain('Retry'), confirm: 'ask', danger: false, decide: (facts) => retry(facts) },
  undo: {
    label: () => 'Undo',
    args: (_, { revision }) => (revision === undefined ? [] : ['--to-revision', `${revision}`]),
    confirm: 'ask',
    danger: true,
    decide: decideUndo,
  },
  abort: { ...plain('Abort'), confirm: 'type', danger: true, decide: decideAbort },
};

const NAMES: readonly ActionName[] = ['approve', 'pause', 'resume', 'jump', 'finish', 'retry', 'undo', 'abort'];

/** All actions, without a step or a revision. */
export const actionViews = (facts: Facts, around: Surroundings): ActionView[] =>
  NAMES.map((name) => planAction(facts, around, { name }).view);

/** Without a step, a jump has the writes of its first choice, so that a dry run can say whether the user may jump at all. */
export function planAction(facts: Facts, around: Surroundings, asked: Asked): PlannedAction {
  const { rollout } = facts;
  const { label, args, confirm, danger, decide } = ACTIONS[asked.name];
  const common = {
    name: asked.name,
    label: label(rollout),
    command: text(commandFor(asked.name, rollout, ...args(rollout, asked)), LONGEST.message),
    confirm,
    danger,
  };
  const withVersion = (view: Omit<ActionView, 'version'>, about: string = ''): ActionView => ({
    ...view,
    version: around.sha256(JSON.stringify([view, about, releaseOf(facts, around)])).slice(0, 16),
  });
  try {
    refuseRival(rollout, around.rollouts);
    const { writes, says, overrules, choices, about } = decide(facts, around, asked);
    const told = {
      says: text(says, LONGEST.message),
      ...(overrules !== undefined && { overrules: text(overrules, LONGEST.message) }),
      ...(choices && { choices }),
    };
    return { view: withVersion({ ...common, possible: true, ...told }, about), writes };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { view: withVersion({ ...common, possible: false, why: text(error.message, LONGEST.message) }), writes: [] };
  }
}

/** Identifies the release and its plan. */
function releaseOf({ rollout }: Facts, { sha256 }: Surroundings): readonly unknown[] {
  const status = rollout.status?.canaryStatus;
  return [
    rollout.metadata.uid,
    status?.observedRolloutID,
    status?.canaryRevision,
    status && planDigest(rollout, status, sha256),
  ];
}

function decideApproval(facts: Facts, { policies }: Surroundings): Decided {
  const { rollout, deployment } = facts;
  const { write, what, early, next } = approve(facts);
  if (write === undefined) throw new Refusal(`${what} is already approved`);
  const found = overruling(rollout);
  const although = `${early}${found?.although ?? ''}`;
  const further = stillRequired(rollout, deployment, policies, undefined);
  return {
    writes: [write],
    says:
      further === undefined
        ? `${what} is approved${although}; ${next}`
        : `your approval of ${what}${although} is recorded: ${further}`,
    overrules: found && `this ${found.overrules}`,
  };
}

function decidePause({ writes, says }: Pausing): Decided {
  if (writes.length === 0) throw new Refusal(says);
  return { writes, says };
}

function decideJump(facts: Facts, { policies }: Surroundings, asked: Asked): Decided {
  const { rollout, deployment } = facts;
  const { name } = rollout.metadata;
  const further = stillRequired(rollout, deployment, policies, undefined);
  const to = (step: number): Decided => {
    const { write, current, approves, usual, there, atOnce } = jump(facts, step);
    const later = usual || policies === undefined || approvalRule(policies) !== undefined;
    return {
      writes: [write],
      says: approves
        ? further === undefined
          ? atOnce
          : `your approval of step ${current} of ${name} is recorded: ${further}`
        : later
          ? `after step ${current} of ${name} is done and approved, next is ${there}`
          : atOnce,
    };
  };
  const current = rollout.status?.canaryStatus?.currentStepIndex;
  const steps = Array.from({ length: Math.min(stepsOf(rollout), MOST.steps) }, (_, i) => i + 1).filter(
    (step) => step !== current,
  );
  const found = overruling(rollout);
  const chosen = to(asked.step ?? steps[0] ?? 1);
  if (steps.length === 0) throw new Refusal(`cannot jump: ${name} has only one step`);
  return {
    ...chosen,
    says: asked.step === undefined ? `${name} continues with the step that you choose` : chosen.says,
    overrules: found && `this ${found.overrules}`,
    ...(asked.step === undefined && {
      choices: steps.map((step) => ({
        value: step,
        label: `step ${step}`,
        says: text(to(step).says, LONGEST.message),
        command: text(commandFor('jump', rollout, ...ACTIONS.jump.args(rollout, { ...asked, step })), LONGEST.message),
      })),
    }),
  };
}

function decideFinish(facts: Facts, { policies }: Surroundings): Decided {
  const { rollout, deployment } = facts;
  const { name } = rollout.metadata;
  const command = commandFor('finish', rollout);
  const { write, current, says, ends } = finish(facts);
  if (isOutOfOurHands(facts)) throw new Refusal(`${name} releases the remaining Pods now: ${messageOf(rollout)}`);
  if (write === undefined)
    throw new Refusal(
      `cannot finish yet: step ${current} of ${stepsOf(rollout)} is in progress: ${messageOf(rollout)}; to wait for it: ${command}`,
    );
  const further = stillRequired(rollout, deployment, policies, undefined);
  if (further !== undefined)
    return {
      writes: [write],
      says: `your approval of step ${current} of ${name} is recorded, but finish requires more approvals: ${further}`,
    };
  return { writes: [write], says: `${says}${ends ? '' : '; finish again when it waits there'}` };
}

function decideUndo(facts: Facts, around: Surroundings, { revision }: Asked): Decided {
  const { rollout } = facts;
  const found = versionsIn(facts, around);
  const choice = undoChoice(found, revision);
  const decided = restoring(choice === 'Stable' ? stableOf(found, 'undo') : choice, found, around);
  if (revision !== undefined) return decided;
  const choices = others(found.sets, found.deployment)
    .filter(({ number }) => /^[1-9]\d{0,9}$/.test(number ?? ''))
    .slice(0, MOST.revisions)
    .map((set): ActionChoice => {
      const number = Number(set.number);
      return {
        value: number,
        label: text(versionOf(set).name, LONGEST.word),
        says: text(restoring(versionOf(set), found, around).says, LONGEST.message),
        command: text(commandFor('undo', rollout, '--to-revision', `${number}`), LONGEST.message),
      };
    });
  return { ...decided, choices };
}

function decideAbort(facts: Facts, around: Surroundings): Decided {
  const found = versionsIn(facts, around);
  const nothing = abortable(found);
  if (nothing !== true) throw new Refusal(nothing);
  return restoring(stableOf(found, 'abort'), found, around);
}

/** Throws Refusal without a workload, or if the user may not read it. */
function versionsIn(facts: Facts, { hidesWorkload, digest }: Surroundings): Versions {
  const { kind, name } = facts.rollout.spec.workloadRef;
  if (hidesWorkload === true)
    throw new Refusal(
      `you may not list ${kind}s in this namespace, so the versions of "${name}" are not known: ask for the ClusterRole view`,
    );
  return versionsFor(facts, facts.view, digest);
}

/** Throws Refusal if no object that the dashboard reads has it, or if it is the current one. */
function stableOf(found: Versions, command: 'undo' | 'abort'): Version {
  const { version, byDigest } = stableAmong(found);
  if (found.held !== undefined && !byDigest)
    throw new Refusal(
      `no ${found.kind.words.keeper} of ${found.deployment.metadata.name} has the stable version; to restore it from the copy that the operator keeps: ` +
        commandFor(command, found.rollout),
    );
  if (version === undefined) throw noStable(found);
  if (isCurrent(version, found)) throw new Refusal(hasAlready(found));
  return version;
}

function restoring(version: Version, found: Versions, { policies, now, sha256 }: Surroundings): Decided {
  const { rollout, deployment, held, digest } = found;
  const { write, what, follows } = putBack(version, found);
  const template = digest(version.template);
  const granted =
    held === undefined && governs(rollout) && policies !== undefined
      ? grantFor({ rollout, deployment, policies, now, sha256 }, template)
      : undefined;
  const then = granted === undefined ? follows : 'it is restored immediately, without steps (rollbackWindow)';
  return { writes: [write], says: `${what}: ${then}`, about: template };
}
