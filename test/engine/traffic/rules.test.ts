// The rules of a route with a split, and the user's rules again.
import assert from 'node:assert/strict';
import type { RouteRule } from '../../../src/api/traffic.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import type { Problem } from '../../../src/engine/traffic/provider.ts';
import { engage, isRefusal, legsIn, strip } from '../../../src/engine/traffic/rules.ts';
import type { HeaderSplit, RouteRecord, Split } from '../../../src/engine/traffic/split.ts';
import { sentTo, serviceOf, usesService } from '../../../src/engine/traffic/weights.ts';
import { randomOf } from '../../property/plan.ts';
import { rows } from '../build.ts';
import { apart, BOTH, EVERYTHING, NAMESPACE, randomRules, randomSplit, ref, rule, shared } from './build.ts';

type Rules = readonly RouteRule[];

const engaged = (user: Rules, split: Split | HeaderSplit): Rules => {
  const rules = engage(httpRoutes, user, split, NAMESPACE);
  assert.ok(!isRefusal(rules), JSON.stringify(rules));
  return rules;
};
const recordOf = (user: Rules, split: Split) => ({ v: 1, rollout: 'web', split, user }) as const satisfies RouteRecord;
const user = [{ headers: [{ name: 'x-user', value: 'me' }] }];
const ME = { type: 'Exact', name: 'x-user', value: 'me' };

