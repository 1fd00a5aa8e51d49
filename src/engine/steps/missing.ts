// Pods of the new version that are not created: how many, since when they are due, and Kubernetes' reason.
import type { Condition } from '../../api/types.ts';
import type { Missing } from './pod-health.ts';
import { conditionOf } from '../status.ts';
import type { Run } from './run.ts';
import { parseTime } from '../lib/time.ts';
import * as messages from '../messages.ts';

/** When the Pods of the step became due, in milliseconds: at the start of the step or at the last budget. */
export function dueSince({ held, draft, snapshot }: Run): number {
  const started = parseTime(draft.canary!.lastUpdateTime) ?? snapshot.now;
  // Never later than now, because the clock of a previous operator may have been ahead.
  return Math.max(started, Math.min(parseTime(held.moved) ?? 0, snapshot.now));
}

/** True if Pods were granted in this step and the workload's controller has not created the new version. */
export function lacksVersion({ progress, held, draft }: Run): boolean {
  const started = parseTime(draft.canary!.lastUpdateTime) ?? 0;
  return progress.newVersion === undefined && (parseTime(held.moved) ?? -1) >= started;
}

export function missingPods(run: Run): Missing | undefined {
  const { progress, goal } = run;
  const { kind, workload, newVersion, updated, pods, missing: due } = progress;
  if (newVersion === undefined) {
    if (!lacksVersion(run)) return undefined;
    const { failure, what } = kind.whyNoVersion(workload);
    return missing(`${kind.resource.kind} ${workload.metadata.name}`, goal.target, failure, what);
  }
  const count = due?.pods ?? updated - pods.length;
  if (count <= 0) return undefined;
  const failure = conditionOf(newVersion.conditions, 'ReplicaFailure');
  // A failed deletion does not explain missing Pods.
  const told = failure?.status === 'True' && failure.reason !== 'FailedDelete' ? failure : undefined;
  return { ...missing(newVersion.maker, count, told, messages.notMade(count)), ...(due && { since: due.sinceMs }) };
}

function missing(pod: string, pods: number, failure: Condition | undefined, what: string): Missing {
  const said = messages.cleaned(failure?.message || failure?.reason || '');
  const refusedAt = parseTime(failure?.lastTransitionTime ?? failure?.lastUpdateTime);
  return { pod, pods, why: said ? `${what}: ${said}` : what, ...(refusedAt === undefined ? {} : { refusedAt }) };
}
