// The order of the writes of traffic, from any scene to any aim; and what is not done when objects lie or are missing.
import assert from 'node:assert/strict';
import { SERVICES } from '../../../src/api/resources.ts';
import { TRAFFIC } from '../../../src/api/keys.ts';
import type { Aim, Scene } from '../../../src/engine/traffic/scene.ts';
import { retreat, towards } from '../../../src/engine/traffic/steps.ts';
import { ago, deployment, NOW, rows } from '../build.ts';
import { apart, ref, route, rule, service, shared } from './build.ts';
import {
  aim,
  carrying,
  known,
  observed,
  pinOf,
  scene,
  shown,
  sliceOf,
  stored,
  USER,
  walk,
  type SceneSketch,
} from './scene.ts';

const both = { canary: stored('canary'), stable: stored('stable') };
const slices = [sliceOf('canary'), sliceOf('stable')];
const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];
const marked = (mode: string): Scene['workload'] => deployment({ annotations: { [TRAFFIC]: mode } });

const SHIFTED = scene({
  facts: { route: carrying(shared(50)), legs: { ...both, stable: null }, slices },
  known: { state: 'Watch', weight: 50, step: 1, routeGeneration: 3 },
  workload: marked('Shared'),
});
const APART = scene({
  facts: { route: carrying(apart(50)), legs: both, slices },
  known: { mode: 'Apart', state: 'Watch', weight: 50, step: 1, routeGeneration: 3 },
  workload: marked('Apart'),
});

describe('the steps of traffic', () => {
  const table: readonly (readonly [what: string, from: Scene, to: Aim, lines: readonly string[]])[] = [
    [
      'make a leg, wait for its endpoints, name it, and shift (shared)',
      scene(),
      aim(shared(50)),
      [
        'Warm: +web-canary',
        'Warm',
        'Refer: web=100 web-canary=0',
        'Refer',
        'Refer: workload Shared',
        'Shift: web=95 web-canary=5',
        'Shift',
        'Watch',
      ],
    ],
    [
      'keep all requests with the stable leg first (apart)',
      scene({ known: { mode: 'Apart' } }),
      aim(apart(50)),
      [
        'Warm: +web-stable',
        'Warm',
        'Pin: web=100 web-stable=0',
        'Pin',
        'Pin: workload Apart',
        'Pin: web=0 web-stable=100',
        'Warm: +web-canary',
        'Warm',
        'Refer: web=0 web-stable=100 web-canary=0',
        'Refer',
        'Shift: web=0 web-stable=95 web-canary=5',
        'Shift',
        'Watch',
      ],
    ],
    [
      'only pin before Pods start',
      scene({ known: { mode: 'Apart' } }),
      aim(apart(0), { step: 0 }),
      [
        'Warm: +web-stable',
        'Warm',
        'Pin: web=100 web-stable=0',
        'Pin',
        'Pin: workload Apart',
        'Pin: web=0 web-stable=100',
        'Pin',
      ],
    ],
    [
      'change a weight in one write',
      SHIFTED,
      aim(shared(500), { step: 2 }),
      ['Shift: web=50 web-canary=50', 'Shift', 'Watch'],
    ],
    ['do nothing where all is as wanted', SHIFTED, aim(shared(50)), ['Watch']],
    [
      'send requests that match',
      APART,
      aim(apart(0, { matches }), { step: 2 }),
      ['Shift: matches, web=0 web-stable=100 web-canary=0', 'Shift', 'Watch'],
    ],
    [
      "give the user's route back, and remove the Services a grace period later",
      APART,
      aim(undefined, { clean: true }),
      [
        'Unroute',
        'Unroute: web=1',
        'Unroute',
        'Unroute: workload null',
        'Unroute',
        'Unroute: -web-canary: -web-stable',
        'gone',
      ],
    ],
    [
      "give the user's route back and keep the Services",
      APART,
      aim(undefined),
      ['Unroute: web=1', 'Unroute', 'Unroute: workload null', 'Unroute'],
    ],
    [
      'take requests from a leg before it selects another version',
      SHIFTED,
      aim(shared(50), {
        step: 1,
        pins: { canary: pinOf('canary', { label: { key: 'pod-template-hash', value: 'v3' } }) },
      }),
      [
        'Warm: web=1',
        'Warm',
        'Warm: ~web-canary',
        'Warm',
        'Refer: web=100 web-canary=0',
        'Refer',
        'Shift: web=95 web-canary=5',
        'Shift',
        'Watch',
      ],
    ],
  ];
  rows(table, (from, to, lines) => assert.deepEqual(walk(from, to).lines, lines));

  it('end the same from wherever they are interrupted', () => {
    const starts = [scene(), SHIFTED, APART];
    const aims = [aim(shared(50)), aim(apart(200)), aim(apart(0, { matches })), aim(undefined, { clean: true })];
    for (const start of starts) {
      for (const first of aims) {
        for (const second of aims) {
          const { end } = walk(walk(start, first).end, second);
          const direct = walk(start, second).end;
          assert.deepEqual(end.facts.route?.spec, direct.facts.route?.spec);
        }
      }
    }
  });

  it('end the same where Tranche dies between a write and the status that is about it', () => {
    const aims = [aim(shared(500), { step: 2 }), aim(apart(200)), aim(apart(0), { step: 0 }), aim(undefined)];
    for (const start of [scene(), SHIFTED, APART]) {
      for (const to of [...aims, aim(undefined, { clean: true })]) {
        const direct = walk(start, to);
        for (let lost = 0; lost < 30; lost++)
          assert.deepEqual(outcome(walk(start, to, lost)), outcome(direct), `status ${lost} is lost`);
      }
    }
  });
});

