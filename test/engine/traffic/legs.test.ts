// The Services of the legs: when they are written, and when they go.
import assert from 'node:assert/strict';
import { legOf } from '../../../src/engine/traffic/services.ts';
import { prepared, removeLegs } from '../../../src/engine/traffic/legs.ts';
import type { TrafficStep } from '../../../src/engine/traffic/scene.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { ago, rollout, rows } from '../build.ts';
import { service, shared } from './build.ts';
import { aim, carrying, OWNER, pinOf, scene, shown, sliceOf, stored, USER, type SceneSketch } from './scene.ts';

const legs = { canary: stored('canary'), stable: null };
const old = { canary: stored('canary', 'v0'), stable: null };
const slices = [sliceOf('canary')];
const named = carrying(shared(0));
const carries = carrying(shared(50));

/** What `prepared` does: an effect, `reroute` with the split that it wants, what it waits for, or `ready`. */
function done(sketch: SceneSketch, more: boolean): string {
  const now = scene(sketch);
  let wanted: Split | undefined;
  const rerouted: TrafficStep = { reached: false, effects: [], waits: 'reroute', status: undefined };
  const step = prepared(now, aim(shared(50)), 'canary', more, (split) => {
    wanted = split;
    return rerouted;
  });
  if (step === undefined) return 'ready';
  if (step === rerouted)
    return `reroute ${wanted === undefined ? "to the user's route" : JSON.stringify(wanted.weight)}`;
  return step.effects.length > 0 ? step.effects.map((effect) => shown(effect, now.facts)).join() : step.waits;
}

describe('the Service of a leg', () => {
  type Row = readonly [what: string, sketch: SceneSketch, more: boolean, done: string];
  const table: readonly Row[] = [
    ['is created', {}, true, '+web-canary'],
    ['is ready where it has its endpoints and proxies know it', { facts: { legs, slices } }, true, 'ready'],
    [
      'has the grace period before a rule names it',
      { facts: { legs, slices }, known: { since: ago(1) } },
      true,
      'the proxies have until 2026-01-01T12:00:02Z to know Service web-canary (gracePeriodSeconds)',
    ],
    [
      'is ready where a rule names it already',
      { facts: { legs, slices, route: named }, known: { since: ago(1) } },
      true,
      'ready',
    ],
    ['needs no endpoints for fewer requests', { facts: { legs, slices: [], route: carries } }, false, 'ready'],
    ['is not named while it is not there', { facts: { route: named } }, true, "reroute to the user's route"],
    [
      'is not named while its selector changes',
      { facts: { legs: old, slices, route: carries } },
      true,
      "reroute to the user's route",
    ],
    [
      'is repointed when nothing names it',
      { facts: { legs: old, slices }, known: { routeGeneration: 3 } },
      true,
      '~web-canary',
    ],
    [
      'is repointed a grace period after that',
      { facts: { legs: old, slices }, known: { routeGeneration: 3, since: ago(1) } },
      true,
      'the proxies of HTTPRoute web have until 2026-01-01T12:00:02Z to follow (gracePeriodSeconds)',
    ],
    [
      'is not written where it is of somebody else, and no rule names it',
      { facts: { legs: { canary: service({}, { name: 'web-canary' }), stable: null }, route: carries } },
      true,
      "reroute to the user's route",
    ],
    [
      'is not repointed where it is of another Rollout',
      {
        facts: {
          legs: {
            canary: legOf(service(), 'canary', pinOf('canary').label, rollout({ metadata: { uid: 'other' } })),
            stable: null,
          },
        },
      },
      true,
      'Service web needs the name web-canary for a Service of the release, and a Service of this name exists: delete or rename Service web-canary',
    ],
  ];
  rows(table, (sketch, more, wanted) => assert.equal(done(sketch, more), wanted));

  it('keeps its requests while it waits for the endpoints of more of them', () => {
    const state = (route: SceneSketch['facts']): string | undefined => {
      const now = scene({ facts: { legs, slices: [], ...route }, known: { state: 'Watch', step: 1, weight: 50 } });
      const step = prepared(now, aim(shared(80)), 'canary', true, () => undefined);
      assert.match(step?.waits ?? '', /have 0 of 2 Pods/);
      return step?.status?.state;
    };
    assert.equal(state({ route: carries }), 'Watch');
    assert.equal(state({}), 'Warm');
  });
});

describe('the Services of the legs are removed', () => {
  it('where they are ours', () => {
    const mine = scene({ facts: { legs: { canary: stored('canary'), stable: service({}, { name: 'web-stable' }) } } });
    assert.deepEqual(
      removeLegs(mine)?.effects.map((effect) => effect.kind === 'Delete' && [effect.name, effect.owner]),
      [['web-canary', OWNER]],
    );
  });
  it('once', () => assert.equal(removeLegs(scene()), undefined));

  const ours = { manager: 'tranche', operation: 'Update' };
  const theirs = { manager: 'flux', operation: 'Apply' };
  const table: [title: string, managedFields: readonly object[] | undefined, wanted: string][] = [
    ['after a write of the route that nothing followed', [theirs, ours], 'Disown web, Delete web-canary'],
    ['after a watch, which has no managers', [], 'Disown web, Delete web-canary'],
    ['if Tranche manages nothing of the route', [theirs], 'Delete web-canary'],
    ['if nobody does', undefined, 'Delete web-canary'],
  ];
  for (const [title, managedFields, wanted] of table)
    it(title, () => {
      const route = { ...USER, metadata: { ...USER.metadata, ...(managedFields && { managedFields }) } };
      const { effects = [] } = removeLegs(scene({ facts: { legs, route } })) ?? {};
      assert.equal(effects.map((effect) => `${effect.kind} ${'name' in effect && effect.name}`).join(', '), wanted);
    });
});
