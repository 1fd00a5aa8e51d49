// The workload kind Deployment, released with budgets (docs/holding.md).
import { DEPLOYMENTS } from '../../../api/resources.ts';
import type { Condition, Deployment, Held } from '../../../api/types.ts';
import { replicasOf, resolveLimits } from '../../lib/replicas.ts';
import { namespaceFlag } from '../../lib/text.ts';
import { advise } from '../../validate/advice.ts';
import { conditionOf } from '../../status.ts';
import type { Obstacle, Spending, WorkloadKind } from '../kind.ts';
import { isOwnedBy } from '../pods.ts';
import { advance, budgetFor, freeze, letGo, repair } from './budget.ts';
import { freeDeployment, patchDeployment, patchHeld, revertDeployment } from './effects.ts';
import { deploymentEdits } from './edits.ts';
import { deploymentFields } from './field-owners.ts';
import {
  firstHold,
  isMarked,
  mayFreeAtOnce,
  noticeEdits,
  readHeld,
  settingsOf,
  userSettings,
  type Settings,
} from './hold.ts';
import { asUserWrote, holdUnseen, isStale } from './unseen.ts';
import { unobserved, viewOf, type View } from './view.ts';
import * as messages from '../../messages.ts';
import { PAUSED_UNSEEN } from '../../../api/keys.ts';

export const deploymentKind: WorkloadKind<Deployment, Held, View> = {
  resource: DEPLOYMENTS,
  workloadType: 'deployment',
  children: ['replicaSets', 'pods'],
  words: {
    keeper: 'ReplicaSet',
    pause: 'spec.paused',
    pausedBy: 'paused' satisfies keyof Settings,
    unpause: { paused: false },
    whole: { paused: false, minReadySeconds: null, progressDeadlineSeconds: null },
    resumed: 'the Deployment was resumed',
    strategyType: 'spec.strategy.type',
    fields: {
      paused: 'spec.paused',
      maxSurge: 'spec.strategy.rollingUpdate.maxSurge',
      maxUnavailable: 'spec.strategy.rollingUpdate.maxUnavailable',
      minReadySeconds: 'spec.minReadySeconds',
      progressDeadlineSeconds: 'spec.progressDeadlineSeconds',
    } satisfies Record<keyof Settings, string>,
    recorded: new Set<string>(['maxSurge', 'maxUnavailable'] satisfies (keyof Settings)[]),
    resume: (deployment) => `kubectl rollout resume deployment/${deployment.metadata.name}${namespaceFlag(deployment)}`,
  },
  fields: deploymentFields,
  edits: deploymentEdits,
  borrowed: (deployment) => ({ ...settingsOf(deployment) }),
  replicas: replicasOf,
  isInterim: (deployment, sets) =>
    unobserved(
      deployment,
      sets.filter((set) => isOwnedBy(set, deployment)),
    ) !== undefined,
  minReadySeconds: (deployment) => userSettings(deployment).minReadySeconds ?? 0,
  strategyType: ({ spec }) => spec.strategy?.type,
  obstacle,

  readHold: readHeld,
  isPaused: ({ user }) => user.paused === true,
  isPausedBy: (user) => user['paused'] === true,
  mayFreeAtOnce,

  progress: (facts, deployment, children) => viewOf(deploymentKind, facts, deployment, children),
  advance,
  freeze,
  giveBack: letGo,
  revert: revertDeployment,
  isSettled,
  repair,
  remind: ({ deployment }, held) => patchHeld('remind', deployment, held, settingsOf(deployment)),

  isLoose: ({ deployment }) => deployment.spec.paused !== true && !isMarked(deployment),
  isStale,
  holdUnseen,
  holdNow(deployment, { rollout, stable, bypassed }) {
    const { held, settings } = firstHold(deployment, asUserWrote(deployment), rollout, stable);
    return patchHeld('hold', deployment, { ...held, bypassed }, settings);
  },
  noticeEdits({ deployment }, held) {
    const noticed = noticeEdits(held, deployment);
    return noticed === held ? undefined : patchHeld('hold', deployment, noticed, settingsOf(deployment));
  },
  giveUp: (deployment, held, more) => freeDeployment(deployment, noticeEdits(held, deployment), more),
  resumeUnseen: (deployment) =>
    wasPausedUnseen(deployment)
      ? patchDeployment('free', deployment, {
          ...(deployment.spec.paused === true && { settings: asUserWrote(deployment) }),
          annotations: { [PAUSED_UNSEEN]: null },
        })
      : [],
  leave: (deployment, more) =>
    patchDeployment('leave', deployment, {
      ...more,
      ...(wasPausedUnseen(deployment) ? { settings: asUserWrote(deployment) } : {}),
    }),
  whyNoVersion: (deployment) => ({
    failure: refusedSet(deployment.status?.conditions),
    what: messages.noReplicaSet(deployment),
  }),

  podsOf: (_deployment, { keeper }, pods) => pods.filter((pod) => isOwnedBy(pod, keeper)),
  spending,
  advise: (rollout, deployment) =>
    advise({ rollout, deployment, minReadySeconds: deploymentKind.minReadySeconds(deployment) }),
};

/** A MutatingAdmissionPolicy paused it, and no webhook saw the change. */
const wasPausedUnseen = ({ metadata }: Deployment): boolean => metadata.annotations?.[PAUSED_UNSEEN] !== undefined;

function obstacle({ metadata, spec }: Deployment): Obstacle | undefined {
  if (spec.strategy?.type !== 'Recreate') return undefined;
  const words = {
    strategy: 'strategy Recreate',
    why: 'cannot run two versions side by side',
    effect: 'replaces all Pods at the same time',
    remedy: 'set spec.strategy.type to RollingUpdate',
  };
  const message = `Deployment "${metadata.name}" has ${words.strategy}, which ${words.why}: ${words.remedy}`;
  return { reason: 'RecreateStrategy', message, ...words };
}

/** According to the Deployment controller. With 0 replicas a release never completes. */
function isSettled({ deployment, replicas, old, updated }: View, tolerated: number): boolean {
  const { status, metadata } = deployment;
  return (
    replicas > 0 &&
    old === 0 &&
    updated === replicas &&
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) >= replicas - tolerated
  );
}

/** The condition with the reason why no ReplicaSet is created. The controller sets Progressing only if it checks the progress, not during a batch. */
function refusedSet(conditions: readonly Condition[] | undefined): Condition | undefined {
  const progressing = conditionOf(conditions, 'Progressing');
  if (progressing?.reason === 'ReplicaSetCreateError') return progressing;
  const failure = conditionOf(conditions, 'ReplicaFailure');
  return failure?.status === 'True' ? failure : undefined;
}

/**
 * The maximum over all budgets of a step, which is the first budget: with each available Pod, maxUnavailable grows by at most one, and maxSurge
 * does not grow.
 */
function spending(deployment: Deployment, replicas: number): Spending {
  const { maxSurge, maxUnavailable } = userSettings(deployment);
  const limits = resolveLimits(maxSurge, maxUnavailable, replicas);
  return {
    limits,
    worst(from, target, goesOn = false) {
      if (from >= target) return { surge: 0, unavailable: 0 };
      const now = { available: from, updated: from, old: replicas - from, replicas, limits };
      const budget = budgetFor(target, now, 0, goesOn);
      return { surge: budget.maxSurge, unavailable: budget.maxUnavailable - from };
    },
  };
}
