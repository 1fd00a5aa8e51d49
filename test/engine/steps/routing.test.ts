// Traffic in the steps of a release: what is asked for, when a step goes on, and what a person is told.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../../src/api/keys.ts';
import type { TrafficStatus } from '../../../src/api/traffic.ts';
import type { StepState } from '../../../src/api/types.ts';
import { shifted } from '../../../src/engine/messages.ts';
import { retreating, routes, routing, trafficAsk } from '../../../src/engine/steps/routing.ts';
import type { Run } from '../../../src/engine/steps/run.ts';
import type { TrafficFacts } from '../../../src/engine/traffic/facts.ts';
import { atStep, condition, rollout, runOf, stage, type StatusSketch } from '../build.ts';
import { NAMESPACE, service, shared } from '../traffic/build.ts';
import { carrying, known, ROUTING, sliceOf, stored, USER } from '../traffic/scene.ts';

interface Sketch {
  readonly traffic?: Partial<TrafficStatus> | null;
  readonly facts?: Partial<TrafficFacts> | null;
  readonly state?: StepState;
  readonly status?: StatusSketch;
  readonly routed?: boolean;
  readonly marked?: boolean;
}

/** Step 1 of 10 Pods: 2 new Pods, and 60% of the requests. */
function run({
  traffic = {},
  facts = {},
  state = 'StepTrafficRouting',
  status = {},
  routed = true,
  marked = true,
}: Sketch = {}): Run {
  const at = atStep(1, state, status);
  assert.ok(at.canaryStatus);
  const canaryStatus = {
    ...at.canaryStatus,
    ...(traffic && { traffic: known({ state: 'Watch', weight: 500, step: 1, routeGeneration: 3, ...traffic }) }),
  };
  const steps = [{ replicas: 2, ...(routed && { traffic: '60%' }) }, { replicas: '100%' }];
  return runOf({
    rollout: rollout({
      steps,
      canary: routed ? { trafficRoutings: [ROUTING] } : {},
      metadata: { namespace: NAMESPACE },
      status: { ...at, canaryStatus },
    }),
    ...stage({ updated: 2, deployment: marked ? { annotations: { [TRAFFIC]: 'Shared' } } : {} }),
    ...(facts && {
      traffic: {
        route: carrying(shared(500)),
        base: service(),
        legs: { canary: stored('canary'), stable: null },
        slices: [sliceOf('canary', ['uid-v2-1', 'uid-v2-2'])],
        ...facts,
      },
    }),
  });
}

describe('a step asks for the facts of traffic', () => {
  const asks = (sketch: Sketch): string | undefined => trafficAsk(run({ facts: null, ...sketch }))?.route.name;
  it('where its own split needs them', () => assert.equal(asks({ traffic: null, marked: false }), 'web'));
  it('where something may be left', () => assert.equal(asks({ state: 'StepUpgrade', marked: false }), 'web'));
  it('where the workload says that something is routed', () =>
    assert.equal(asks({ traffic: null, state: 'StepUpgrade' }), 'web'));
  it('never where nothing is routed', () => {
    assert.equal(asks({ traffic: null, routed: false, marked: false }), undefined);
    assert.equal(routes(run({ traffic: null, facts: null, routed: false, marked: false })), false);
    assert.equal(routes(run({ traffic: null, facts: null, marked: false })), true);
  });
});

describe('a step goes on', () => {
  it('where traffic stands where it is to stand', () => {
    const now = run();
    assert.equal(routing(now), undefined);
    assert.deepEqual(now.events, []);
  });
  it('where nothing is routed', () =>
    assert.equal(routing(run({ facts: null, traffic: null, routed: false })), undefined));
  it('and tells it once, when its requests are with the new version', () => {
    const now = run({ traffic: { state: 'Shift' } });
    assert.equal(routing(now), undefined);
    assert.deepEqual(
      now.events.map(({ reason }) => reason),
      ['TrafficShifted'],
    );
    assert.equal(now.draft.canary?.traffic?.state, 'Watch');
  });
});

describe('a step that has its requests', () => {
  const traffic = known({ weight: 50 });
  it('says how many', () =>
    assert.equal(
      shifted('step 1/2', traffic, false),
      'step 1/2: HTTPRoute web gives Service web-canary 5 % of the requests',
    ));
  it('says which, where it has matches', () =>
    assert.equal(
      shifted('step 1/2', { ...traffic, weight: 0 }, true),
      'step 1/2: HTTPRoute web gives Service web-canary the requests that match',
    ));
});

describe('a step waits for traffic', () => {
  it('and says for what', () => {
    const now = run({ traffic: { state: 'Shift', weight: 0 }, facts: { route: carrying(shared(100)) } });
    const answer = routing(now);
    assert.deepEqual(
      answer?.effects?.map(({ why }) => why),
      ['route'],
    );
    assert.match(now.draft.message ?? '', /HTTPRoute web is written/);
    assert.equal(now.draft.canary?.traffic?.weight, 500);
  });
  it('and is stalled, once, where a person must change something', () => {
    const now = run({ facts: { route: null } });
    assert.deepEqual(routing(now)?.effects, []);
    const stalled = now.draft.conditions?.find(({ type }) => type === 'Stalled');
    assert.deepEqual([stalled?.status, stalled?.reason], ['True', 'TrafficBlocked']);
    assert.match(stalled?.message ?? '', /HTTPRoute web does not exist/);
    assert.deepEqual(
      now.events.map(({ reason }) => reason),
      ['Stalled'],
    );
    const later = run({
      facts: { route: null },
      status: { conditions: [condition('Stalled', 'True', 'TrafficBlocked')] },
    });
    routing(later);
    assert.deepEqual(later.events, []);
  });
  it('and recovers', () => {
    const now = run({ status: { conditions: [condition('Stalled', 'True', 'TrafficBlocked')] } });
    assert.equal(routing(now), undefined);
    assert.equal(now.draft.conditions?.find(({ type }) => type === 'Stalled')?.status, 'False');
    assert.deepEqual(
      now.events.map(({ reason }) => reason),
      ['Recovered'],
    );
  });
  it('and leaves a stall of another cause alone', () => {
    const now = run({ status: { conditions: [condition('Stalled', 'True', 'PodsFailing')] } });
    routing(now);
    assert.equal(now.draft.conditions?.find(({ type }) => type === 'Stalled')?.status, 'True');
  });
});

describe('a leg that has lost its endpoints', () => {
  it('loses its requests in any state of the step', () => {
    const now = run({ state: 'StepPaused', facts: { slices: [] } });
    const answer = retreating(now);
    assert.deepEqual(
      answer?.effects?.map(({ why }) => why),
      ['route'],
    );
    assert.deepEqual(
      now.events.map(({ reason }) => reason),
      ['TrafficRetreated'],
    );
    assert.equal(now.draft.canary?.traffic?.state, 'Retreated');
  });
  it('is none where there is no route, or no facts', () => {
    assert.equal(retreating(run({ facts: { route: USER, slices: [] } })), undefined);
    assert.equal(retreating(run({ facts: null })), undefined);
  });
});
