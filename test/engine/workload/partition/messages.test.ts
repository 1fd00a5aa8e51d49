// What a StatefulSet's status.message says about Pods that Tranche cannot help.
import assert from 'node:assert/strict';
import { evicts, kept, stuck, surplus, waits } from '../../../../src/engine/workload/partition/messages.ts';
import { pod } from '../../build.ts';

describe('the message about a StatefulSet', () => {
  const broken = pod('web-2', {});
  it('names the Pod that blocks it, and the command', () => {
    assert.equal(
      stuck(broken, 0, 'kubernetes#67250'),
      'Pod web-2 of an old version is not Ready, and the StatefulSet controller waits instead of replacing it (kubernetes#67250); ' +
        'to continue: kubectl delete pod web-2 -n shop',
    );
    assert.match(stuck(broken, 2, 'x'), /^Pod web-2 and 2 more of an old version are not Ready/);
    assert.match(evicts(broken, 'x'), /^evicting Pod web-2 of an abandoned version/);
    assert.match(kept('x.partition', 5, true), /partition is 5, so the Pods below it keep their version$/);
    assert.match(waits(broken, 'x'), /^Pod web-2 is not Ready/);
  });

  it('counts the Pods of a scale-up', () => {
    assert.match(surplus(1, 'x'), /^1 Pod beyond the step has the new version/);
    assert.match(surplus(3, 'x'), /^3 Pods beyond the step have the new version/);
  });
});
