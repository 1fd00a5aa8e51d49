// An edit of a Deployment that OpenKruise Rollouts left in the middle of a release: nobody moves it before it is taken over.
import * as keys from '../../api/keys.ts';
import type { Deployment } from '../../api/types.ts';
import { isLeftBehind, tracesOf } from '../release/openkruise.ts';
import { readHeld, settingsOf } from '../workload/deployment/hold.ts';
import { annotationOf, governs, keepLabels, type Context, type Ruling } from './edit.ts';
import { leftBehind, unpausingRefusal } from './messages.ts';

/** Undefined: as any other Deployment that is not held. Un-pausing it with a rolling update is the way out, as ever. */
export function whileLeftBehind(context: Context, old: Deployment): Ruling | undefined {
  const { next, rollout, changed } = context;
  if (!isLeftBehind(old, rollout)) return undefined;
  if (old.spec.paused === true && next.spec.paused !== true && next.spec.strategy?.type === 'Recreate') {
    return { verdict: 'Refused', warnings: [], refusal: unpausingRefusal(next) };
  }
  if (!governs(rollout)) return undefined;
  const { paused, strategy } = next.spec;
  if (changed) {
    const kept = [...Object.keys(tracesOf(old).annotations), keys.IN_PROGRESSING];
    const annotations = Object.fromEntries(kept.map((key) => [key, annotationOf(old, key) ?? null]));
    const labels = keepLabels(old, next, [keys.WORKLOAD_TYPE, keys.STABLE_REVISION, keys.KRUISE_ADVANCED]);
    const wanted = { annotations, labels, borrowed: { ...settingsOf(next), paused: true } };
    return { verdict: 'Bypassed', wanted, warnings: [leftBehind(rollout, next)] };
  }
  // Taken over: the record is written by whoever does it, since the strategy is not ours to write.
  const taken = readHeld(next)?.rollout === rollout.metadata.name && paused === true;
  return taken && strategy?.type === 'RollingUpdate' ? { verdict: 'TakenOver', warnings: [] } : undefined;
}
