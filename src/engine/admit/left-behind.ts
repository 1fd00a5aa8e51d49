// An edit of a workload with an unfinished release of OpenKruise Rollouts, which stays as it is until a takeover.
import * as keys from '../../api/keys.ts';
import type { Deployment } from '../../api/types.ts';
import { isLeftBehind, tracesOf } from '../release/openkruise.ts';
import { sameJson, UNKNOWN } from '../lib/template.ts';
import { settingsOf } from '../workload/deployment/hold.ts';
import { annotationOf, governs, keepLabels, type Context, type Ruling } from './edit.ts';
import { leftBehind, unpausingRefusal } from './messages.ts';

/** Undefined if the rules for other workloads apply. Resuming with strategy RollingUpdate, or by the partition, stays possible. */
export function whileLeftBehind(context: Context, old: Deployment): Ruling | undefined {
  const { next, rollout, changed, kind } = context;
  if (!isLeftBehind(old, rollout, kind)) return undefined;
  if (old.spec.paused === true && next.spec.paused !== true && next.spec.strategy?.type === 'Recreate') {
    return { verdict: 'Refused', warnings: [], refusal: unpausingRefusal(next) };
  }
  if (!governs(rollout)) return undefined;
  const { paused, strategy } = next.spec;
  // Without a pause of its own, a kind is held by the value that holds every Pod.
  const held = kind.openKruise && kind.edits.holdFirst(context, old, undefined, { rollout, stable: UNKNOWN }).borrowed;
  if (changed) {
    const kept = [...Object.keys(tracesOf(old).annotations), keys.IN_PROGRESSING];
    const annotations = Object.fromEntries(kept.map((key) => [key, annotationOf(old, key) ?? null]));
    const labels = keepLabels(old, next, [keys.WORKLOAD_TYPE, keys.STABLE_REVISION, keys.KRUISE_ADVANCED]);
    const wanted = { annotations, labels, borrowed: held ?? { ...settingsOf(next), paused: true } };
    return { verdict: 'Bypassed', wanted, warnings: [leftBehind(rollout, next, kind)] };
  }
  // A takeover: the user writes the record, because the webhook must not write the strategy.
  if (kind.readHold(next)?.rollout !== rollout.metadata.name) return undefined;
  const taken = held ? sameJson(kind.borrowed(next), held) : paused === true && strategy?.type === 'RollingUpdate';
  return taken ? { verdict: 'TakenOver', warnings: [] } : undefined;
}