describe('the rules with a split', () => {
  const web = [rule([ref('web')])];
  const { canary: _canary, ...pinned } = apart(0);
  const table: readonly (readonly [what: string, user: Rules, split: Split, rules: Rules])[] = [
    ['send a part to the canary leg (shared)', web, shared(50), [rule([ref('web', 95), ref('web-canary', 5)])]],
    ['name the canary leg (shared)', web, shared(0), [rule([ref('web', 100), ref('web-canary', 0)])]],
    ['keep the Service as a parachute (apart)', web, pinned, [rule([ref('web', 0), ref('web-stable', 100)])]],
    [
      'send a part to the canary leg (apart)',
      web,
      apart(200),
      [rule([ref('web', 0), ref('web-stable', 80), ref('web-canary', 20)])],
    ],
    [
      'are as the user wrote them where they do not name the Service, or with weight 0, or of another namespace',
      [rule([ref('other')]), rule([ref('web', 0), ref('other', 3)]), rule([ref('web', 1, { namespace: 'elsewhere' })])],
      apart(500),
      [rule([ref('other')]), rule([ref('web', 0), ref('other', 3)]), rule([ref('web', 1, { namespace: 'elsewhere' })])],
    ],
    [
      'first send requests that match to the canary leg, with everything else that the rule has but its name',
      [
        rule([ref('web'), ref('other', 2)], {
          name: 'all',
          timeouts: { request: '1s' },
          sessionPersistence: { type: 'Cookie' },
        }),
      ],
      apart(0, { matches: user }),
      [
        rule([ref('web-canary')], {
          timeouts: { request: '1s' },
          sessionPersistence: { type: 'Cookie' },
          matches: [{ path: EVERYTHING, headers: [ME] }],
        }),
        rule([ref('web', 0), ref('web-stable', 100), ref('web-canary', 0), ref('other', 200)], {
          name: 'all',
          timeouts: { request: '1s' },
          sessionPersistence: { type: 'Cookie' },
        }),
      ],
    ],
    [
      'have no rule for requests that match where none can',
      [rule([ref('web')], { matches: [{ path: EVERYTHING, headers: [{ ...ME, value: 'you' }] }] })],
      apart(0, { matches: user }),
      [
        rule([ref('web', 0), ref('web-stable', 100), ref('web-canary', 0)], {
          matches: [{ path: EVERYTHING, headers: [{ ...ME, value: 'you' }] }],
        }),
      ],
    ],
    [
      'change headers of requests that match',
      web,
      apart(0, { matches: user, requestHeaderModifier: { set: [{ name: 'x-new', value: '1' }] } }),
      [
        rule([ref('web-canary')], {
          matches: [{ path: EVERYTHING, headers: [ME] }],
          filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-new', value: '1' }] } }],
        }),
        rule([ref('web', 0), ref('web-stable', 100), ref('web-canary', 0)]),
      ],
    ],
  ];
  rows(table, (rules, split, wanted) => assert.deepEqual(engaged(rules, split), wanted));

  it('extend the filter that the user has, since a rule has one at most', () => {
    const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { add: [{ name: 'x-a', value: '1' }] } }];
    const split = apart(0, { matches: user, requestHeaderModifier: { remove: ['x-b'] } });
    const [first] = engaged([rule([ref('web')], { filters })], split);
    const requestHeaderModifier = { add: [{ name: 'x-a', value: '1' }], remove: ['x-b'] };
    assert.deepEqual(first?.filters, [{ type: 'RequestHeaderModifier', requestHeaderModifier }]);
  });

  it('have one match in each rule that replaces the prefix of a path: the API accepts no more', () => {
    const urlRewrite = { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } };
    const split = apart(0, { matches: [...user, { queryParams: [{ name: 'beta', value: '1' }] }] });
    const rules = engaged([rule([ref('web')], { filters: [{ type: 'URLRewrite', urlRewrite }] })], split);
    assert.deepEqual(
      rules.map(({ matches }) => matches?.length),
      [1, 1, 1],
    );
  });

  const many = Array.from({ length: 9 }, (_, i) =>
    rule([ref('web')], { matches: [{ path: { type: 'Exact', value: `/${i}` } }] }),
  );
  const wide = Array.from({ length: 33 }, (_, i) => ({ path: { type: 'Exact', value: `/${i}` } }));
  const modifier = { set: [{ name: 'X-A', value: '1' }] };
  const has = [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['x-a'] } }];
  const replaces = [
    { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
  ];
  const refusals: readonly (readonly [what: string, user: Rules, split: Split, problem: Partial<Problem>])[] = [
    [
      '17 rules',
      many,
      apart(0, { matches: user }),
      { about: 'matches', reason: 'it would have 18 rules: at most 16 are possible' },
    ],
    [
      '66 matches in a rule',
      [rule([ref('web')], { matches: wide })],
      apart(0, { matches: [...user, { headers: [{ name: 'x-b', value: 'b' }] }] }),
      { about: 'matches', reason: 'it would have 66 matches in a rule: at most 64 are possible' },
    ],
    [
      '129 matches in all',
      [rule([ref('web')], { matches: wide }), rule([ref('web')], { matches: wide.slice(0, 32) })],
      apart(0, { matches: user }),
      { about: 'matches', reason: 'it would have 130 matches: at most 128 are possible' },
    ],
    [
      '18 backends in a rule',
      [rule(Array.from({ length: 6 }, (_, i) => ref('web', 1, { port: i + 1 })))],
      apart(0),
      { about: 'route', reason: '6 backendRefs become 18 during a release: a rule has at most 16' },
    ],
    [
      'weights that cannot be divided',
      [rule([ref('web', 1), ref('other', 1_000_000)])],
      apart(500),
      {
        about: 'route',
        reason: 'its weights 1, 1000000 cannot be divided in 500 to 500: a weight is at most 1000000',
      },
    ],
    [
      'a header that is changed twice',
      [rule([ref('web')], { filters: has })],
      apart(0, { matches: user, requestHeaderModifier: modifier }),
      { about: 'requestHeaderModifier', reason: 'a rule of it already changes header "x-a"' },
    ],
    [
      'another path where the rule replaces its prefix',
      [rule([ref('web')], { filters: replaces })],
      apart(0, { matches: [{ path: { value: '/shop' } }] }),
      { about: 'matches', reason: 'a rule that replaces the prefix of the path cannot match another path' },
    ],
  ];
  describe('are refused in words with', () => {
    rows(refusals, (rules, split, problem) => {
      const refused = engage(httpRoutes, rules, split, NAMESPACE);
      assert.ok(isRefusal(refused));
      assert.deepEqual({ ...refused.problem, ...problem }, refused.problem);
      assert.notEqual(refused.problem.remedy, '');
    });
  });
});

