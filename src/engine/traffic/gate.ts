// Holds back what ends a release, gives its workload back, or starts a newer one, until no requests depend on it.
import type { RolloutStatus } from '../../api/types.ts';
import { nothing, type Decision, type Effect } from '../decision.ts';
import { sameJson } from '../lib/template.ts';
import * as messages from '../messages.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, progressingReason, settle } from '../status.ts';
import { kindOf } from '../workload/registry.ts';
import { aimAway, askOf, begun, isMarked, NOTHING_LEFT } from './aims.ts';
import { knownTraffic } from './known.ts';
import type { Aim, Scene, TrafficStep } from './scene.ts';
import { rivalOf } from './rivals.ts';
import { retreat, towards } from './steps.ts';

/** What a decision does to the versions that legs select. */
type Consequence =
  /** The release ends, or is over. Nothing of Tranche may be left. */
  | 'Ends'
  /** The workload is given back: its controller replaces Pods of a version. */
  | 'Frees'
  /** A newer version takes the place of the new version. */
  | 'Begins'
  /** The workload was given back, and its controller is not done. */
  | 'Waits'
  | 'None';

/** In these phases there is no release. */
const RESTS: ReadonlySet<string> = new Set(['Initial', 'Healthy', 'Disabled']);
const FREES: ReadonlySet<Effect['why']> = new Set(['free', 'leave']);

/**
 * The decision, if no requests depend on what it changes. Otherwise what traffic does first. Every decision goes through this but those in the steps
 * of a release, which look at traffic themselves. It costs nothing if the release has routed nothing.
 */
export function gate(snapshot: Snapshot, decision: Decision): Decision {
  const { rollout, workload, traffic: facts, now } = snapshot;
  if (decision.needsTraffic !== undefined) return decision;
  const known = knownTraffic(rollout.status?.canaryStatus);
  if (known === undefined && !isMarked(workload)) return decision;
  const ask = askOf(rollout);
  if (ask === undefined) return decision;
  if (facts === undefined) return { ...nothing, needsChildren: decision.needsChildren, needsTraffic: ask };
  // Without the Pods, only what cannot wait is decided.
  const isBlind = workload !== undefined && snapshot.children === undefined;
  const wanted = consequenceOf(snapshot, decision);
  const consequence = isBlind && wanted === 'Waits' ? 'None' : wanted;
  const aim = aimOf(snapshot, consequence);
  const before = known ?? begun(rollout, ask, aim, now);
  const rival = rivalOf(rollout, snapshot.routers);
  const scene: Scene = { now, rollout, workload, ask, facts, known: before, begins: known === undefined, rival };
  const step = retreat(scene) ?? (consequence === 'None' ? undefined : towards(scene, aim));
  if (step === undefined) return { ...withStatus(snapshot, decision, before), needsTraffic: ask };
  if (step.reached)
    return { ...withStatus(snapshot, decision, step.status), ...(step.status && { needsTraffic: ask }) };
  return { ...first(snapshot, decision, step, consequence), needsTraffic: ask };
}

function consequenceOf({ rollout }: Snapshot, { effects, status }: Decision): Consequence {
  const before = rollout.status?.canaryStatus;
  const next = status?.canaryStatus;
  if (RESTS.has(rollout.status?.phase ?? '') || effects.some(({ why }) => why === 'finalizer')) return 'Ends';
  if (status !== undefined && (next === undefined || status.phase === 'Healthy')) return 'Ends';
  if (effects.some(({ why }) => FREES.has(why))) return 'Frees';
  if (next !== undefined && next.templateDigest !== before?.templateDigest) return 'Begins';
  const { phase } = rollout.status ?? {};
  const reason = progressingReason(rollout);
  const leaves = phase === 'Terminating' || phase === 'Disabling' || reason === 'Cancelling' || reason === 'Finalising';
  return leaves ? 'Waits' : 'None';
}

function aimOf(snapshot: Snapshot, consequence: Consequence): Aim {
  const { rollout, workload, children } = snapshot;
  const kind = kindOf(rollout.spec.workloadRef);
  if (consequence === 'Ends' || !kind || !workload || !children) return NOTHING_LEFT;
  const progress = kind.progress(snapshot, workload, children);
  return aimAway({ rollout, progress, children }, consequence === 'Begins');
}

/** Traffic goes first. What is only reported goes on. */
function first(snapshot: Snapshot, decision: Decision, step: TrafficStep, consequence: Consequence): Decision {
  const { rollout, now, reportedAt } = snapshot;
  const holdsBack = consequence === 'Ends' || consequence === 'Begins';
  const reported = holdsBack ? rollout.status : (decision.status ?? rollout.status);
  const draft = draftOf({ ...rollout, ...(reported && { status: reported }) });
  draft.message = messages.trafficFirst(step.waits);
  if (draft.canary) draft.canary = canaryWith(draft.canary, step.status);
  const keeps = consequence === 'Waits' || consequence === 'None';
  const effects = [...step.effects, ...(keeps ? decision.effects : [])];
  const { status, againAfterMs } = settle(rollout, draft, now, effects.length > 0 ? now : reportedAt);
  const again = [againAfterMs, step.againAtMs && Math.max(0, step.againAtMs - now), decision.againAfterMs];
  const soonest = again.filter((ms) => ms !== undefined);
  return {
    effects,
    events: [...(holdsBack ? [] : decision.events), ...(step.events ?? [])],
    ...(status && { status }),
    ...(soonest.length > 0 && { againAfterMs: Math.min(...soonest) }),
    needsChildren: decision.needsChildren || snapshot.children !== undefined,
  };
}

type Canary = NonNullable<RolloutStatus['canaryStatus']>;

function canaryWith({ traffic: _, ...canary }: Canary, traffic: Canary['traffic']): Canary {
  return traffic === undefined ? canary : { ...canary, traffic };
}

/** Only this file and the steps write `traffic`: other decisions build the status of a release anew. */
function withStatus({ rollout }: Snapshot, decision: Decision, traffic: Canary['traffic']): Decision {
  const base = decision.status ?? rollout.status;
  if (base?.canaryStatus === undefined) return decision;
  const status = { ...base, canaryStatus: canaryWith(base.canaryStatus, traffic) };
  const { status: _, ...rest } = decision;
  return sameJson(status, rollout.status) ? rest : { ...rest, status };
}
