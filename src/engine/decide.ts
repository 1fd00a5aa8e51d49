// The decision for one Rollout: determines its situation and calls the part of the engine that handles it.
import { WORKLOAD_TYPE } from '../api/keys.ts';
import type { HoldRecord, Rollout, Workload } from '../api/types.ts';
import { nothing, type Decision } from './decision.ts';
import { catchUp, dropRecord, holdAgain } from './release/bypass.ts';
import { enrol, guard } from './release/enrol.ts';
import { cancel, finalize, leave } from './release/finalize.ts';
import { isInFlight } from './release/in-flight.ts';
import { isLeftBehind } from './release/openkruise.ts';
import { isIdle, rest } from './release/rest.ts';
import { restore } from './release/restore.ts';
import { stableGone } from './release/stable-gone.ts';
import { standAside } from './release/stand-aside.ts';
import { adopt, start } from './release/start.ts';
import { situationOf } from './situation.ts';
import type { Snapshot } from './snapshot.ts';
import { draftOf, report } from './status.ts';
import { proceed } from './steps/machine.ts';
import { gate } from './traffic/gate.ts';
import { misnamedWorkload } from './validate/names.ts';
import { sentence } from './validate/violation.ts';
import { decisionOf, type Progress } from './workload/kind.ts';
import { kindOf } from './workload/registry.ts';
import * as messages from './messages.ts';

/** The same snapshot gives the same decision. After a decision is carried out, the next decision changes nothing. */
export const decide = (snapshot: Snapshot): Decision => gate(snapshot, decideWorkload(snapshot));

function decideWorkload(snapshot: Snapshot): Decision {
  const { rollout, workload } = snapshot;
  const kind = kindOf(rollout.spec.workloadRef);
  if (!kind) return nothing;
  if (workload && !isNamedBy(rollout, workload))
    return decideWorkload({ ...snapshot, workload: undefined, children: undefined });
  const { absence } = snapshot;
  // A workload that cannot be read may be held, so its Rollout stays during a release.
  const mayGo = rollout.metadata.deletionTimestamp !== undefined && !isInFlight(rollout, undefined);
  if (absence?.gone === false && !mayGo) return standAside(snapshot, 'KindNotServed');
  if (rollout.metadata.deletionTimestamp !== undefined) return leave(snapshot, 'Deleted');
  if (rollout.spec.disabled === true) return leave(snapshot, 'Disabled');
  const misnamed = misnamedWorkload(rollout);
  if (misnamed) return standAside(snapshot, 'InvalidWorkloadRef', sentence(misnamed));
  // A release that is already in progress there continues to its end.
  if (snapshot.unreached && !isInFlight(rollout, workload)) return standAside(snapshot, 'NotReached');
  if (absence !== undefined) return standAside(snapshot, 'KindNotServed');
  const guarded = guard(snapshot);
  if (guarded) return guarded;
  if (!workload) return standAside(snapshot, 'WorkloadNotFound');
  if (workload.metadata.labels?.[WORKLOAD_TYPE] === undefined) return enrol(snapshot, kind, workload);
  if (isLeftBehind(workload, rollout, kind)) return standAside(snapshot, 'LeftByOpenKruise');
  const obstacle = kind.obstacle(workload);
  if (obstacle) return standAside(snapshot, obstacle.reason, obstacle.message);
  if (isIdle(snapshot, workload))
    return { ...report(snapshot, rest(snapshot, kind, workload), []), effects: kind.resumeUnseen(workload) };
  if (!snapshot.children) return waitForChildren;
  return goOn(snapshot, kind.progress(snapshot, workload, snapshot.children));
}

/** A Rollout names one workload in its own namespace. */
const isNamedBy = ({ metadata, spec }: Rollout, workload: Workload): boolean =>
  workload.metadata.namespace === metadata.namespace && workload.metadata.name === spec.workloadRef.name;

const waitForChildren: Decision = { ...nothing, needsChildren: true };

/** The part of the decision that needs the children. */
function goOn(snapshot: Snapshot, progress: Progress): Decision {
  const template = snapshot.digest(progress.workload.spec.template);
  const situation = situationOf(snapshot, progress, template);
  switch (situation.name) {
    case 'BornHeld':
      return giveBack(
        progress,
        situation.held,
        'the workload was created with a hold and has no Pods: it is given back',
      );
    case 'StaleRecord':
      return dropRecord(progress);
    case 'HeldForNothing':
      return giveBack(progress, situation.held, 'the workload was held without a release: it is given back');
    case 'VersionNotMade':
      return { ...waitForChildren, effects: progress.kind.resumeUnseen(progress.workload) };
    case 'Settled':
      return adopt(snapshot, progress, template, situation.bypassed);
    case 'NewTemplate':
      return start(snapshot, progress, template);
    case 'NotHeld':
      return catchUp(snapshot, progress, situation.bypassed);
    case 'PutBack':
      return cancel(snapshot, progress, template);
    case 'Restored':
      return restore(snapshot, progress, template, situation.grant);
    case 'StepsDone':
      return finalize(snapshot, progress, template);
    case 'NoReplicas':
      return reportMessage(snapshot, messages.noReplicas(progress.kind));
    case 'Loose':
      return holdAgain(snapshot, progress, situation.held);
    case 'EditedUnseen':
      return { ...waitForChildren, effects: situation.effects };
    case 'StableGone':
      return stableGone(snapshot, progress, situation.held);
    case 'InSteps':
      return proceed(snapshot, progress, situation.held, situation.status);
  }
}

const giveBack = (progress: Progress, held: HoldRecord, why: string): Decision =>
  decisionOf(progress.kind.giveBack(progress, held), 'HoldReleased', why);

function reportMessage(snapshot: Snapshot, message: string): Decision {
  const draft = draftOf(snapshot.rollout);
  draft.message = message;
  return { ...report(snapshot, draft, []), needsChildren: true };
}