describe("the user's rules of an engaged route", () => {
  const users = [
    rule([ref('web', 2), ref('other', 1)], { name: 'a' }),
    rule([ref('web')], { matches: [{ path: { type: 'Exact', value: '/x' } }] }),
  ];
  const split = apart(100, { matches: user });
  const live = engaged(users, split);
  const record = recordOf(users, split);
  /** The engaged rules, with the rule at the index changed by somebody. */
  const edited = (index: number, change: (rule: RouteRule) => RouteRule): Rules =>
    live.map((one, at) => (at === index ? change(one) : one));
  const stripped = (rules: Rules): Rules => strip(httpRoutes, rules, record, 'web', NAMESPACE);

  it('are what the user wrote', () => assert.deepEqual(stripped(live), users));
  it('are a new manifest of the user, which has nothing of ours', () => {
    const next = [rule([ref('other', 5), ref('web', 3)])];
    assert.equal(JSON.stringify(stripped(next)), JSON.stringify(next));
  });
  it('keep an edit of a rule that carries our legs', () => {
    const timeouts = { request: '9s' };
    assert.deepEqual(stripped(edited(1, (one) => ({ ...one, timeouts }))), [{ ...users[0], timeouts }, users[1]]);
  });
  it('keep a rule that somebody adds, and the others are recorded ones', () => {
    const more = rule([ref('new')]);
    assert.deepEqual(stripped([more, ...live]), [more, ...users]);
  });
  it('lack a rule that somebody removes', () => assert.deepEqual(stripped(live.slice(2)), [users[1]]));
  it('ignore another weight of a leg', () => {
    const shifted = edited(3, (one) => ({
      ...one,
      backendRefs: [ref('web', 0), ref('web-stable', 40), ref('web-canary', 60)],
    }));
    assert.deepEqual(stripped(shifted), users);
  });
  it('have the proportion of an edit of another backend', () => {
    const next = edited(1, ({ backendRefs = [], ...one }) => ({
      ...one,
      backendRefs: backendRefs.map((of) => (of.name === 'other' ? { ...of, weight: 300 } : of)),
    }));
    assert.deepEqual(stripped(next)[0]?.backendRefs, [ref('web', 2), ref('other', 3)]);
  });
  it('name the Service again where somebody removed it and left the legs', () => {
    const next = edited(3, ({ backendRefs = [], ...one }) => ({ ...one, backendRefs: backendRefs.slice(1) }));
    assert.deepEqual(stripped(next), users);
  });
  it('have the same proportions without a record', () => {
    assert.deepEqual(strip(httpRoutes, live, undefined, 'web', NAMESPACE), users);
  });
  it('take nothing but weights from a record: it may be false', () => {
    const evil = [
      rule([ref('evil')], { filters: [{ type: 'ExtensionRef' }] }),
      rule([ref('evil')]),
      rule([ref('web', 9)]),
    ];
    const found = strip(httpRoutes, live, recordOf(evil, split), 'web', NAMESPACE);
    const names = found.flatMap(({ backendRefs = [] }) => backendRefs.map(({ name }) => name));
    assert.deepEqual([...new Set(names)], ['web', 'other']);
    assert.ok(found.every(({ filters }) => filters === undefined));
  });
  it('ignore a record of another Service', () => {
    const other = { ...record, split: { ...split, base: 'db' } };
    assert.deepEqual(strip(httpRoutes, live, other, 'web', NAMESPACE), users);
  });
  it('name legs only while they are engaged', () => {
    assert.deepEqual([...legsIn(live, 'web', NAMESPACE)].sort(), ['web-canary', 'web-stable']);
    assert.deepEqual([...legsIn(users, 'web', NAMESPACE)], []);
  });
});

