// Traffic of releases as a property: whatever happens, in whatever order, no request fails, and nothing is left behind. Also what finds broken engines out.
import assert from 'node:assert/strict';
import type { RouteRule } from '../../src/api/traffic.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import type { Decision } from '../../src/engine/decision.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { settings } from './settings.ts';
import * as broken from './traffic-broken.ts';
import { trafficPlanOf, type TrafficPlan } from './traffic-plan.ts';
import { playTraffic, type TrafficReport } from './traffic.ts';

const isSoak = settings.histories >= 10_000;
/** In a whole soak, all calls. A crash before a call, or at a read, finds the cluster as a crash after the write before it. */
const counts = isSoak ? (): boolean => true : ({ method }: ApiCall): boolean => method !== 'GET';
const FAULTS = isSoak ? (['crash-before', 'crash-after'] as const) : (['crash-after'] as const);
/** One of them takes as long as seven of the others. */
const HISTORIES = Math.ceil(settings.histories * 0.15);

const release = { afterMs: 1_000, action: { do: 'release', broken: false } } as const;
/** When the first step has its requests. */
const later = { afterMs: 25_000 };
const APART: readonly CanaryStep[] = [
  { replicas: 2, traffic: '5%' },
  { replicas: '50%', traffic: '30%' },
  { replicas: '100%' },
];
const BROKEN = { afterMs: 1_000, action: { do: 'release', broken: true } } as const;
const ROLLBACK = { ...later, action: { do: 'rollback' } } as const;
const TIGHT = { maxSurge: 1, maxUnavailable: 0 };
const FOREIGN: readonly RouteRule[] = [
  {
    backendRefs: [
      { name: 'demo', port: 80, weight: 3 },
      { name: 'other', port: 80, weight: 1 },
    ],
  },
];
const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));
const CALM: TrafficPlan = {
  seed: 7,
  replicas: 8,
  steps: [{ replicas: 1, traffic: '40%' }, { replicas: '50%', traffic: '60%' }, { replicas: '100%' }],
  rules: [{ backendRefs: [{ name: 'demo', port: 80 }] }],
  actions: [release],
  trouble: 0,
  ending: 'complete',
};

describe('random histories with traffic', () => {
  it(`fail no request, and leave nothing behind (${HISTORIES} from seed ${settings.firstSeed})`, async () => {
    const failed: TrafficReport[] = [];
    let routed = 0;
    for (let i = 0; i < HISTORIES && failed.length < 5; i++) {
      const plan = trafficPlanOf(settings.firstSeed + i);
      const report = await playTraffic(plan);
      routed += report.routed;
      if (report.problems.length > 0) failed.push(report);
      else if (plan.seed % 10 === 0) {
        const { end } = await playTraffic(plan, { trouble: false });
        assert.equal(report.end, end, `seed ${plan.seed} ends otherwise than undisturbed`);
      }
    }
    assert.equal(
      failed.length,
      0,
      `seeds ${failed.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${failed[0]?.seed} TRANCHE_HISTORIES=1\n${failed[0]?.story()}`,
    );
    assert.ok(routed > HISTORIES / 2, `a leg got requests in ${routed} states only`);
  });
});

describe('a crash at each write of a release with traffic', () => {
  const stories: (readonly [what: string, more: Partial<TrafficPlan>])[] = [
    ['shared, to its end', {}],
    ['apart, rolled back', { steps: APART, actions: [release, ROLLBACK] }],
  ];
  if (isSoak)
    stories.push([
      'apart, superseded and deleted',
      { steps: APART, actions: [release, { ...release, ...later }], ending: 'delete' },
    ]);
  for (const [what, more] of stories)
    it(`fails no request, and leaves nothing behind: ${what}`, async () => {
      const plan: TrafficPlan = { ...CALM, ...more };
      const { calls, end } = await playTraffic(plan, { trouble: false, counts });
      assert.ok(calls > 20, `${calls} calls`);
      for (let call = 1; call <= calls; call++)
        for (const fault of FAULTS) {
          const report = await playTraffic(plan, { trouble: false, counts, crashAt: { call, fault } });
          assert.deepEqual(report.problems, [], `${fault} of call ${call}\n${report.story()}`);
          assert.equal(report.end, end);
        }
    });
});

describe('the histories with traffic themselves', () => {
  /** Each broken engine, the invariants that it violates, and the plan that shows it. */
  const engines: readonly (readonly [
    what: string,
    engine: (snapshot: Snapshot) => Decision,
    found: readonly string[],
    more?: Partial<TrafficPlan>,
  ])[] = [
    [
      'a leg that gets requests before its Pods are ready',
      broken.credulous(),
      ['T1', 'T12'],
      { actions: [BROKEN, { ...later, action: { do: 'approve' } }] },
    ],
    ['a grace period of nothing', broken.hasty, ['T2', 'T12']],
    ['a Service that is deleted too early', broken.eager, ['T2']],
    [
      'a selector that changes while requests go there',
      broken.restless,
      ['T3'],
      { actions: [release, { ...release, ...later }] },
    ],
    ['a rule whose weights are all 0', broken.silent, ['T4']],
    ['another Service that loses its share', broken.greedyFor('other'), ['T4'], { rules: FOREIGN }],
    ['a rollback that does not wait', broken.careless, ['T1', 'T5'], { actions: [release, ROLLBACK], steps: APART }],
    [
      'an edit of the user that is lost',
      broken.forgetful(),
      ['T6'],
      { actions: [release, { ...later, action: { do: 'edit' } }] },
    ],
    ['new Pods before the versions are apart', broken.mixing, ['T7'], { steps: APART }],
    ['a step that gives too much', broken.generous, ['T8']],
    ['a step that takes requests away again', broken.wavering(), ['T8'], { steps: APART }],
    ['a Service that is left', broken.untidy, ['T9']],
    ['a Service of the user that is written', broken.greedy, ['T10']],
    ['stable Pods that go before their requests', broken.sluggish, ['T11'], { steps: APART, budget: TIGHT }],
  ];

  it('have a broken engine for each invariant', () => {
    const all = Array.from({ length: 12 }, (_, i) => `T${i + 1}`);
    assert.deepEqual([...new Set(engines.flatMap(([, , found]) => found))].sort(byNumber), all);
  });

  for (const [what, engine, found, more] of engines)
    it(`find out ${what}: ${found.join(', ')}`, async () => {
      const plan: TrafficPlan = { ...CALM, ...more };
      const { problems, story } = await playTraffic(plan, { trouble: false, decide: engine, untilFound: found });
      for (const invariant of found)
        assert.ok(
          problems.some((problem) => problem.startsWith(`${invariant}:`)),
          story(),
        );
    });

  it('pass the whole engine', async () => {
    const plans = new Set(engines.map(([, , , more]) => JSON.stringify({ ...CALM, ...more })));
    for (const plan of plans) {
      const { problems, story } = await playTraffic(JSON.parse(plan) as TrafficPlan, { trouble: false });
      assert.deepEqual(problems, [], story());
    }
  });
});
