// Traffic of releases as a property: whatever happens, in whatever order, no request fails, and nothing is left behind. Also what finds broken engines out.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../src/api/keys.ts';
import { SERVICES } from '../../src/api/resources.ts';
import type { RouteRule } from '../../src/api/traffic.ts';
import { decide } from '../../src/engine/decide.ts';
import type { Decision, Effect } from '../../src/engine/decision.ts';
import type { PatchOp } from '../../src/engine/lib/json-patch.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { settings } from './settings.ts';
import { playTraffic, trafficPlanOf, type TrafficPlan, type TrafficReport } from './traffic.ts';

/** Every call in a whole soak; every third one otherwise. */
const STRIDE = settings.histories >= 10_000 ? 1 : 3;
/** One of them takes as long as seven of the others. */
const HISTORIES = Math.ceil(settings.histories * 0.15);

const release = { afterMs: 1_000, action: { do: 'release', broken: false } } as const;
/** When the first step has its requests. */
const later = { afterMs: 25_000 };
const APART = [{ replicas: 2, traffic: '5%' }, { replicas: '50%', traffic: '30%' }, { replicas: '100%' }];
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

describe('a crash at each call of a release with traffic', () => {
  for (const [what, more] of [
    ['shared, to its end', {}],
    ['apart, rolled back', { steps: APART, actions: [release, { ...later, action: { do: 'rollback' } }] }],
  ] as const)
    it(`fails no request, and leaves nothing behind: ${what}`, async () => {
      const plan: TrafficPlan = { ...CALM, ...more };
      const { calls, end } = await playTraffic(plan, { trouble: false });
      for (let call = 1; call <= calls; call += STRIDE)
        for (const fault of ['crash-before', 'crash-after'] as const) {
          const report = await playTraffic(plan, { trouble: false, crashAt: { call, fault } });
          assert.deepEqual(report.problems, [], `${fault} of call ${call}\n${report.story()}`);
          assert.equal(report.end, end);
        }
    });
});

describe('the histories with traffic themselves', () => {
  /** Each broken engine, the plan that shows it, and the invariants that it violates. */
  const broken: readonly [string, (snapshot: Snapshot) => Decision, RegExp, Partial<TrafficPlan>][] = [
    ['a grace period of nothing', hasty, /^(T2|T12)/, {}],
    [
      'a rollback that does not wait',
      careless,
      /^T12/,
      { actions: [release, { ...later, action: { do: 'rollback' } }] },
    ],
    ['a Service of the user that is written', greedy, /^T10/, {}],
    ['a rule whose weights are all 0', silent, /^T4/, {}],
    [
      'a selector that changes while requests go there',
      restless,
      /^T3/,
      { actions: [release, { ...release, ...later }] },
    ],
    ['a Service that is left', untidy, /^T9/, {}],
    ['a Service that is deleted too early', eager, /^T2/, {}],
    ['a step that gives too much', generous, /^T8/, {}],
    ['new Pods before the versions are apart', unpinned, /^(T7|T9|not within)/, { steps: APART }],
  ];

  for (const [what, engine, found, more] of broken)
    it(`find out ${what}`, async () => {
      const plan: TrafficPlan = { ...CALM, ...more };
      const { problems, story } = await playTraffic(plan, { trouble: false, decide: engine });
      assert.ok(
        problems.some((problem) => found.test(problem)),
        story(),
      );
    });

  it('pass the whole engine', async () => {
    for (const [, , , more] of broken) {
      const { problems, story } = await playTraffic({ ...CALM, ...more }, { trouble: false });
      assert.deepEqual(problems, [], story());
    }
  });
});

/** The engine, told that proxies need no time. */
function hasty(snapshot: Snapshot): Decision {
  const { status } = snapshot.rollout;
  const traffic = status?.canaryStatus?.traffic;
  if (!status?.canaryStatus || !traffic) return decide(snapshot);
  const long = { ...traffic, since: '2026-01-01T00:00:00Z', graceSeconds: 1 };
  const rollout = {
    ...snapshot.rollout,
    status: { ...status, canaryStatus: { ...status.canaryStatus, traffic: long } },
  };
  return decide({ ...snapshot, rollout });
}

