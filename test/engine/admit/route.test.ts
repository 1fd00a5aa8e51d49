// Edits of routes during a release: by Git, by a person, in a dry run, and after the release.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as keys from '../../../src/api/keys.ts';
import type { BackendRef, Route, RouteRule } from '../../../src/api/traffic.ts';
import type { AdmissionDecision, Facts } from '../../../src/engine/admit/decision.ts';
import { admitRoute } from '../../../src/engine/admit/route.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import { engaged, userRules } from '../../../src/engine/traffic/route.ts';
import { isRefusal } from '../../../src/engine/traffic/rules.ts';
import { routeRecord, type Split } from '../../../src/engine/traffic/split.ts';
import { facts, operator, stored } from './support.ts';

const ref = (name: string, weight = 1): BackendRef => ({ name, port: 80, weight, group: '', kind: 'Service' });
const at = (value: string): NonNullable<RouteRule['matches']> => [{ path: { type: 'PathPrefix', value } }];
const RULES: readonly RouteRule[] = [
  { matches: at('/api'), backendRefs: [ref('web', 9), ref('old', 1)] },
  { matches: at('/'), backendRefs: [ref('web')] },
];
const SPLITS: Readonly<Record<string, Split>> = {
  shared: { mode: 'Shared', base: 'web', canary: 'web-canary', weight: 125 },
  pinned: { mode: 'Apart', base: 'web', stable: 'web-stable', weight: 0 },
  apart: { mode: 'Apart', base: 'web', stable: 'web-stable', canary: 'web-canary', weight: 200 },
  matches: {
    mode: 'Apart',
    base: 'web',
    stable: 'web-stable',
    canary: 'web-canary',
    weight: 0,
    matches: [{ headers: [{ name: 'x-beta', value: '1' }] }],
  },
};

const route = (rules: readonly RouteRule[], metadata: Partial<Route['metadata']> = {}): Route => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'shop', namespace: 'shop', ...metadata },
  spec: { parentRefs: [{ name: 'gw' }], hostnames: ['shop.example.org'], rules },
});
function engagedRoute(split: Split, user = RULES, metadata: Partial<Route['metadata']> = {}): Route {
  const made = engaged(httpRoutes, user, { rollout: 'web', split }, 'shop');
  assert.ok(!isRefusal(made), JSON.stringify(made));
  const labels = { ...metadata.labels, [keys.TRAFFIC]: made.label };
  const annotations = { ...metadata.annotations, [keys.HELD]: made.record };
  return route(made.rules, { ...metadata, labels, annotations });
}

interface Outcome extends AdmissionDecision {
  readonly result: Route;
}
/** Decides, applies, and asks again, as the API server may. */
function edit(old: Route | undefined, next: Route, more: Partial<Facts> = {}): Outcome {
  const request = { ...facts({ operation: old === undefined ? 'CREATE' : 'UPDATE', ...more }), old, next };
  const decision = admitRoute(request);
  const result = stored(next, decision);
  assert.deepEqual(admitRoute({ ...request, next: result }).patch, [], 'asked again (reinvocation) it changes nothing');
  const dry = admitRoute({ ...request, by: { ...request.by, dryRun: true } });
  assert.deepEqual(dry.patch, decision.patch, 'a dry run shows what is stored');
  return { ...decision, result };
}
const rulesOf = ({ spec }: Route): readonly RouteRule[] => spec.rules ?? [];
const warning = ({ warnings = [] }: AdmissionDecision): string => warnings.join('\n');

