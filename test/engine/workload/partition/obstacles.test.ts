// Why a workload cannot be released in steps.
import assert from 'node:assert/strict';
import { onDelete, unsupported } from '../../../../src/engine/workload/partition/obstacles.ts';
import type { Partitioned } from '../../../../src/engine/workload/partition/shape.ts';

const set = (type?: string): Partitioned =>
  ({ metadata: { name: 'web' }, spec: { updateStrategy: { type } } }) as Partitioned;

describe('an update strategy', () => {
  it('of type OnDelete is an obstacle, and the message says what to write', () => {
    const found = onDelete(set('OnDelete'), 'CloneSet', 'ReCreate');
    assert.deepEqual([found?.reason, found?.remedy], ['OnDeleteStrategy', 'set spec.updateStrategy.type to ReCreate']);
    for (const type of [undefined, 'ReCreate']) assert.equal(onDelete(set(type), 'CloneSet', 'ReCreate'), undefined);
  });

  it('with a setting that hinders a release is one too', () => {
    const words = { strategy: 'a selector', why: 'updates some Pods only', remedy: 'remove it' };
    const found = unsupported(set(), 'DaemonSet', words);
    assert.equal(found.message, 'DaemonSet "web" has a selector, which updates some Pods only: remove it');
    assert.equal(found.reason, 'UnsupportedStrategy');
  });
});
