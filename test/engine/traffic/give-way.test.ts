// A Rollout whose route an older one has: what it takes away, and what it leaves alone.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../../src/api/keys.ts';
import type { Rival } from '../../../src/engine/traffic/rivals.ts';
import type { Scene } from '../../../src/engine/traffic/scene.ts';
import { retreat, towards } from '../../../src/engine/traffic/steps.ts';
import { ago, rows } from '../build.ts';
import { apart, ref, route, rule, shared } from './build.ts';
import { aim, carrying, observed, OWNER, scene, stored, walk } from './scene.ts';

const rival: Rival = {
  name: 'old',
  service: 'web',
  about: 'route',
  reason: 'already routed by Rollout old',
  remedy: 'write another HTTPRoute',
};
const legs = { canary: stored('canary'), stable: null };
const ours = carrying(shared(50));
const theirs = { ...ours, metadata: { ...ours.metadata, labels: { [TRAFFIC]: 'old' } } };
const mixed = observed(
  route([rule([ref('other', 9), ref('web', 3), ref('web-canary', 1)])], { labels: { [TRAFFIC]: 'old' } }),
);
const MESSAGE = 'HTTPRoute web is already routed by Rollout old: write another HTTPRoute';

describe('a Rollout that gives way', () => {
  const table: readonly (readonly [what: string, from: Scene, lines: readonly string[]])[] = [
    ['writes nothing, not even its status, before it begins', scene({ rival, begins: true }), ['gone']],
    [
      'takes its requests, its mark and its Services away once',
      scene({ rival, facts: { route: ours, legs }, known: { state: 'Watch', weight: 50, step: 1 } }),
      ['Unroute: web=1', 'Unroute', 'Unroute: -web-canary', 'gone'],
    ],
    [
      'leaves a route alone that the older one has changed since, with the same Service',
      scene({ rival, facts: { route: theirs, legs }, known: { state: 'Watch', weight: 50, step: 1 } }),
      ['Unroute', 'Unroute: -web-canary', 'gone'],
    ],
    [
      'takes its Services out of a route that the older one has changed since for another Service',
      scene({
        rival: { ...rival, service: 'other' },
        facts: { route: mixed, legs },
        known: { state: 'Watch', weight: 50, step: 1 },
      }),
      ['Unroute: other=9 web=4', 'Unroute', 'Unroute: -web-canary', 'gone'],
    ],
  ];
  rows(table, (from, lines) => {
    for (const to of [aim(shared(50)), aim(apart(200))]) {
      const walked = walk(from, to);
      assert.deepEqual(walked.lines, lines);
      assert.deepEqual([walked.last.blocked, walked.last.waits], [true, MESSAGE]);
      // It stays so: nothing is written again.
      assert.deepEqual(towards(walked.end, to).effects, []);
    }
  });

  it('goes on where it asks for no requests', () => {
    const { last } = walk(
      scene({ rival, facts: { route: ours, legs }, known: { state: 'Watch', weight: 50 } }),
      aim(undefined),
    );
    assert.deepEqual([last.reached, last.status], [true, undefined]);
  });
  it('does so in each state of a release, and then goes on with what it did', () => {
    const from = scene({ rival, facts: { route: ours, legs }, known: { state: 'Watch', weight: 50 } });
    assert.equal(retreat(from)?.effects.length, 1);
    assert.equal(retreat(scene({ rival, known: { state: 'Unroute', since: ago(60) } })), undefined);
    assert.equal(retreat(scene({ rival, facts: { route: ours, legs }, begins: true })), undefined);
  });
  it('names the Service, if that is what the older one has', () => {
    const { waits } = towards(
      scene({ rival: { ...rival, about: 'service' }, rollout: OWNER, begins: true }),
      aim(shared(50)),
    );
    assert.match(waits, /^Service web is already routed by Rollout old/);
  });
});
