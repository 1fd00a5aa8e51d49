// The life of a TrafficRouting, decision by decision, and as a whole with a crash at each write.
import assert from 'node:assert/strict';
import { HELD, PROGRESSING_ROLLOUT, TRAFFIC, TRAFFIC_ROUTING } from '../../../src/api/keys.ts';
import type { Route, TrafficRoutingObject } from '../../../src/api/traffic.ts';
import type { Rollout } from '../../../src/api/types.ts';
import type { PatchOp } from '../../../src/engine/lib/json-patch.ts';
import {
  decideRouting,
  headersOf,
  routeKeys,
  routeToRead,
  routingRefOf,
  type RoutingDecision,
} from '../../../src/engine/traffic/routing-object.ts';
import { applyOps } from '../../support/json-patch.ts';
import { ref, route, rule } from './build.ts';

const strategy = {
  matches: [{ headers: [{ name: 'x-user', value: 'me' }] }],
  requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] },
};
const objectRef = [{ service: 'web', gateway: { httpRouteName: 'web' } }];
const HTTP_ROUTE = { kind: 'HTTPRoute', name: 'web' };

const lane = (change: Partial<TrafficRoutingObject> = {}): TrafficRoutingObject => ({
  apiVersion: 'rollouts.kruise.io/v1alpha1',
  kind: 'TrafficRouting',
  spec: { objectRef, strategy },
  ...change,
  metadata: { name: 'lane', namespace: 'default', resourceVersion: '1', generation: 2, ...change.metadata },
});

const accepted = (of: Route): Route => ({
  ...of,
  status: {
    parents: [
      {
        parentRef: { name: 'gateway' },
        controllerName: 'example.com/gateway',
        conditions: ['Accepted', 'ResolvedRefs'].map((type) => ({
          type,
          status: 'True',
          observedGeneration: of.metadata.generation ?? 0,
        })),
      },
    ],
  },
});
const user = accepted(route([rule([ref('web')])]));

/** What a cluster has after the decision: a crash loses the writes from `crashAt` on. */
interface World {
  readonly object: TrafficRoutingObject | undefined;
  readonly route: Route | null;
}

function after({ object, route: live }: World, decision: RoutingDecision, writes = 2): World {
  let left = writes;
  const world: { object: TrafficRoutingObject | undefined; route: Route | null } = { object, route: live };
  for (const effect of decision.effects) {
    if (left-- <= 0) return world;
    assert.ok(effect.kind === 'Patch');
    if (effect.why === 'route') world.route = accepted(applyOps(effect.before as Route, effect.patch as PatchOp[]));
    else {
      const { finalizers } = (effect.patch as { metadata: { finalizers: string[] } }).metadata;
      const gone = object!.metadata.deletionTimestamp !== undefined && finalizers.length === 0;
      world.object = gone ? undefined : { ...object!, metadata: { ...object!.metadata, finalizers } };
    }
  }
  if (left <= 0 || world.object === undefined) return world;
  world.object = { ...world.object, status: decision.status };
  return world;
}

/** Decides until nothing changes. `writes`: how many of the first decision happen before a crash. */
function settle(world: World, releasing: readonly string[], writes = 2): World {
  let [current, next] = [world, writes];
  for (let turn = 0; turn < 20 && current.object !== undefined; turn++) {
    const decision = decideRouting({ object: current.object, releasing, route: current.route });
    assert.ok(decision.effects.length <= 1);
    const then = after(current, decision, next);
    next = 2;
    if (turn > 0 && JSON.stringify(then) === JSON.stringify(current)) return current;
    current = then;
  }
  assert.ok(current.object === undefined, 'goes on for ever');
  return current;
}

