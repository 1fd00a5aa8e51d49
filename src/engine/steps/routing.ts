// Traffic in the steps of a release: asks for the facts, and says when a step may go on.
import type { CanaryStatus } from '../../api/types.ts';
import { aimOfStep, askOf, begun, isMarked } from '../traffic/aims.ts';
import type { TrafficAsk } from '../traffic/facts.ts';
import { knownTraffic } from '../traffic/known.ts';
import { matchesOf } from '../traffic/plan.ts';
import { rivalOf } from '../traffic/rivals.ts';
import type { Scene, TrafficStep } from '../traffic/scene.ts';
import { retreat, towards } from '../traffic/steps.ts';
import { conditionOf, setCondition } from '../status.ts';
import type { Answer, Run } from './run.ts';
import * as messages from '../messages.ts';

/** What the shell must read. Undefined if nothing is routed now, which costs nothing. */
export function trafficAsk(run: Run): TrafficAsk | undefined {
  const { rollout, workload } = run.snapshot;
  const ask = askOf(rollout);
  // The aim looks at all Pods, which a release without a route need not.
  if (ask === undefined) return undefined;
  const routes =
    knownTraffic(rollout.status?.canaryStatus) !== undefined || isMarked(workload) || aim(run).split !== undefined;
  return routes ? ask : undefined;
}

/** A leg without endpoints gets no requests, whatever the release waits for. Undefined if there is no such leg. */
export function retreating(run: Run): Answer | undefined {
  const scene = sceneOf(run);
  const step = scene && retreat(scene);
  return step && carryOut(run, step);
}

/** Undefined if traffic stands where the step needs it, or if nothing is routed. */
export function routing(run: Run): Answer | undefined {
  const scene = sceneOf(run);
  if (scene === undefined) return undefined;
  const step = towards(scene, aim(run));
  const answer = carryOut(run, step);
  if (step.blocked) {
    stall(run, step);
    return answer;
  }
  recover(run);
  if (!step.reached) return answer;
  const { state, step: before } = scene.known;
  const now = step.status;
  if (now?.state === 'Watch' && (state !== 'Watch' || before !== now.step))
    run.events.push({
      reason: 'TrafficShifted',
      message: messages.shifted(run.name, now, matchesOf(run.step).length > 0),
    });
  return undefined;
}

/** True if the step has something to wait for in the state StepTrafficRouting. */
export const routes = (run: Run): boolean =>
  run.snapshot.traffic !== undefined || aim(run, 'StepTrafficRouting').split !== undefined;

function aim(
  { snapshot, progress, goal, index, draft }: Run,
  state?: CanaryStatus['currentStepState'],
): ReturnType<typeof aimOfStep> {
  const { rollout, children } = snapshot;
  return aimOfStep({ rollout, progress, children, goal, index, state: state ?? draft.canary!.currentStepState });
}

function sceneOf(run: Run): Scene | undefined {
  const { now, rollout, workload, traffic: facts } = run.snapshot;
  const ask = facts && askOf(rollout);
  if (facts === undefined || ask === undefined) return undefined;
  const known = knownTraffic(run.draft.canary);
  return {
    now,
    rollout,
    workload,
    ask,
    facts,
    known: known ?? begun(rollout, ask, aim(run), now),
    begins: known === undefined,
    rival: rivalOf(rollout, run.snapshot.routers),
  };
}

/** The status of traffic, and the effects. */
function carryOut({ draft, events, name }: Run, step: TrafficStep): Answer {
  const { traffic: _, ...canary } = draft.canary!;
  draft.canary = step.status ? { ...canary, traffic: step.status } : canary;
  events.push(...(step.events ?? []));
  draft.message = messages.waitsForTraffic(name, step.waits);
  return { effects: step.effects, againAtMs: step.againAtMs };
}

function stall({ snapshot, draft, events }: Run, { waits }: TrafficStep): void {
  const before = conditionOf(draft.conditions, 'Stalled');
  setCondition(draft, snapshot.now, 'Stalled', 'True', 'TrafficBlocked', waits);
  if (before?.status !== 'True') events.push({ reason: 'Stalled', message: draft.message });
}

function recover({ snapshot, draft, events, name }: Run): void {
  const before = conditionOf(draft.conditions, 'Stalled');
  if (before?.status !== 'True' || before.reason !== 'TrafficBlocked') return;
  setCondition(draft, snapshot.now, 'Stalled', 'False', 'Recovered', '');
  events.push({ reason: 'Recovered', message: messages.recovered(name, before.reason) });
}
