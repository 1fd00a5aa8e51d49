// Parts of sentences and of commands.
import assert from 'node:assert/strict';
import { inNamespace, namespaceFlag, plural, pods } from '../../../src/engine/lib/text.ts';

describe('a count in a sentence', () => {
  it('has the plural where there is not just one', () => {
    assert.deepEqual([0, 1, 2].map(pods), ['0 Pods', '1 Pod', '2 Pods']);
    assert.deepEqual(
      [1, 2].map((count) => plural(count, 'policy', 'policies')),
      ['1 policy', '2 policies'],
    );
  });
});

describe('a namespace in a command', () => {
  it('is named where it is not the default', () => {
    assert.deepEqual(['shop', 'default', '', undefined].map(inNamespace), [' -n shop', '', '', '']);
    assert.equal(namespaceFlag({ metadata: { name: 'web', namespace: 'shop' } }), ' -n shop');
  });
});
