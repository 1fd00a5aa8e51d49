// What ends a release, gives its workload back or starts a newer one waits until no requests depend on it.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../../src/api/keys.ts';
import { DEPLOYMENTS, ROLLOUTS } from '../../../src/api/resources.ts';
import type { TrafficStatus } from '../../../src/api/traffic.ts';
import { nothing, type Decision, type Effect, type Why } from '../../../src/engine/decision.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import { gate } from '../../../src/engine/traffic/gate.ts';
import type { TrafficFacts } from '../../../src/engine/traffic/facts.ts';
import { asDigest } from '../../support/digests.ts';
import { ago, atStep, brief, deployment, healthy, rollout, rows, snapshot, stage } from '../build.ts';
import { apart, NAMESPACE, service, shared } from './build.ts';
import { carrying, known, ROUTING, sliceOf, stored, USER } from './scene.ts';

const traffic = (more: Partial<TrafficStatus> = {}): TrafficStatus =>
  known({ state: 'Watch', weight: 50, step: 1, routeGeneration: 3, ...more });
const release = (
  more: Partial<TrafficStatus> | null = {},
  reason: 'InRolling' | 'Cancelling' = 'InRolling',
): Snapshot['rollout'] => {
  const status = atStep(1, 'StepPaused', { reason });
  assert.ok(status.canaryStatus);
  const canaryStatus = { ...status.canaryStatus, ...(more && { traffic: traffic(more) }) };
  return rollout({
    canary: { trafficRoutings: [ROUTING] },
    metadata: { namespace: NAMESPACE },
    status: { ...status, canaryStatus },
  });
};
const legs = { canary: stored('canary'), stable: stored('stable') };
const slices = [sliceOf('canary'), sliceOf('stable')];
const facts = (more: Partial<TrafficFacts> = {}): TrafficFacts => ({
  route: carrying(shared(50)),
  base: service(),
  legs: { ...legs, stable: null },
  slices,
  ...more,
});
const shot = (more: Partial<Snapshot> = {}): Snapshot =>
  snapshot({
    rollout: release(),
    ...stage({ updated: 2, deployment: { annotations: { [TRAFFIC]: 'Shared' } } }),
    traffic: facts(),
    ...more,
  });

/** Before the shell has read the facts of traffic. */
const unread = (more: Partial<Snapshot> = {}): Snapshot => {
  const { traffic: _facts, ...rest } = shot(more);
  return rest;
};

const write = (why: Why, resource = DEPLOYMENTS): Effect => ({
  kind: 'Patch',
  why,
  resource,
  before: deployment(),
  patch: { metadata: {} },
});
const decision = (why: Why, more: Partial<Decision> = {}): Decision => ({
  ...nothing,
  effects: [write(why)],
  events: [{ reason: 'Released', message: 'done' }] as never,
  ...more,
});
const message = ({ status }: Decision): string => status?.message ?? '';

describe('a decision goes on at once', () => {
  const table: readonly (readonly [what: string, of: Snapshot, decided: Decision])[] = [
    ['where nothing was ever routed', unread({ rollout: release(null), workload: deployment() }), decision('free')],
    [
      'where it asks for traffic itself',
      shot(),
      decision('move', { needsTraffic: { service: 'web', route: { resource: DEPLOYMENTS, name: 'x' } } }),
    ],
    [
      'where no route is named',
      shot({ rollout: rollout({ status: healthy() }), workload: deployment({ annotations: { [TRAFFIC]: 'Shared' } }) }),
      decision('free'),
    ],
  ];
  rows(table, (of, decided) => assert.deepEqual(gate(of, decided), decided));

  it('where it takes nothing from a version; and says that it still watches traffic', () => {
    const decided = decision('label');
    const { needsTraffic, ...rest } = gate(shot(), decided);
    assert.deepEqual(rest, decided);
    assert.equal(needsTraffic?.service, 'web');
  });
  it("where the user's route is back and all proxies know it", () => {
    const back = shot({
      rollout: release({ state: 'Unroute', step: 0, weight: 0 }),
      ...stage({ updated: 2 }),
      traffic: facts({ route: USER }),
    });
    assert.deepEqual(gate(back, decision('free')).effects, decision('free').effects);
  });
});

