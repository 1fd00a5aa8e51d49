// Edits of the placement of a DaemonSet, as a table.
import assert from 'node:assert/strict';
import type { DaemonSet } from '../../../../src/api/types.ts';
import { atOnce } from '../../../../src/engine/workload/daemonset/placement.ts';
import { held, makeSet } from './build.ts';

const withSpec = (set: DaemonSet, more: object, version?: string): DaemonSet => {
  const { template } = version === undefined ? set.spec : makeSet(1, version).spec;
  return { ...set, spec: { ...set.spec, template: { ...template, spec: { ...template.spec, ...more } } } };
};
const TAINTED = { tolerations: [{ operator: 'Exists' }] };

describe('the placement of a DaemonSet', () => {
  const free = makeSet(3, 'v1');
  const table: readonly (readonly [what: string, old: DaemonSet, next: DaemonSet, expected: string | undefined])[] = [
    ['no change', free, free, undefined],
    ['another version', free, withSpec(free, {}, 'v2'), undefined],
    ['a selector alone', free, withSpec(free, { nodeSelector: { a: 'b' } }), undefined],
    ['a selector and a version', free, withSpec(free, { nodeSelector: { a: 'b' } }, 'v2'), 'nodeSelector'],
    ['an empty selector and a version', free, withSpec(free, { nodeSelector: {} }, 'v2'), undefined],
    ['no toleration any more, and a version', withSpec(free, TAINTED), withSpec(free, {}, 'v2'), 'tolerations'],
    ['affinity and a version', free, withSpec(free, { affinity: { nodeAffinity: {} } }, 'v2'), 'affinity'],
    ['a node and a version', free, withSpec(free, { nodeName: 'n1' }, 'v2'), 'nodeName'],
    ['a toleration during a release', held(3), withSpec(held(3), TAINTED), 'tolerations'],
    ['another version during a release', held(3), withSpec(held(3), {}, 'v3'), undefined],
  ];
  for (const [what, old, next, expected] of table)
    it(`takes effect at once with ${what}: ${expected ?? 'no'}`, () => {
      assert.equal(atOnce(old, next), expected && `spec.template.spec.${expected}`);
    });
});