describe('the rules of a TrafficRouting', () => {
  const modifier = { set: [{ name: 'x-lane', value: 'gray' }] };
  const split: HeaderSplit = { mode: 'Headers', base: 'web', matches: user, requestHeaderModifier: modifier };
  const recorded = (users: Rules): RouteRecord => ({ v: 1, trafficRouting: 'lane', split, user: users });
  const users = [rule([ref('web', 2), ref('other', 1)], { name: 'a', timeouts: { request: '9s' } }), rule([ref('db')])];
  const added = {
    matches: [{ path: EVERYTHING, headers: [ME] }],
    timeouts: { request: '9s' },
    filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: modifier }],
    backendRefs: [ref('web', 2), ref('other', 1)],
  };
  const live = [added, ...users];
  const stripped = (rules: Rules): Rules => strip(httpRoutes, rules, recorded(users), 'web', NAMESPACE);

  it('send the requests that match where they went, with the header', () =>
    assert.deepEqual(engaged(users, split), live));
  it('are removed, and the rest is what the user wrote', () => assert.deepEqual(stripped(live), users));
  it('are removed where somebody edited the rule that they were made of', () => {
    const timeouts = { request: '1s' };
    const edited = [added, { ...users[0], timeouts }, ...users.slice(1)];
    assert.deepEqual(stripped(edited), edited.slice(1));
  });
  it('are the rules of the user once somebody edited them', () => {
    const edited = [{ ...added, timeouts: { request: '1s' } }, ...users];
    assert.deepEqual(stripped(edited), edited);
  });
  it('cannot be added beside a rule that changes the header: so no rule of the user is the same as an added one', () => {
    const made = engage(httpRoutes, live, split, NAMESPACE);
    assert.ok(isRefusal(made));
    assert.equal(made.problem.reason, 'a rule of it already changes header "x-lane"');
  });
  it('remove nothing of a route that has none of them', () => {
    const evil: RouteRecord = { ...recorded([rule([ref('evil')])]) };
    assert.deepEqual(strip(httpRoutes, users, evil, 'web', NAMESPACE), users);
  });
  for (const provider of BOTH) {
    it(`of random ${provider.resource.kind}s come and go byte for byte, and each rule keeps its backends`, () => {
      let said = 0;
      for (let seed = 1; seed <= 1_000; seed++) {
        const random = randomOf(seed);
        const users = randomRules(provider, random);
        const rules = engage(provider, users, split, NAMESPACE);
        if (isRefusal(rules)) continue;
        if (rules.length > users.length) said++;
        const text = JSON.stringify(strip(provider, rules, recorded(users), 'web', NAMESPACE));
        assert.equal(text, JSON.stringify(users), `seed ${seed}`);
        const backends = new Set(users.map(({ backendRefs }) => JSON.stringify(backendRefs)));
        assert.ok(
          rules.every(({ backendRefs }) => backends.has(JSON.stringify(backendRefs))),
          `seed ${seed}`,
        );
      }
      assert.ok(said > 300, `${said} routes got a rule`);
    });
  }
});

describe('random routes and splits', () => {
  const RUNS = 2_000;
  for (const provider of BOTH) {
    const { kind } = provider.resource;
    it(`of ${kind}: the user's rules come back byte for byte, and shares of other backends never change`, () => {
      let said = 0;
      for (let seed = 1; seed <= RUNS; seed++) {
        const random = randomOf(seed);
        const users = randomRules(provider, random);
        const split = randomSplit(provider, random);
        const next = randomSplit(provider, random);
        const rules = engage(provider, users, split, NAMESPACE);
        if (isRefusal(rules)) continue;
        said++;
        const record = recordOf(users, split);
        assert.equal(
          JSON.stringify(strip(provider, rules, record, 'web', NAMESPACE)),
          JSON.stringify(users),
          `seed ${seed}`,
        );
        checkShares(users, rules, split, `seed ${seed}`);
        // Stripping what has nothing of ours changes nothing, with and without a record.
        for (const known of [record, undefined])
          assert.deepEqual(strip(provider, users, known, 'web', NAMESPACE), users, `seed ${seed}`);
        // From any split to any other, nothing is left over.
        const again = engage(provider, strip(provider, rules, record, 'web', NAMESPACE), next, NAMESPACE);
        assert.deepEqual(again, engage(provider, users, next, NAMESPACE), `seed ${seed}`);
        // Without a record, the shares come back.
        checkSame(users, strip(provider, rules, undefined, 'web', NAMESPACE), `seed ${seed}`);
      }
      assert.ok(said > RUNS / 2, `${said} of ${RUNS} routes could express their split`);
    });
  }
});

