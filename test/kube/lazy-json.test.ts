// Tests of fields that are kept as text.
import assert from 'node:assert/strict';
import { withLazyField } from '../../src/kube/lazy-json.ts';

describe('a lazy field', () => {
  const spec = { replicas: 3, selector: { app: 'web' }, template: { labels: { app: 'web' }, image: 'web:v1' } };

  it('reads as it was, also in a copy, as JSON and by its keys', () => {
    const kept = withLazyField(spec, 'template');
    assert.deepEqual(kept.template, spec.template);
    assert.deepEqual({ ...kept, replicas: 4 }, { ...spec, replicas: 4 });
    assert.deepEqual(JSON.parse(JSON.stringify(kept)), spec);
    assert.deepEqual(Object.keys(kept).toSorted(), Object.keys(spec).toSorted());
  });

  it('reads as it was, whatever its texts are made of', () => {
    const template = { a: 'żółw 🐢 \u0000 "\\" \u00ff', b: '\ud800 alone' };
    assert.deepEqual(withLazyField({ template }, 'template').template, template);
  });

  it('is the same object to everybody who reads it, so that what is remembered of it is found again', () => {
    const kept = withLazyField(spec, 'template');
    const { template } = kept;
    assert.equal(kept.template, template);
    assert.notEqual(kept.template, spec.template);
  });

  it('is frozen as everything is that a cache hands out', () => {
    const kept = withLazyField(spec, 'template');
    for (const part of [kept, kept.selector, kept.template, kept.template.labels]) assert.ok(Object.isFrozen(part));
  });
});