/** Without times. */
function outcome({ end, last }: ReturnType<typeof walk>): object {
  const { since: _, routeGeneration: __, ...status } = last.status ?? {};
  return { rules: end.facts.route?.spec.rules, status };
}

describe('traffic waits', () => {
  const waits = (sketch: SceneSketch, to: Aim): string => towards(scene(sketch), to).waits;
  const to = aim(shared(50));
  const legs = { canary: stored('canary'), stable: null };
  const table: readonly (readonly [what: string, sketch: SceneSketch, to: Aim, waits: string])[] = [
    [
      'for the status, before the first write',
      { begins: true },
      to,
      'status.canaryStatus.traffic is written; if this lasts, apply the CustomResourceDefinitions of this version of Tranche',
    ],
    ['until the objects can be read', { facts: { unreadable: 'no rights' } }, to, 'no rights'],
    [
      'for a route',
      { facts: { route: null } },
      to,
      'HTTPRoute web does not exist: create it, or remove trafficRoutings',
    ],
    [
      'for a Service',
      { facts: { base: null } },
      to,
      'Service web does not exist: create it, or remove trafficRoutings',
    ],
    ['for the version', {}, aim(shared(50), { pins: {} }), 'Service web-canary waits for the version that it selects'],
    ['for EndpointSlices', { facts: { legs, slices: undefined } }, to, 'the EndpointSlices are being read'],
    [
      'for ready endpoints',
      { facts: { legs, slices: [sliceOf('canary', ['new-1'])] } },
      to,
      'the EndpointSlices of Service web-canary have 1 of 2 Pods that must be ready',
    ],
    [
      'for endpoints of the version',
      { facts: { legs, slices: [sliceOf('canary', ['new-1', 'old-1'])] } },
      to,
      'the EndpointSlices of Service web-canary still have Pods of another version',
    ],
    [
      'for a Gateway',
      {
        facts: { legs, slices: [sliceOf('canary')], route: { ...carrying(shared(0)), status: {} } },
        known: { state: 'Refer' },
      },
      to,
      'no Gateway has accepted HTTPRoute web',
    ],
    [
      'for the grace period',
      {
        facts: { legs, slices: [sliceOf('canary')], route: carrying(shared(0)) },
        known: { state: 'Refer', routeGeneration: 3, since: ago(1) },
      },
      to,
      'the proxies of HTTPRoute web have until 2026-01-01T12:00:02Z to follow (gracePeriodSeconds)',
    ],
    [
      'for the whole grace period, where the status names a time in the future',
      {
        facts: { legs, slices: [sliceOf('canary')], route: carrying(shared(0)) },
        known: { state: 'Refer', routeGeneration: 3, since: ago(-900) },
      },
      to,
      'the proxies of HTTPRoute web have until 2026-01-01T12:00:03Z to follow (gracePeriodSeconds)',
    ],
  ];
  rows(table, (sketch, aimed, sentence) => assert.equal(waits(sketch, aimed), sentence));

  it('for a person, where the name of a leg is taken: it neither writes that Service nor names it', () => {
    const foreign = service({}, { name: 'web-canary' });
    const step = towards(scene({ facts: { legs: { canary: foreign, stable: null }, slices } }), to);
    assert.equal(step.blocked, true);
    assert.deepEqual(step.effects, []);
    assert.match(
      step.waits,
      /needs the name web-canary for a Service of the release, and a Service of this name exists/,
    );
  });
  it('for a person, where the route cannot carry the step', () => {
    const wide = observed(route([rule([ref('web'), ref('other', 1_000_000)])]));
    const { last } = walk(scene({ facts: { route: wide } }), to);
    assert.equal(last.blocked, true);
    assert.match(last.waits, /^HTTPRoute web cannot carry the step: its weights/);
  });
  it('no longer than a minute for a Gateway that says nothing, in a rollback', () => {
    const silent = { ...USER, status: {} };
    const late: SceneSketch = { facts: { route: silent }, known: { state: 'Unroute', since: ago(61) } };
    assert.equal(waits(late, aim(undefined)), 'no Gateway has accepted HTTPRoute web');
    assert.match(waits(late, aim(undefined, { urgent: true })), /to follow/);
  });
});

