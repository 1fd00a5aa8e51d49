// Writes of a route: the split with its record, and the user's route again.
import assert from 'node:assert/strict';
import { HELD, TRAFFIC } from '../../../src/api/keys.ts';
import { HTTP_ROUTES } from '../../../src/api/resources.ts';
import type { Route } from '../../../src/api/traffic.ts';
import type { Effect } from '../../../src/engine/decision.ts';
import type { PatchOp } from '../../../src/engine/lib/json-patch.ts';
import { httpRoutes } from '../../../src/engine/traffic/httproute.ts';
import { engageRoute, leaveRoute, userRules } from '../../../src/engine/traffic/route.ts';
import { isRefusal } from '../../../src/engine/traffic/rules.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { applyOps } from '../../support/json-patch.ts';
import { apart, ref, route, rule, shared } from './build.ts';

const user = route([rule([ref('web')], { name: 'a' }), rule([ref('other')])], { labels: { team: 'shop' } });

function patched(before: Route, effects: readonly Effect[]): Route {
  const [effect, ...more] = effects;
  assert.ok(effect?.kind === 'Patch' && Array.isArray(effect.patch) && more.length === 0);
  assert.deepEqual([effect.why, effect.resource, effect.before], ['route', HTTP_ROUTES, before]);
  assert.deepEqual(effect.patch[0], {
    op: 'replace',
    path: '/metadata/resourceVersion',
    value: before.metadata.resourceVersion,
  });
  return applyOps(before, effect.patch as readonly PatchOp[]);
}

function engaged(before: Route, split: Split): Route {
  const effects = engageRoute(httpRoutes, before, { rollout: 'web-rollout', split });
  assert.ok(!isRefusal(effects));
  return patched(before, effects as readonly Effect[]);
}

describe('an engaged route', () => {
  const live = engaged(user, apart(50));

  it('has the legs, the label and the record', () => {
    assert.deepEqual(live.spec.rules?.[0]?.backendRefs, [ref('web', 0), ref('web-stable', 95), ref('web-canary', 5)]);
    assert.equal(live.metadata.labels?.[TRAFFIC], 'web-rollout');
    assert.deepEqual(JSON.parse(live.metadata.annotations?.[HELD] ?? ''), {
      v: 1,
      rollout: 'web-rollout',
      split: apart(50),
      user: user.spec.rules,
    });
  });
  it('is not written again', () => {
    assert.deepEqual(engageRoute(httpRoutes, live, { rollout: 'web-rollout', split: apart(50) }), []);
  });
  it('is not written again where the API server returns its fields in another order', () => {
    const [first, ...rest] = live.spec.rules ?? [];
    const { backendRefs, ...others } = first ?? {};
    const spec = { ...live.spec, rules: [{ backendRefs: backendRefs ?? [], ...others }, ...rest] };
    assert.deepEqual(engageRoute(httpRoutes, { ...live, spec }, { rollout: 'web-rollout', split: apart(50) }), []);
  });
  it('goes from split to split without leftovers', () => {
    const matches = [{ headers: [{ name: 'x-user', value: 'me' }] }];
    const next = engaged(engaged(live, apart(0, { matches })), shared(500));
    assert.deepEqual(next, engaged(user, shared(500)));
  });
  it("becomes the user's route byte for byte", () => {
    const left = patched(live, leaveRoute(httpRoutes, live, 'web'));
    assert.equal(
      JSON.stringify({ ...left.metadata, annotations: undefined }),
      JSON.stringify({ ...user.metadata, annotations: undefined }),
    );
    assert.deepEqual(left.metadata.annotations, {});
    assert.equal(JSON.stringify(left.spec), JSON.stringify(user.spec));
  });
  it('keeps an edit that was made without the webhook', () => {
    const rules = [rule([ref('web', 3), ref('new', 1)])];
    const applied = { ...live, spec: { ...live.spec, rules, hostnames: ['new.example.com'] } };
    const again = engaged(applied, apart(50));
    assert.deepEqual(userRules(httpRoutes, again, 'web'), rules);
    assert.deepEqual(again.spec.hostnames, ['new.example.com']);
  });
  it('is left as the user wrote it last, where the label or the record is lost', () => {
    const { annotations: _annotations, ...rest } = live.metadata;
    const lost = { ...live, metadata: rest };
    assert.deepEqual(patched(lost, leaveRoute(httpRoutes, lost, 'web')).spec, user.spec);
  });
});

describe('a route that is not engaged', () => {
  it('is not written to leave it', () => assert.deepEqual(leaveRoute(httpRoutes, user, 'web'), []));
  it("has the user's rules, whatever they name", () => {
    const odd = route([rule([ref('web-canary')])]);
    assert.deepEqual(userRules(httpRoutes, odd, 'web'), odd.spec.rules);
  });
  it('is not written where it cannot express the split', () => {
    const wide = route([rule([ref('web'), ref('other', 1_000_000)])]);
    const refused = engageRoute(httpRoutes, wide, { rollout: 'web-rollout', split: apart(500) });
    assert.ok(isRefusal(refused) && refused.problem.about === 'route');
  });
});