describe('a decision waits', () => {
  const free = decision('free');
  it('for what the cluster says', () => {
    const waiting = gate(unread(), free);
    assert.deepEqual([waiting.effects, waiting.events, waiting.needsTraffic?.service], [[], [], 'web']);
  });

  const next = decision('hold', {
    status: {
      ...release().status,
      canaryStatus: { ...release().status?.canaryStatus, templateDigest: asDigest('v3') },
    } as never,
  });
  const apartNow: Partial<Snapshot> = {
    rollout: release({ mode: 'Apart' }),
    ...stage({ updated: 2, deployment: { annotations: { [TRAFFIC]: 'Apart' } } }),
    traffic: facts({ route: carrying(apart(50)), legs }),
  };
  type Row = readonly [what: string, of: Snapshot, decided: Decision, wanted: string];
  const table: readonly Row[] = [
    ["for the user's route, before it gives the workload back", shot(), free, 'route'],
    ["for the user's route, before it lets go of the workload", shot(), decision('leave'), 'route'],
    [
      "for the user's route, before the finalizer goes",
      shot(),
      { ...nothing, effects: [write('finalizer', ROLLOUTS)] },
      'route',
    ],
    ["for the user's route, before the release is Healthy", shot(), { ...nothing, status: healthy('v2') }, 'route'],
    ["for the user's route, before a newer version starts", shot(), next, 'route'],
    ['for the stable leg, before a newer version starts (apart)', shot(apartNow), next, 'route'],
    [
      'for proxies, before the Services go',
      shot({
        rollout: release({ state: 'Unroute', step: 0, weight: 0, since: ago(4) }),
        ...stage({ updated: 2 }),
        traffic: facts({ route: USER }),
      }),
      { ...nothing, status: healthy('v2') },
      '',
    ],
    [
      'for the Services, at the end',
      shot({
        rollout: release({ state: 'Unroute', step: 0, weight: 0 }),
        ...stage({ updated: 2 }),
        traffic: facts({ route: USER }),
      }),
      { ...nothing, status: healthy('v2') },
      'delete web-canary',
    ],
  ];
  rows(table, (of, decided, wanted) => {
    const waiting = gate(of, decided);
    assert.equal(brief({ ...waiting }).split(' | ')[0], wanted || '-');
    assert.notEqual(message(waiting), 'as it was');
    assert.equal(waiting.status?.phase ?? 'Progressing', 'Progressing');
    assert.deepEqual(waiting.needsTraffic?.service, 'web');
  });

  it('without the weight of a leg that has lost its requests, where Tranche died before it wrote so', () => {
    const died = shot({ ...stage({ updated: 2 }), traffic: facts({ route: USER }) });
    const { state, weight, step } = gate(died, next).status?.canaryStatus?.traffic ?? {};
    assert.deepEqual([state, weight, step], ['Unroute', 0, 0]);
  });
  it('and a rollback goes on to report while the workload is given back', () => {
    const rollingBack = shot({ rollout: release({}, 'Cancelling') });
    assert.deepEqual(
      gate(rollingBack, decision('label')).effects.map(({ why }) => why),
      ['route', 'label'],
    );
  });
  it('for nothing else: a leg without endpoints loses its requests whatever is decided', () => {
    const lost = gate(shot({ traffic: facts({ slices: [] }) }), decision('label'));
    assert.deepEqual(
      lost.effects.map(({ why }) => why),
      ['route', 'label'],
    );
    assert.ok(lost.events.some(({ reason }) => reason === 'TrafficRetreated'));
  });
  it('and writes the status first where only the workload says that something is routed', () => {
    const marked = gate(shot({ rollout: release(null) }), free);
    assert.deepEqual(marked.effects, []);
    assert.equal(marked.status?.canaryStatus?.traffic?.route.name, 'web');
  });
});
