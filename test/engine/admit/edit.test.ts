import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { governs, isMarkedAsOurs, isOperators, keepLabels } from '../../../src/engine/admit/edit.ts';
import { annotated, contextFor, demo, digestOf, disabled, OPERATOR, web, withSpec, withVersion } from './support.ts';

describe('an edit, as the rules see it', () => {
  it('says once what it does to the template', () => {
    const v1 = web('v1');
    const template = annotatedTemplate('2026-01-05');
    assert.equal(contextFor(undefined, v1).change, 'None');
    assert.equal(contextFor(v1, withSpec(v1, { replicas: 3 })).change, 'None');
    assert.equal(contextFor(v1, withSpec(v1, { template })).change, 'Restart');
    assert.equal(contextFor(v1, withVersion(v1, 'v2')).change, 'Version');
  });

  it('works each digest out once', () => {
    let asked = 0;
    const [v1, v2] = [web('v1'), web('v2')];
    const context = contextFor(v1, v2, demo(), { sha256: (text) => `${++asked} ${text.length}` });
    assert.equal(context.digest(v1), context.digest(v1));
    assert.notEqual(context.digest(v2), context.digest(v1));
    assert.equal(asked, 2);
    assert.match(digestOf(v1), /^[0-9a-f]{64}$/);
  });

  it('is the operator’s by name and field manager', () => {
    assert.equal(isOperators({ user: OPERATOR, fieldManager: keys.FIELD_MANAGER }, OPERATOR), true);
    assert.equal(isOperators({ user: OPERATOR, fieldManager: 'kubectl' }, OPERATOR), false);
    assert.equal(isOperators({ user: 'alice', fieldManager: keys.FIELD_MANAGER }, OPERATOR), false);
  });

  it('is governed by a Rollout that is neither disabled nor on its way out', () => {
    const leaving = { ...demo(), metadata: { ...demo().metadata, deletionTimestamp: '2026-01-05T10:00:00Z' } };
    assert.deepEqual([demo(), disabled(), leaving, undefined].map(governs), [true, false, false, false]);
  });

  it('is of ours with our label or our record, whatever that says', () => {
    const bare = web('v1', {}, { labels: {} });
    assert.equal(isMarkedAsOurs(bare.metadata), false);
    assert.equal(isMarkedAsOurs(undefined), false);
    assert.equal(isMarkedAsOurs(web('v1').metadata), true);
    assert.equal(isMarkedAsOurs(annotated(bare, { [keys.HELD]: '' }).metadata), true);
  });

  it('keeps labels that it drops, and not those that it changes', () => {
    const old = web('v1', {}, { labels: { a: '1', b: '1' } });
    const next = web('v1', {}, { labels: { b: '2' } });
    assert.deepEqual(keepLabels(old, next, ['a', 'b', 'c']), { a: '1' });
  });
});

function annotatedTemplate(restartedAt: string) {
  const { template } = web('v1').spec;
  const annotations = { 'kubectl.kubernetes.io/restartedAt': restartedAt };
  return { ...template, metadata: { ...template.metadata, annotations } };
}