/** The engine, which knows nothing of traffic when the stable template is put back. */
function careless(snapshot: Snapshot): Decision {
  const { rollout, workload, digest } = snapshot;
  const canary = rollout.status?.canaryStatus;
  if (!workload || !canary?.traffic || digest(workload.spec.template) !== canary.stableDigest) return decide(snapshot);
  const { traffic: _, ...rest } = canary;
  const { [TRAFFIC]: __, ...annotations } = workload.metadata.annotations ?? {};
  return decide({
    ...snapshot,
    rollout: { ...rollout, status: { ...rollout.status!, canaryStatus: rest } },
    workload: { ...workload, metadata: { ...workload.metadata, annotations } },
  });
}

/** The engine, with other effects. */
const changed = (snapshot: Snapshot, change: (effect: Effect) => readonly Effect[]): Decision => {
  const decision = decide(snapshot);
  return { ...decision, effects: decision.effects.flatMap(change) };
};

function greedy(snapshot: Snapshot): Decision {
  const base = snapshot.traffic?.base;
  return changed(snapshot, (effect) =>
    effect.kind !== 'Create' || effect.why !== 'service' || !base
      ? [effect]
      : [
          effect,
          {
            kind: 'Patch',
            why: 'service',
            resource: SERVICES,
            before: base,
            patch: { metadata: { labels: { x: 'y' } } },
          },
        ],
  );
}

/** Changes the rules of each write of a route. */
const rewriting =
  (write: (rules: readonly RouteRule[]) => readonly RouteRule[]) =>
  (snapshot: Snapshot): Decision =>
    changed(snapshot, (effect) => {
      if (effect.kind !== 'Patch' || effect.why !== 'route' || !Array.isArray(effect.patch)) return [effect];
      const ops = (effect.patch as readonly PatchOp[]).map((op) =>
        op.path === '/spec/rules' && op.op !== 'remove'
          ? { ...op, value: write(op.value as readonly RouteRule[]) }
          : op,
      );
      return [{ ...effect, patch: ops }];
    });

function silent(snapshot: Snapshot): Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({ ...rule, backendRefs: (rule.backendRefs ?? []).map((ref) => ({ ...ref, weight: 0 })) })),
  )(snapshot);
}

function generous(snapshot: Snapshot): Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({
      ...rule,
      backendRefs: (rule.backendRefs ?? []).map((ref) =>
        ref.name === 'demo-canary' && (ref.weight ?? 1) > 0 ? { ...ref, weight: 3 * (ref.weight ?? 1) } : ref,
      ),
    })),
  )(snapshot);
}

/** The engine, which sees the user's own route whatever the route is: it repoints a leg at once. */
function restless(snapshot: Snapshot): Decision {
  const { traffic, workload, digest, rollout } = snapshot;
  const status = rollout.status?.canaryStatus;
  if (!traffic?.route || !workload || status?.templateDigest === digest(workload.spec.template))
    return decide(snapshot);
  const rules = [{ backendRefs: [{ name: 'demo', port: 80 }] }];
  const { labels: _, annotations: __, ...metadata } = traffic.route.metadata;
  const decision = decide({
    ...snapshot,
    traffic: { ...traffic, route: { ...traffic.route, metadata, spec: { rules } } },
  });
  const leg = traffic.legs.canary;
  if (!leg) return decision;
  const patch = { metadata: {}, spec: { selector: { 'pod-template-hash': 'other' } } };
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'Patch', why: 'service', resource: SERVICES, before: leg, patch }],
  };
}

function untidy(snapshot: Snapshot): Decision {
  const decision = decide({
    ...snapshot,
    ...(snapshot.traffic && { traffic: { ...snapshot.traffic, legs: LESS(snapshot) } }),
  });
  return decision;
}
/** The legs are not there when they are to be deleted. */
const LESS = ({ traffic, rollout }: Snapshot): NonNullable<Snapshot['traffic']>['legs'] => {
  const state = rollout.status?.canaryStatus?.traffic?.state;
  const legs = traffic?.legs ?? { canary: null, stable: null };
  return state === 'Unroute' ? { canary: null, stable: null } : legs;
};

function eager(snapshot: Snapshot): Decision {
  return changed(snapshot, (effect) =>
    effect.kind === 'Patch' &&
    effect.why === 'route' &&
    snapshot.rollout.status?.canaryStatus?.traffic?.state === 'Watch'
      ? [{ kind: 'Delete', why: 'service', resource: SERVICES, name: 'demo-canary', owner: snapshot.rollout }, effect]
      : [effect],
  );
}

/** The engine, told that the versions are apart when they are not. */
function unpinned(snapshot: Snapshot): Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({
      ...rule,
      backendRefs: (rule.backendRefs ?? []).map((ref) => (ref.name === 'demo' ? { ...ref, weight: 1 } : ref)),
    })),
  )(snapshot);
}