describe('a leg that carries requests and has no ready endpoint', () => {
  const legs = { ...both, stable: null };
  type Row = readonly [what: string, sketch: SceneSketch, shown: string | undefined];
  const table: readonly Row[] = [
    [
      'loses them at once (shared)',
      { facts: { route: carrying(shared(50)), legs, slices: [] } },
      'web=100 web-canary=0',
    ],
    [
      'loses them at once (apart)',
      { facts: { route: carrying(apart(50)), legs: both, slices: [sliceOf('stable')] } },
      'web=0 web-stable=100 web-canary=0',
    ],
    [
      "gives them to the user's Service where it is the stable one",
      { facts: { route: carrying(apart(50)), legs: both, slices: [sliceOf('canary')] } },
      'web=1',
    ],
    [
      'is not named where its Service is gone',
      { facts: { route: carrying(shared(50)), legs: { canary: null, stable: null }, slices: [] } },
      'web=1',
    ],
    [
      'keeps them while nothing is known',
      { facts: { route: carrying(shared(50)), legs, slices: undefined } },
      undefined,
    ],
    [
      'keeps them while it has one',
      { facts: { route: carrying(shared(50)), legs, slices: [sliceOf('canary', ['new-1'])] } },
      undefined,
    ],
    [
      'is none of ours where a Service of the user has its name',
      {
        facts: {
          route: route([rule([ref('web-canary')])]),
          legs: { canary: service({}, { name: 'web-canary' }), stable: null },
          slices: [],
        },
      },
      undefined,
    ],
    [
      'is none of ours on a route that is not engaged',
      { facts: { route: route([rule([ref('web-canary')])]), slices: [] } },
      undefined,
    ],
  ];
  rows(table, (sketch, wanted) => {
    const now = scene(sketch);
    const step = retreat(now);
    assert.equal(step && step.effects.map((effect) => shown(effect, now.facts)).join(), wanted);
    if (wanted === undefined) return;
    assert.equal(step?.status?.state, 'Retreated');
    assert.deepEqual(
      step?.events?.map(({ reason }) => reason),
      ['TrafficRetreated'],
    );
  });

  it('gets them back when it has endpoints', () => {
    const from = scene({
      facts: { route: carrying(shared(0)), legs, slices },
      known: { state: 'Retreated', step: 1, weight: 0, since: ago(0) },
      workload: marked('Shared'),
      now: NOW,
    });
    assert.deepEqual(walk(from, aim(shared(50))).lines.slice(-3), ['Shift: web=95 web-canary=5', 'Shift', 'Watch']);
  });
});

it("the user's Service is never written, in no step", () => {
  const written = new Set<string>();
  for (const to of [aim(shared(50)), aim(apart(50)), aim(undefined, { clean: true })]) {
    let now = scene({ known: known() });
    for (let i = 0; i < 3; i++) {
      const step = towards(now, to);
      for (const effect of step.effects)
        if (effect.kind === 'Patch' && effect.resource === SERVICES) written.add(effect.before.metadata.name);
      now = walk(now, to).end;
    }
  }
  assert.equal(written.has('web'), false);
});
