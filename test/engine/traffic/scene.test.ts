// What a decision about traffic starts from, and how long it waits.
import assert from 'node:assert/strict';
import {
  inState,
  nameOf,
  referenceTo,
  routeName,
  secondFrom,
  settle,
  without,
  type Scene,
} from '../../../src/engine/traffic/scene.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { ago, NOW, rows } from '../build.ts';
import { apart, shared } from './build.ts';
import { carrying, scene, stored, USER } from './scene.ts';

describe('a scene', () => {
  it('names its objects', () => {
    assert.equal(nameOf(scene(), 'canary'), 'web-canary');
    assert.equal(routeName(scene()), 'HTTPRoute web');
  });
  it('believes the rules of the route about a leg, and not its record', () => {
    const lying = {
      ...USER,
      metadata: { ...USER.metadata, annotations: carrying(shared(50)).metadata.annotations ?? {} },
    };
    const of = (route: typeof USER | null): object => referenceTo(scene({ facts: { route } }), 'canary');
    assert.deepEqual(of(lying), { named: false, carries: false });
    assert.deepEqual(of(carrying(shared(0))), { named: true, carries: false });
    assert.deepEqual(of(carrying(shared(1))), { named: true, carries: true });
    assert.deepEqual(of(null), { named: false, carries: false });
  });
});

describe('the split without requests for a leg', () => {
  const { canary: _canary, ...pinned } = apart(0);
  const table: readonly (readonly [
    what: string,
    now: Split,
    leg: 'canary' | 'stable',
    hasService: boolean,
    wanted: Split | undefined,
  ])[] = [
    ['names the canary leg still (shared)', shared(50), 'canary', true, shared(0)],
    ['keeps the stable leg (apart)', apart(50), 'canary', true, apart(0)],
    ['names no Service that is gone', apart(50), 'canary', false, pinned],
    ["is the user's route without the only leg", shared(50), 'canary', false, undefined],
    ["is the user's route without the stable leg", apart(50), 'stable', true, undefined],
  ];
  rows(table, (now, leg, hasService, wanted) => {
    const service = hasService ? stored(leg) : null;
    assert.deepEqual(without(scene({ facts: { route: carrying(now) } }), leg, service), wanted);
  });
});

describe('the status of a state', () => {
  const now = scene({ known: { state: 'Shift', since: ago(5), routeGeneration: 3 } });
  it('keeps its time, and looks at the route again', () => {
    const { routeGeneration: _generation, ...rest } = now.known;
    assert.deepEqual(inState(now, 'Shift'), rest);
  });
  it('has a time of its own where it begins', () => {
    assert.equal(inState(now, 'Unroute').since, ago(0));
    assert.equal(inState(now, 'Shift', true).since, ago(0));
  });
  it('does not keep a time that is in the future, or none', () => {
    for (const since of [ago(-60), 'soon'])
      assert.equal(inState(scene({ known: { state: 'Shift', since } }), 'Shift').since, ago(0));
  });
  it('counts from the next whole second', () => {
    assert.equal(secondFrom(NOW + 1), ago(-1));
    assert.equal(secondFrom(NOW), ago(0));
  });
});

describe('a route has settled', () => {
  const silent = { ...USER, status: {} };
  type Row = readonly [what: string, of: Scene, options: Parameters<typeof settle>[2], untilMs: number | undefined];
  const at = (seconds: number, more: Partial<Scene['known']> = {}, route: typeof USER | null = USER): Scene =>
    scene({ facts: { route }, known: { state: 'Shift', routeGeneration: 3, since: ago(seconds), ...more } });
  const table: readonly Row[] = [
    ['after the grace period', at(3), {}, undefined],
    ['not before', at(2), {}, NOW + 1000],
    ['after two periods where it must', at(3), { periods: 2 }, NOW + 3000],
    ['from when it is observed', at(60, { routeGeneration: 2 }), {}, NOW + 3000],
    ['in the same way while it is watched', at(3, { state: 'Watch' }), {}, undefined],
    ['from now in another state', at(60, { state: 'Refer' }), {}, NOW + 3000],
    ['a period after it was deleted', at(60, { state: 'Refer' }, null), {}, NOW + 3000],
    [
      'a minute later without a Gateway, where it is urgent',
      at(20, { routeGeneration: 2 }, silent),
      { urgent: true },
      NOW + 40_000,
    ],
  ];
  rows(table, (of, options, untilMs) => assert.equal(settle(of, 'Shift', options)?.againAtMs, untilMs));

  it('never, without a Gateway', () => {
    const step = settle(at(900, { routeGeneration: 2 }, silent), 'Shift');
    assert.equal(step?.againAtMs, undefined);
    assert.equal(step?.waits, 'no Gateway has accepted HTTPRoute web');
  });
});