const shares = ({ backendRefs = [] }: RouteRule): ReadonlyMap<string, number> => {
  const all = backendRefs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const found = new Map<string, number>();
  for (const { name, namespace, port, weight = 1 } of backendRefs) {
    const id = `${namespace === 'elsewhere' ? 'elsewhere/' : ''}${name}:${port}`;
    found.set(id, (found.get(id) ?? 0) + (all === 0 ? 0 : weight / all));
  }
  return found;
};
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9;

/** Each rule of the user's: the legs share what the Service had, and each other backend has its own share. */
function checkShares(users: Rules, rules: Rules, split: Split, seed: string): void {
  const bases = rules.filter(
    (one) => !(one.backendRefs ?? []).every(({ name }) => name === 'web-canary') || one.backendRefs?.length === 0,
  );
  assert.equal(bases.length, users.length, seed);
  for (const [index, theirs] of users.entries()) {
    const ours = shares(bases[index] ?? {});
    for (const [id, share] of shares(theirs)) {
      const [, port] = id.split(':');
      const legs =
        id.startsWith('web:') && usesService(theirs, 'web', NAMESPACE) ? ['web', 'web-stable', 'web-canary'] : [];
      const found = legs.length > 0 ? legs.map((name) => ours.get(`${name}:${port}`) ?? 0) : [ours.get(id) ?? 0];
      assert.ok(
        near(
          share,
          found.reduce((sum, one) => sum + one, 0),
        ),
        `${seed}: ${id}`,
      );
      if (legs.length > 0)
        assert.ok(near(ours.get(`web-canary:${port}`) ?? 0, (share * split.weight) / 1000), `${seed}: ${id}`);
      if (legs.length > 0 && split.mode === 'Apart') assert.equal(ours.get(`web:${port}`) ?? 0, 0, `${seed}: ${id}`);
    }
  }
}

/** The same rules with the same shares. */
function checkSame(users: Rules, found: Rules, seed: string): void {
  const bare = (rules: Rules): object => rules.map(({ backendRefs: _refs, ...rest }) => rest);
  assert.deepEqual(bare(found), bare(users), seed);
  for (const [index, theirs] of users.entries()) {
    for (const [id, share] of shares(found[index] ?? {}))
      assert.ok(near(share, shares(theirs).get(id) ?? 0), `${seed}: ${id}`);
  }
}

describe('what rules send to a Service', () => {
  it("counts refs of kind Service in the route's namespace", () => {
    const refs = [
      ref('web', 3),
      ref('web', 2, { namespace: NAMESPACE }),
      ref('web', 9, { namespace: 'elsewhere' }),
      ref('web', 9, { kind: 'Bucket', group: 'x' }),
    ];
    assert.deepEqual(sentTo([rule(refs), rule([ref('other')])], 'web', NAMESPACE), { named: true, weight: 5 });
    assert.deepEqual(sentTo([rule([ref('web', 0)])], 'web', NAMESPACE), { named: true, weight: 0 });
    assert.deepEqual(sentTo([rule([ref('other')])], 'web', NAMESPACE), { named: false, weight: 0 });
    assert.equal(serviceOf({ name: 'web' }, NAMESPACE), 'web');
  });
});
