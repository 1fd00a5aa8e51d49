// Changes that no webhook saw: the operator finds them by comparing stored objects, holds them and reports them.
import { ROLLOUT_ID } from '../../api/keys.ts';
import type { HoldRecord, TemplateDigest } from '../../api/types.ts';
import { nothing, type Decision } from '../decision.ts';
import { stepTargets } from '../lib/replicas.ts';
import { UNKNOWN } from '../lib/template.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, noteInHistory, progressingReason, report, setCondition } from '../status.ts';
import { patchObject } from '../workload/effects.ts';
import { decisionOf, type Progress } from '../workload/kind.ts';
import { WITHOUT_HOLD } from '../workload/record.ts';
import { isUsedId, rolloutIdOf } from './release-id.ts';

/** Holds the change at once, with everything that the webhook would have written. The release starts with the next decision. */
export function catchUp(snapshot: Snapshot, progress: Progress, bypassed: string): Decision {
  const { rollout, digest, sha256 } = snapshot;
  const { kind, workload } = progress;
  const status = rollout.status?.canaryStatus;
  const unfinished = rollout.status?.phase === 'Progressing' && progressingReason(rollout) !== 'Finalising';
  const running = unfinished ? status?.stableDigest : status?.templateDigest;
  const id = rolloutIdOf(workload);
  const announced = id !== undefined && (unfinished ? id !== status?.observedRolloutID : !isUsedId(rollout, id));
  const { uid, generation } = workload.metadata;
  const own = sha256(`${uid}/${generation}/${digest(workload.spec.template)}`).slice(0, 10);
  const effects = kind.holdUnseen(progress, {
    rollout: rollout.metadata.name,
    stable: running ?? stableGuess(progress, digest) ?? UNKNOWN,
    bypassed,
    unfinished,
    granted: unfinished ? grantedIn(snapshot, progress.replicas) : [],
    labels: { [ROLLOUT_ID]: announced ? id : own },
  });
  return { effects, events: [{ reason: 'Bypassed', message: `${bypassed}: it is held now` }], needsChildren: true };
}

function grantedIn({ rollout }: Snapshot, replicas: number): readonly number[] {
  const { currentStepIndex = 0 } = rollout.status?.canaryStatus ?? {};
  const targets = stepTargets(rollout.spec.strategy.canary?.steps ?? [], replicas);
  return targets.slice(Math.max(0, currentStepIndex - 2), currentStepIndex);
}

/** Without a history: the template of most available Pods, or else of most Pods. */
function stableGuess({ oldVersions }: Progress, digest: Snapshot['digest']): TemplateDigest | undefined {
  const [largest] = oldVersions.toSorted((a, b) => b.available - a.available || b.replicas - a.replicas);
  return largest && digest(largest.template);
}

/** The workload was resumed and no webhook saw it. If all Pods already run the new version, the release is done. */
export function holdAgain(snapshot: Snapshot, progress: Progress, held: HoldRecord): Decision {
  const { kind, old } = progress;
  const bypassed = `${kind.words.resumed} during the release`;
  if (old > 0)
    return decisionOf(kind.freeze(progress, { ...held, bypassed }), 'Bypassed', `${bypassed}: it is held again`);
  const draft = draftOf(snapshot.rollout);
  setCondition(draft, snapshot.now, 'Bypassed', 'True', 'NotSeenByWebhook', bypassed);
  noteInHistory(draft, { bypassed });
  setCondition(draft, snapshot.now, 'Progressing', 'True', 'Finalising', bypassed);
  return { ...report(snapshot, draft, [{ reason: 'Bypassed', message: bypassed }]), needsChildren: true };
}

/** Removes a record that is not about this workload. */
export function dropRecord({ kind, workload }: Progress): Decision {
  const effects = patchObject('leave', kind.resource, workload, WITHOUT_HOLD);
  return { ...nothing, effects, needsChildren: true };
}
