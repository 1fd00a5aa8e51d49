import assert from 'node:assert/strict';
import { asRoute, asService } from '../../../src/engine/traffic/shape.ts';

const metadata = { name: 'web', labels: { a: 'b' } };

describe('a route that nobody has checked', () => {
  it('is read if its lists are lists of objects', () => {
    for (const spec of [
      {},
      { rules: [] },
      { rules: [{}] },
      { rules: [{ matches: [{}], filters: [{}], backendRefs: [{ name: 'web' }] }] },
    ])
      assert.ok(asRoute({ metadata, spec }), JSON.stringify(spec));
  });

  it('is not read otherwise', () => {
    for (const object of [
      null,
      'x',
      [],
      {},
      { metadata },
      { spec: {} },
      { metadata: 'x', spec: {} },
      { metadata, spec: [] },
    ])
      assert.equal(asRoute(object), undefined, JSON.stringify(object));
    for (const rules of ['x', {}, ['x'], [null], [{ matches: 'x' }], [{ filters: {} }], [{ backendRefs: ['web'] }]])
      assert.equal(asRoute({ metadata, spec: { rules } }), undefined, JSON.stringify(rules));
    for (const wrong of [{ labels: { a: 1 } }, { annotations: 'x' }])
      assert.equal(asRoute({ metadata: wrong, spec: {} }), undefined, JSON.stringify(wrong));
  });
});

describe('a Service that nobody has checked', () => {
  it('is read if its ports and its selector have their types', () => {
    assert.ok(asService({ metadata, spec: {} }));
    assert.ok(asService({ metadata, spec: { ports: [{ port: 80 }], selector: { app: 'web' } } }));
    for (const spec of [undefined, 'x', { ports: 'x' }, { ports: [80] }, { selector: 'app=web' }])
      assert.equal(asService({ metadata, spec }), undefined, JSON.stringify(spec));
  });
});
