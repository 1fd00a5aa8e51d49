// The start of a release, and the adoption of the running version as the stable one. Both write the status only, before any budget is granted.
import { CHANGED_BY, PLAN_HASH } from '../../api/keys.ts';
import { CONTROLLER_REVISIONS } from '../../api/resources.ts';
import type { CanaryStatus, TemplateDigest } from '../../api/types.ts';
import { stepTarget } from '../lib/replicas.ts';
import { isOurs } from './openkruise.ts';
import { planOf } from '../steps/replan.ts';
import type { Decision, Effect, EventNote } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { completedBy, remember } from './completed.ts';
import { stableCopy } from './stable.ts';
import {
  closeHistory,
  draftOf,
  dropConditions,
  isTrue,
  noteStep,
  openHistory,
  report,
  setCondition,
  type Draft,
} from '../status.ts';
import { atStep, withNumbers } from '../steps/run.ts';
import { differences } from '../lib/template-diff.ts';
import { formatTime } from '../lib/time.ts';
import type { Progress } from '../workload/kind.ts';
import * as messages from '../messages.ts';
import { releaseNamed, rolloutIdOf } from './release-id.ts';

/** The running version becomes the stable version. */
export function adopt(
  snapshot: Snapshot,
  progress: Progress,
  template: TemplateDigest,
  bypassed: string | undefined,
): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const before = draft.canary;
  const revision = progress.newVersion?.revision ?? '';
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  const events: EventNote[] = [];
  if (bypassed !== undefined) {
    openHistory(draft, { ...historyEntry(snapshot, progress), bypassed });
    // The status still describes the release before.
    draft.canary = undefined;
    closeHistory(draft, now, 'Bypassed');
    setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', bypassed);
    events.push({ reason: 'Bypassed', message: bypassed });
  }
  // What runs when the Rollout is created counts as completed. The first decision at rest adds it if its Pods are not available yet.
  const first = draft.completed.length + draft.history.length === 0 && progress.kind.isSettled(progress, 0);
  draft.completed = remember(
    draft.completed,
    { workload: completedBy(rollout), templateDigest: template, revision },
    first,
    now,
  );
  draft.phase = 'Healthy';
  draft.message = messages.idle;
  draft.canary = {
    ...withNumbers(blank, progress),
    rolloutHash: rollout.metadata.annotations?.[PLAN_HASH] ?? '',
    stableRevision: revision,
    currentStepIndex: steps,
    nextStepIndex: -1,
    currentStepState: 'Completed',
    templateDigest: template,
    stableDigest: template,
    lastUpdateTime: (before?.templateDigest === template ? before.lastUpdateTime : undefined) ?? formatTime(now),
  };
  if (isTrue(rollout, 'Stalled')) setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
  return report(snapshot, draft, events);
}

export const blank: CanaryStatus = {
  podTemplateHash: '',
  canaryReplicas: 0,
  canaryReadyReplicas: 0,
  currentStepIndex: 0,
  nextStepIndex: -1,
  currentStepState: '',
  finalisingStep: '',
};

export const historyEntry = ({ now }: Snapshot, { workload, newVersion, held }: Progress): Draft['history'][number] => {
  const author = workload.metadata.annotations?.[CHANGED_BY];
  return {
    rolloutID: rolloutIdOf(workload) ?? '',
    revision: newVersion?.revision ?? '',
    ...(author ? { author } : {}),
    startTime: formatTime(now),
    ...(held?.trace ? { trace: held.trace } : {}),
  };
};

/** For a revert that differs from the stable version, for example in a field of another tool: the differences. */
function differsFromStable({ stableVersion, workload }: Progress): string {
  const paths = stableVersion === undefined ? '' : differences(stableVersion.template, workload.spec.template);
  return paths === '' ? '' : `; it differs from the stable version in ${paths}`;
}

/** Creates the copy of the stable template before any Pod of the new version. A newer template in the same release finds the copy. */
function keepStable({ digest }: Snapshot, progress: Progress, stable: TemplateDigest | undefined): Effect[] {
  const known = [progress.newVersion, ...progress.oldVersions].find((one) => one && digest(one.template) === stable);
  if (known === undefined || stable === undefined) return [];
  const object = stableCopy(progress.kind.resource, progress.workload, known.template, stable);
  return [{ kind: 'Create', why: 'keep', resource: CONTROLLER_REVISIONS, object }];
}

