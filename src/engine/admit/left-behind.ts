// An edit of a Deployment with an unfinished release of OpenKruise Rollouts, which stays as it is until a takeover.
import * as keys from '../../api/keys.ts';
import type { Deployment } from '../../api/types.ts';
import { isLeftBehind, tracesOf } from '../release/openkruise.ts';
import { readHeld, settingsOf } from '../workload/deployment/hold.ts';
import { annotationOf, governs, keepLabels, type Context, type Ruling } from './edit.ts';
import { leftBehind, unpausingRefusal } from './messages.ts';

/** Undefined if the rules for other Deployments apply. Resuming with strategy RollingUpdate stays possible. */
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
  // A takeover: the user writes the record, because the webhook must not write the strategy.
  const taken = readHeld(next)?.rollout === rollout.metadata.name && paused === true;
  return taken && strategy?.type === 'RollingUpdate' ? { verdict: 'TakenOver', warnings: [] } : undefined;
}
