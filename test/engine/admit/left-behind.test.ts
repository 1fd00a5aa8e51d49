// A Deployment that OpenKruise Rollouts left in the middle of a release.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { whileLeftBehind } from '../../../src/engine/admit/left-behind.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { asDigest } from '../../support/digests.ts';
import { annotated, contextFor, demo, held, web, withSpec, withVersion } from './support.ts';

const recreate = { type: 'Recreate' };
const left = annotated(withSpec(web('v2'), { paused: true, strategy: recreate }), {
  [keys.IN_PROGRESSING]: '{"rolloutName":"demo"}',
  [keys.KRUISE_STRATEGY]: '{}',
});
const rule = (next: typeof left, old = left, rollout = demo()) => whileLeftBehind(contextFor(old, next, rollout), old);

describe('an edit of what OpenKruise left in the middle of a release', () => {
  it('that resuming would delete all Pods at the same time is refused', () => {
    const ruling = rule(withSpec(left, { paused: false }));
    assert.equal(ruling?.verdict, 'Refused');
    assert.match(
      ruling.refusal === undefined ? '' : sentence(ruling.refusal),
      /resuming would delete all Pods at the same time/,
    );
  });

  it('that brings another template starts nothing, and OpenKruise’s traces stay', () => {
    const next = withVersion({ ...left, metadata: { ...left.metadata, annotations: {} } }, 'v3');
    const ruling = rule(next);
    assert.equal(ruling?.verdict, 'Bypassed');
    assert.equal(ruling.wanted?.borrowed?.['paused'], true);
    assert.deepEqual(ruling.wanted?.annotations, left.metadata.annotations);
    assert.match(ruling.warnings.join(), /take it over with: kubectl tranche takeover web -n shop/);
  });

  it('that brings a record of ours takes it over, once the strategy is RollingUpdate', () => {
    const record = held().metadata.annotations?.[keys.HELD] ?? '';
    const rolling = withSpec(left, { strategy: { type: 'RollingUpdate' } });
    assert.equal(rule(annotated(rolling, { [keys.HELD]: record }))?.verdict, 'TakenOver');
    assert.equal(rule(annotated(left, { [keys.HELD]: record })), undefined);
    assert.equal(rule(rolling), undefined);
  });

  it('is like any other where nothing was left', () => {
    assert.equal(rule(web('v2'), web('v1')), undefined);
    assert.equal(
      rule(withVersion(left, 'v3'), left, demo({ templateDigest: asDigest('x') })),
      undefined,
      'a status of ours',
    );
  });
});