/** The current release failed, and another program changed its rollback into a new version. */
const failedBefore = ({ rollout }: Snapshot, { held }: Progress): boolean =>
  held?.bypassed === messages.changedBack && isTrue(rollout, 'Stalled') && !hasComeBack(rollout.status?.history ?? []);

/** The current release is the changed rollback of the previous one: it started when the previous one failed. */
export const hasComeBack = ([current, before]: Draft['history']): boolean =>
  before?.outcome === 'Failed' && before.endTime === current?.startTime;

/**
 * The version that ran when the Rollout was created may be replaced just after its Pods became available, before a decision at rest has added it to
 * the completed versions. One whose Pods are not all available now is never added: nobody knows whether it works.
 */
function isFirstCompleted({ rollout, digest }: Snapshot, { held, stableVersion, replicas }: Progress): boolean {
  const { phase, canaryStatus, completedVersions = [], history = [] } = rollout.status ?? {};
  return (
    phase === 'Healthy' &&
    completedVersions.length + history.length === 0 &&
    held !== undefined &&
    held.bypassed === undefined &&
    held.stable === canaryStatus?.templateDigest &&
    stableVersion !== undefined &&
    digest(stableVersion.template) === held.stable &&
    replicas > 0 &&
    // The request that changed the template may have scaled the workload, too.
    stableVersion.available >= Math.max(replicas, stableVersion.replicas)
  );
}

/** Starts a release at step 1. It writes only the status and a copy of the stable template. The budget follows when the status is written. */
export function start(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Decision {
  const { rollout, now } = snapshot;
  const { held, stableVersion } = progress;
  const draft = draftOf(rollout);
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const before = draft.canary;
  const again = draft.phase === 'Progressing';
  const events: EventNote[] = [];
  const failed = failedBefore(snapshot, progress);
  if (isFirstCompleted(snapshot, progress)) {
    const ran = { templateDigest: before!.templateDigest!, revision: before?.stableRevision ?? '' };
    draft.completed = remember([], { workload: completedBy(rollout), ...ran }, true, now);
  }
  closeHistory(draft, now, failed ? 'Failed' : 'Superseded');
  openHistory(draft, historyEntry(snapshot, progress));
  dropConditions(draft, 'Succeeded', 'Stalled', 'Bypassed', 'PolicyBlocked');
  if (held?.bypassed) setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', held.bypassed);
  setCondition(draft, now, 'Progressing', 'True', 'InRolling', 'Rollout is in Progressing');
  const target = stepTarget(steps[0]?.replicas ?? '100%', progress.replicas, steps.length <= 1);
  const stableDigest = held?.stable ?? (again ? before?.stableDigest : before?.templateDigest);
  const stableRevision = stableVersion?.revision || (again ? before?.stableRevision : before?.canaryRevision) || '';
  draft.phase = 'Progressing';
  draft.message =
    progress.replicas === 0
      ? messages.noReplicas(progress.kind)
      : messages.updating(
          messages.stepOf(1, Math.max(steps.length, 1)),
          0,
          target,
          messages.controllerOf(progress.kind.resource),
        );
  draft.canary = {
    ...withNumbers(blank, progress),
    ...atStep(1, steps.length, progress.updated > target, progress.replicas),
    plan: planOf(steps),
    rolloutHash: rollout.metadata.annotations?.[PLAN_HASH] ?? '',
    stableRevision,
    ...(stableDigest ? { stableDigest } : {}),
    templateDigest: template,
    currentStepState: progress.replicas === 0 || snapshot.gate?.blocked ? 'BeforeStepUpgrade' : 'StepUpgrade',
    lastUpdateTime: formatTime(now),
  };
  if (draft.canary.currentStepState === 'StepUpgrade') noteStep(draft, 1, now);
  const release = releaseNamed(draft.canary.observedRolloutID);
  events.push(
    again && isOurs(rollout) && !failed
      ? {
          reason: 'ReleaseSuperseded',
          message: `a newer template replaced the release: ${release} starts at step 1${differsFromStable(progress)}`,
        }
      : { reason: 'ReleaseStarted', message: `${release} starts with step 1 of ${Math.max(steps.length, 1)}` },
  );
  const effects = again && before?.stableDigest === stableDigest ? [] : keepStable(snapshot, progress, stableDigest);
  return { ...report(snapshot, draft, events), effects, needsChildren: true };
}