for (const [name, split] of Object.entries(SPLITS))
  describe(`an edit of a route with a split (${name})`, () => {
    const live = engagedRoute(split);

    it('that applies the same manifest again changes nothing, and says nothing', () => {
      const { result, ...decision } = edit(live, route(RULES));
      assert.deepEqual(result, live);
      assert.equal(warning({ verdict: decision.verdict, warnings: decision.warnings ?? [] }), '');
    });

    it('of something else passes as it is', () => {
      const next = { ...live, metadata: { ...live.metadata, labels: { ...live.metadata.labels, team: 'a' } } };
      assert.equal(edit(live, next).verdict, 'Passed');
      assert.deepEqual(edit(live, next).result, next);
    });

    it('from Git is kept, and the weights stay', () => {
      const changed = [...RULES, { matches: at('/new'), backendRefs: [ref('web', 3), ref('new', 1)] }];
      const next = { ...route(changed), spec: { ...route(changed).spec, hostnames: ['other.example.org'] } };
      const decision = edit(live, next);
      assert.deepEqual(decision.result.spec.hostnames, ['other.example.org']);
      assert.deepEqual(routeRecord(decision.result)?.user, changed);
      assert.deepEqual(rulesOf(decision.result), rulesOf(engagedRoute(split, changed)));
      assert.deepEqual(userRules(httpRoutes, decision.result, 'web'), changed);
      assert.match(
        warning(decision),
        /^tranche: Rollout web has a release in progress: your change of this HTTPRoute is kept/,
      );
    });

    it('of the live object, as by kubectl edit, is kept, and the weights stay', () => {
      const rules = rulesOf(live).map((rule) => ({ ...rule, timeouts: { request: '5s' } }));
      const decision = edit(live, { ...live, spec: { ...live.spec, rules } });
      const user = RULES.map((rule) => ({ ...rule, timeouts: { request: '5s' } }));
      assert.deepEqual(userRules(httpRoutes, decision.result, 'web'), user);
      assert.deepEqual(rulesOf(decision.result), rulesOf(engagedRoute(split, user)));
    });

    it('of the label or the record is undone', () => {
      for (const metadata of [
        { ...live.metadata, labels: {} },
        { ...live.metadata, annotations: {} },
        { ...live.metadata, annotations: { [keys.HELD]: JSON.stringify({ v: 1, rollout: 'x', split, user: [] }) } },
      ])
        assert.deepEqual(edit(live, { ...live, metadata }).result, live);
    });

    it('by the operator is not looked at', () => {
      const next = route(RULES);
      assert.equal(admitRoute({ ...facts({ by: operator }), old: live, next }).patch, undefined);
    });

    it('that no longer sends requests to the Service is stored, with the record', () => {
      const away = [{ matches: at('/'), backendRefs: [ref('other')] }];
      const { result } = edit(live, route(away));
      assert.deepEqual(rulesOf(result), away);
      assert.deepEqual(routeRecord(result)?.user, away);
    });

    it('that removes all rules is stored', () => {
      const { rules: _, ...spec } = route([]).spec;
      const { result } = edit(live, { ...route([]), spec });
      assert.deepEqual(rulesOf(result), []);
    });

    it('deletes it with a warning, and never is refused', () => {
      const decision = admitRoute({ ...facts({ operation: 'DELETE' }), old: live, next: undefined });
      assert.equal(decision.violations, undefined);
      assert.match(warning(decision), /routes requests with this HTTPRoute: the release waits until it exists again/);
    });

    it('that was exported during the release is the user’s own after it, and elsewhere', () => {
      for (const old of [undefined, route(RULES)]) {
        const { result } = edit(old, live);
        assert.deepEqual(rulesOf(result), RULES);
        assert.deepEqual([result.metadata.labels, result.metadata.annotations], [{}, {}]);
      }
    });
  });

