import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Rollout } from '../../../src/api/types.ts';
import { changesPlan, planDigest, readPlanChange, withPlanChange } from '../../../src/engine/policy/plan.ts';
import { annotated, demo, disabled, sha256 } from '../admit/support.ts';

const digest = (rollout: Rollout, nextStepIndex = 2): string =>
  planDigest(rollout, { ...demo({}).status!.canaryStatus!, nextStepIndex }, sha256);
const paused = (rollout: Rollout, value = true): Rollout => ({
  ...rollout,
  spec: { ...rollout.spec, strategy: { ...rollout.spec.strategy, paused: value } },
});

describe('what an approval is bound to', () => {
  it('is the strategy, the last change of it in flight, and the step that follows', () => {
    assert.match(digest(demo({})), /^[0-9a-f]{16}$/);
    const others = [
      digest(demo({}, [1, '60%', '100%'])),
      digest(annotated(demo({}), { [keys.PLAN_CHANGED]: 'x' })),
      digest(demo({}), 3),
    ];
    assert.equal(new Set([digest(demo({})), ...others]).size, 4);
  });

  it('is nothing else: not labels, not whether it is disabled, not the order of fields', () => {
    assert.equal(digest(disabled(demo({}))), digest(demo({})));
    assert.equal(digest(annotated(demo({}), { note: 'x' })), digest(demo({})));
  });
});

describe('a change of the plan', () => {
  it('is another strategy, or the end of a pause', () => {
    assert.equal(changesPlan(demo(), demo(undefined, [1, '60%', '100%'])), true);
    assert.equal(changesPlan(paused(demo()), demo()), true);
    assert.equal(changesPlan(demo(), paused(demo())), false);
    assert.equal(changesPlan(demo(), disabled()), false);
  });

  it('is noted with everybody who made one, and the id of the last', () => {
    const first = annotated(demo({}), { [keys.PLAN_CHANGED]: withPlanChange(demo({}), 'alice', '1') });
    const second = annotated(first, { [keys.PLAN_CHANGED]: withPlanChange(first, 'bob', '2') });
    assert.deepEqual(readPlanChange(second), { users: ['alice', 'bob'], id: '2' });
    assert.deepEqual(JSON.parse(withPlanChange(second, 'alice', '3')), { users: ['alice', 'bob'], id: '3' });
  });

  for (const text of ['{', 'null', '{}', '{"users":"alice","id":"1"}', '{"users":["alice"]}']) {
    it(`is not read from ${text}`, () => {
      assert.equal(readPlanChange(annotated(demo({}), { [keys.PLAN_CHANGED]: text })), undefined);
    });
  }

  it('is none where nothing is noted', () => assert.equal(readPlanChange(demo({})), undefined));
});