describe('a TrafficRouting', () => {
  const rest = settle({ object: lane(), route: user }, []);
  const busy = settle(rest, ['a', 'c']);

  it('leaves its route alone while no Rollout has a release', () => {
    assert.equal(rest.route, user);
    assert.deepEqual(rest.object?.metadata.finalizers, undefined);
    assert.deepEqual(rest.object?.status, {
      observedGeneration: 2,
      phase: 'Healthy',
      message: 'no Rollout that names it has a release in progress',
    });
  });
  it('adds its rules for all Rollouts with a release', () => {
    assert.equal(busy.route?.spec.rules?.length, 2);
    assert.equal(busy.route?.metadata.labels?.[TRAFFIC], 'lane');
    assert.deepEqual(JSON.parse(busy.route?.metadata.annotations?.[HELD] ?? ''), {
      v: 1,
      trafficRouting: 'lane',
      split: headersOf(lane())?.split,
      user: user.spec.rules,
    });
    assert.deepEqual(busy.object?.metadata.finalizers, [
      TRAFFIC_ROUTING,
      `${PROGRESSING_ROLLOUT}a`,
      `${PROGRESSING_ROLLOUT}c`,
    ]);
    assert.deepEqual(busy.object?.status, {
      observedGeneration: 2,
      phase: 'Progressing',
      message: 'requests that match get their headers, for the release of Rollouts a, c',
      route: HTTP_ROUTE,
    });
  });
  it('keeps them until the last release has ended, and then gives the route back byte for byte', () => {
    const one = settle(busy, ['c']);
    assert.deepEqual(one.route, busy.route);
    assert.deepEqual(one.object?.metadata.finalizers, [TRAFFIC_ROUTING, `${PROGRESSING_ROLLOUT}c`]);
    const none = settle(one, []);
    assert.equal(JSON.stringify(none.route?.spec), JSON.stringify(user.spec));
    assert.deepEqual(none.object?.metadata.finalizers, []);
    assert.deepEqual(none.object?.status, rest.object?.status);
  });
  it('is deleted during a release only after its route is given back', () => {
    const object = {
      ...busy.object!,
      metadata: { ...busy.object!.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    const first = decideRouting({ object, releasing: ['a', 'c'], route: busy.route });
    assert.deepEqual([first.status.phase, first.effects[0]?.why], ['Terminating', 'route']);
    const end = settle({ ...busy, object }, ['a', 'c']);
    assert.equal(end.object, undefined);
    assert.equal(JSON.stringify(end.route?.spec), JSON.stringify(user.spec));
  });
  it('leaves no trace in the route if Tranche died after the write that gave it back', () => {
    const managedFields = [{ manager: 'tranche', operation: 'Update' }];
    const left = { ...user, metadata: { ...user.metadata, managedFields } };
    const decision = decideRouting({ object: busy.object!, releasing: [], route: left });
    assert.deepEqual(
      decision.effects.map(({ kind }) => kind),
      ['Disown'],
    );
    assert.equal(decision.status.route, undefined);
    const clean = { ...user, metadata: { ...user.metadata, managedFields: [{ manager: 'flux', operation: 'Apply' }] } };
    assert.deepEqual(decideRouting({ object: busy.object!, releasing: [], route: clean }).effects, []);
  });
  it('gives the route back that it changed, before it changes another one', () => {
    const spec = { objectRef: [{ service: 'web', gateway: { httpRouteName: 'new' } }], strategy };
    const object = { ...busy.object!, spec };
    assert.equal(routeToRead(object)?.name, 'web');
    const decision = decideRouting({ object, releasing: ['a', 'c'], route: busy.route });
    const left = after({ ...busy, object }, decision);
    assert.equal(JSON.stringify(left.route?.spec), JSON.stringify(user.spec));
    const then = after(left, decideRouting({ object: left.object!, releasing: ['a', 'c'], route: left.route }));
    assert.equal(routeToRead(then.object!)?.name, 'new');
  });
  it('follows a change of its strategy', () => {
    const next = { ...strategy, matches: [{ headers: [{ name: 'x-user', value: 'you' }] }] };
    const changed = settle({ ...busy, object: { ...busy.object!, spec: { objectRef, strategy: next } } }, ['a', 'c']);
    assert.equal(changed.route?.spec.rules?.length, 2);
    assert.equal(changed.route?.spec.rules?.[0]?.matches?.[0]?.headers?.[0]?.value, 'you');
  });
  it('removes finalizers that OpenKruise left, and no others', () => {
    const finalizers = ['example.com/keep', `${PROGRESSING_ROLLOUT}gone`, TRAFFIC_ROUTING];
    const object = lane({ metadata: { name: 'lane', finalizers } });
    assert.deepEqual(settle({ object, route: user }, []).object?.metadata.finalizers, ['example.com/keep']);
  });
  it('has no finalizer for a Rollout whose name is too long for one', () => {
    const long = 'a'.repeat(64);
    const { object } = settle(rest, [long]);
    assert.deepEqual(object?.metadata.finalizers, [TRAFFIC_ROUTING]);
  });

  const waits: readonly (readonly [
    what: string,
    change: Partial<TrafficRoutingObject>,
    live: Route | null,
    says: RegExp,
  ])[] = [
    ['a route that does not exist', {}, null, /^HTTPRoute web does not exist: create it$/],
    [
      'a route that a Rollout changes',
      {},
      route([rule([ref('web')])], {
        annotations: {
          [HELD]: JSON.stringify({
            v: 1,
            rollout: 'web',
            split: { mode: 'Shared', base: 'web', canary: 'web-canary', weight: 1 },
            user: [],
          }),
        },
      }),
      /^HTTPRoute web is already changed by Rollout web: /,
    ],
    [
      'a route whose rules cannot match',
      {},
      route([
        rule([ref('web')], {
          filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['X-Lane'] } }],
        }),
      ]),
      /^HTTPRoute web cannot be changed: a rule of it already changes header "x-lane"; /,
    ],
    ['a Gateway', {}, route([rule([ref('web')])]), /^no Gateway has accepted HTTPRoute web$/],
  ];
  for (const [what, change, live, says] of waits) {
    it(`waits for ${what}, and says so`, () => {
      const object = lane({
        ...change,
        metadata: { name: 'lane', finalizers: [TRAFFIC_ROUTING, `${PROGRESSING_ROLLOUT}a`] },
        status: { phase: 'Progressing', route: HTTP_ROUTE },
      });
      let decision = decideRouting({ object, releasing: ['a'], route: live });
      if (decision.effects.length > 0) {
        const { route: written } = after({ object, route: live }, decision);
        const { status: _status, ...unseen } = written!;
        decision = decideRouting({ object, releasing: ['a'], route: unseen });
      }
      assert.match(decision.status.message ?? '', says);
      assert.deepEqual([decision.status.phase, decision.effects], ['Progressing', []]);
      assert.deepEqual([decision.watches, decision.isBlocked], [true, false], 'the watch of the route tells');
    });
  }
  it('watches a route that does not exist, also at rest', () => {
    const { status, watches, isBlocked } = decideRouting({ object: lane(), releasing: [], route: null });
    assert.deepEqual([status.phase, status.message], ['Initial', 'HTTPRoute web does not exist: create it']);
    assert.deepEqual([watches, isBlocked], [true, false]);
  });
  for (const [when, object, releasing] of [
    ['at rest', lane(), []],
    ['in a release', busy.object!, ['a', 'c']],
  ] as const)
    it(`looks again where the kind of its route is not served, ${when}`, () => {
      const decision = decideRouting({ object, releasing, route: null, unserved: true });
      assert.match(
        decision.status.message ?? '',
        /^the cluster does not serve HTTPRoutes: .*; Tranche looks again every 30 seconds$/,
      );
      assert.deepEqual([decision.watches, decision.isBlocked], [false, true]);
    });
  it('changes nothing if its spec is not valid, and says which field is wrong', () => {
    const object = lane({ spec: { objectRef, strategy: { matches: strategy.matches } } });
    const { object: then, route: live } = settle({ object, route: user }, ['a']);
    assert.equal(live, user);
    assert.equal(then?.status?.phase, 'Initial');
    assert.match(then?.status?.message ?? '', /^spec\.strategy\.requestHeaderModifier: Required value: /);
  });
  it('stays as it is while its route cannot be read', () => {
    const decision = decideRouting({ object: busy.object!, releasing: [], route: null, unreadable: 'forbidden' });
    assert.deepEqual([decision.effects, decision.isBlocked, decision.status.route], [[], true, HTTP_ROUTE]);
    assert.equal(decision.status.message, 'forbidden; Tranche looks again every 30 seconds');
  });
  it('ends the same from a crash at every write of a whole life', () => {
    const life: readonly (readonly string[])[] = [['a'], ['a', 'c'], ['c'], []];
    for (const crashed of life) {
      for (const writes of [0, 1]) {
        let world: World = { object: lane(), route: user };
        for (const releasing of life) world = settle(world, releasing, releasing === crashed ? writes : 2);
        assert.deepEqual(world.object?.status, rest.object?.status);
        assert.equal(JSON.stringify(world.route?.spec), JSON.stringify(user.spec));
      }
    }
  });
});

describe('what a Rollout and a TrafficRouting name', () => {
  const rollout = (ref?: string, annotation?: string): Rollout =>
    ({
      metadata: { name: 'web', ...(annotation !== undefined && { annotations: { [TRAFFIC_ROUTING]: annotation } }) },
      spec: {
        workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        strategy: { canary: ref === undefined ? {} : { trafficRoutingRef: ref } },
      },
    }) satisfies Rollout;
  it('is the field, or else the annotation', () => {
    assert.equal(routingRefOf(rollout('lane')), 'lane');
    assert.equal(routingRefOf(rollout(undefined, 'lane')), 'lane');
    assert.equal(routingRefOf(rollout('', '')), undefined);
  });
  it('is indexed by the route', () => {
    assert.deepEqual(routeKeys(lane()), ['default/HTTPRoute/web']);
    assert.deepEqual(routeKeys(lane({ spec: {} })), []);
  });
});