describe('an edit of a route with a release', () => {
  const live = engagedRoute(SPLITS['apart']!);

  it('of a weight of the release is undone, with the place to change it', () => {
    const [first, ...rest] = rulesOf(live);
    const refs = (first?.backendRefs ?? []).map((one) =>
      one.name === 'web-canary' ? { ...one, weight: one.weight! + 9 } : one,
    );
    const decision = edit(live, { ...live, spec: { ...live.spec, rules: [{ ...first, backendRefs: refs }, ...rest] } });
    const shares = (rule: RouteRule | undefined): number[] => {
      const weights = (rule?.backendRefs ?? []).map(({ weight = 1 }) => weight);
      const sum = weights.reduce((a, b) => a + b, 0);
      return weights.map((weight) => weight / sum);
    };
    const [web, stable, canary] = shares(rulesOf(decision.result)[0]);
    assert.equal(web, 0);
    assert.ok(Math.abs(canary! / (canary! + stable!) - 0.2) < 1e-9, 'a fifth of what the user sends to the Service');
  });

  it('that the release cannot follow is stored as it was written, without our marks, and says why', () => {
    const many = Array.from({ length: 16 }, (_, i) => ({ matches: at(`/${i}`), backendRefs: [ref('web')] }));
    const decision = edit(engagedRoute(SPLITS['matches']!), route(many));
    assert.deepEqual(decision.result, { ...route(many), metadata: route(many).metadata });
    assert.match(
      warning(decision),
      /cannot route requests with this HTTPRoute: .*; until then it is stored as you wrote it/,
    );
  });

  it('says nothing where warnings are off', () => {
    const next = route([{ matches: at('/'), backendRefs: [ref('web', 2)] }]);
    assert.deepEqual(admitRoute({ ...facts({ warns: false }), old: live, next }).warnings, []);
    assert.deepEqual(
      admitRoute({ ...facts({ warns: false, operation: 'DELETE' }), old: live, next: undefined }).warnings,
      [],
    );
  });

  it('shows no control characters of a record in a warning', () => {
    const record = JSON.parse(live.metadata.annotations?.[keys.HELD] ?? '') as object;
    const annotations = { [keys.HELD]: JSON.stringify({ ...record, rollout: '\u001b[31mx\u202e' }) };
    const forged = { ...live, metadata: { ...live.metadata, annotations } };
    const said = warning(edit(forged, route([{ matches: at('/'), backendRefs: [ref('web', 2)] }])));
    assert.doesNotMatch(said, /[\u001b\u202e]/);
  });
});

describe('a route without a release', () => {
  it('does not get our label or record from a user', () => {
    const labels = { [keys.TRAFFIC]: 'web', team: 'a' };
    assert.deepEqual(edit(route(RULES), route(RULES, { labels })).result.metadata.labels, { team: 'a' });
    const annotations = { [keys.HELD]: 'x' };
    assert.deepEqual(edit(route(RULES), route(RULES, { annotations })).result.metadata.annotations, {});
    assert.deepEqual(edit(undefined, route(RULES, { labels, annotations })).result.metadata.labels, { team: 'a' });
  });

  it('keeps an invalid record for the operator to see', () => {
    const broken = route(RULES, { labels: { [keys.TRAFFIC]: 'web' }, annotations: { [keys.HELD]: '{' } });
    assert.deepEqual(edit(broken, route(RULES)).result.metadata, { ...broken.metadata });
    assert.deepEqual(warning(admitRoute({ ...facts({ operation: 'DELETE' }), old: broken, next: undefined })), '');
  });

  it('of a kind that Tranche does not know passes', () => {
    const tcp = { ...route(RULES), kind: 'TCPRoute' };
    assert.equal(admitRoute({ ...facts(), old: tcp, next: tcp }).verdict, 'Passed');
  });
});

describe('any edit of the rules of a user during a release', () => {
  const names = fc.constantFrom('web', 'old', 'blue', 'api');
  const refs = fc.uniqueArray(fc.tuple(names, fc.integer({ min: 0, max: 100 })), {
    selector: ([name]) => name,
    maxLength: 3,
  });
  const rule = fc
    .tuple(fc.uniqueArray(fc.constantFrom('/', '/a', '/b', '/c/d'), { minLength: 1, maxLength: 3 }), refs)
    .map(([paths, all]): RouteRule => ({
      matches: paths.flatMap(at),
      backendRefs: all.map(([name, weight]) => ref(name, weight)),
    }));
  const rules = fc.array(rule, { maxLength: 4 });
  const splits = fc.constantFrom(...Object.values(SPLITS));

  it('is what comes back at the end of the release, byte for byte', () => {
    fc.assert(
      fc.property(rules, rules, splits, (before, after, split) => {
        const live = engagedRoute(split, before);
        const { result } = edit(live, route(after));
        assert.deepEqual(userRules(httpRoutes, result, 'web'), after);
        assert.deepEqual(rulesOf(result), rulesOf(engagedRoute(split, after)));
      }),
    );
  });
});
