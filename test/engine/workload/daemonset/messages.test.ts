// What the status says about a DaemonSet: counts in words, and commands that can be copied.
import assert from 'node:assert/strict';
import * as messages from '../../../../src/engine/workload/daemonset/messages.ts';
import { makeSet, podsOf } from './build.ts';

describe('messages about a DaemonSet', () => {
  const [first, second, third, fourth, fifth] = podsOf('v1 v1 v1 v1 v1');

  it('name at most three Pods', () => {
    const said = messages.asks([first!, second!, third!, fourth!, fifth!], '2026-01-01T00:00:00Z');
    assert.match(said, /^somebody to delete Pods agent-0, agent-1, agent-2 and 2 more since 2026-01-01T00:00:00Z:/);
    assert.match(said, /run: kubectl delete pod agent-0 agent-1 agent-2 -n shop$/);
  });

  it('count', () => {
    assert.match(messages.surplus(1), /^1 Pod beyond the step has the new version/);
    assert.match(messages.surplus(2), /^2 Pods beyond the step have the new version/);
    assert.equal(messages.pending(0), 'Pods');
    assert.match(
      messages.pending(2),
      /^the DaemonSet controller to count 2 Pods with the new version; if it never does,/,
    );
    assert.match(messages.mistaken([first!]), /takes Pod agent-0 for updated, .* created it: run: kubectl delete pod/);
    assert.match(messages.unavailable(1, 3, 1), /1 of 3 Pods is not available, and maxUnavailable is 1$/);
    assert.match(messages.evicted(first!, 2, 3), /^Pod agent-0 was evicted, .* \(2 of 3 Pods\)$/);
  });

  it('say why', () => {
    assert.match(messages.refused(first!, 'no', '2026-01-01T00:00:00Z'), /refused since 2026-01-01T00:00:00Z: no$/);
    assert.match(messages.noNodes, /^no node should run a Pod of the DaemonSet/);
    assert.match(messages.surges(makeSet(1, 'v1')), /^tranche: .*maxSurge of DaemonSet agent has no effect/);
  });
});
