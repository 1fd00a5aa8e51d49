// Other programs deleted or edited the ReplicaSet of the stable version during a release.
import type { HoldRecord } from '../../api/types.ts';
import type { Decision, EventNote } from '../decision.ts';
import { stepTarget } from '../lib/replicas.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, report, setCondition } from '../status.ts';
import { decisionOf, effectsOf, type Progress } from '../workload/kind.ts';
import { goBack, wayBack } from './way-back.ts';
import * as messages from '../messages.ts';

/** No version has the stable template any more, and its Pods were deleted or replaced without a budget. */
export function isStableGone({ rollout, digest }: Snapshot, progress: Progress, held: HoldRecord): boolean {
  const { newVersion, oldVersions, replicas, updated, old } = progress;
  const known = [newVersion, ...oldVersions].some((one) => one !== undefined && digest(one.template) === held.stable);
  const canary = rollout.status?.canaryStatus;
  if (known || replicas === 0 || !canary?.stableRevision || held.bypassed !== undefined) return false;
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const index = canary.currentStepIndex;
  const tooMany = old === 0 && updated > stepTarget(steps[index - 1]?.replicas, replicas, index >= steps.length);
  return nothingRuns(progress) || tooMany;
}

const nothingRuns = ({ replicas, updated, old }: Progress): boolean => replicas > 0 && updated + old === 0;

/** Rolls back if a policy protects the release or no Pod runs. Otherwise the step waits as usual. */
export function stableGone(snapshot: Snapshot, progress: Progress, held: HoldRecord): Decision {
  const { rollout, gate, now } = snapshot;
  const { kind } = progress;
  const message = `the ${kind.words.keeper} of the stable version was deleted or edited during the release`;
  if (gate?.protects === undefined && !nothingRuns(progress)) {
    return decisionOf(kind.freeze(progress, { ...held, bypassed: message }), 'Bypassed', message);
  }
  const way = wayBack(snapshot, progress, held);
  if (way.kind === 'Ask') return way.decision;
  const draft = draftOf(rollout);
  setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', message);
  if (way.kind === 'Unknown') {
    draft.message = messages.stableUnknown(kind.resource.kind, progress.workload.metadata.name);
    return { ...report(snapshot, draft, []), effects: effectsOf(kind.freeze(progress, held)), needsChildren: true };
  }
  draft.message = `${message}: the stable version is restored`;
  const effects = [goBack(progress, way.template)].filter((effect) => effect !== undefined);
  const events: EventNote[] = [{ reason: 'Bypassed', message: draft.message }];
  return { ...report(snapshot, draft, events), effects, needsChildren: true };
}
