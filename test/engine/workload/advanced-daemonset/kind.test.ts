// An Advanced DaemonSet: its number of Pods, its partition, and the settings with which it cannot be released.
import assert from 'node:assert/strict';
import type { IntOrString } from '../../../../src/api/types.ts';
import {
  advancedDaemonSetKind as kind,
  advancedDaemonSetShape as shape,
} from '../../../../src/engine/workload/advanced-daemonset/kind.ts';
import { EVERY, type Partitioned } from '../../../../src/engine/workload/partition/shape.ts';
import { rows, template } from '../../build.ts';

const set = (spec: object = {}, more: object = {}): Partitioned => ({
  ...shape.resource,
  metadata: { name: 'web', namespace: 'shop', uid: 'uid-web', ...more },
  spec: { selector: {}, template: template('v1'), ...spec },
  status: { observedGeneration: 1, desiredNumberScheduled: 7 },
});
const rolling = (fields: object): object => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: fields } });

describe('the partition of an Advanced DaemonSet', () => {
  rows<readonly [what: string, partition: IntOrString | null, kept: number]>(
    [
      ['is absent', null, 0],
      ['is a number', 3, 3],
      ['is a percentage, which rounds down', '50%', 3],
      ['is that of all Pods', EVERY, EVERY],
    ],
    (partition, kept) => assert.equal(shape.kept(partition, 7), kept),
  );

  it('is written as a number: percentages are computed from a status that may be late', () => {
    assert.deepEqual([shape.keeping(5, 10), shape.all], [5, EVERY]);
  });
});

describe('an Advanced DaemonSet', () => {
  it('starts Pods of the new version at once where its placement changes with it', () => {
    const moved = set({ template: { ...template('v2'), spec: { ...template('v2').spec, nodeSelector: { a: 'b' } } } });
    assert.equal(kind.atOnce(set(), moved), 'spec.template.spec.nodeSelector');
    assert.equal(kind.atOnce(set(), set({ template: template('v2') })), undefined);
  });

  it('has a Pod on each node that should run one', () => {
    assert.equal(kind.replicas(set()), 7);
    const { status: _, ...unseen } = set();
    assert.equal(kind.replicas(unseen), 1, 'until its controller has seen it');
  });

  rows<readonly [what: string, fields: object, surge: number, unavailable: number]>(
    [
      ['replaces one Pod at a time', {}, 0, 1],
      ['as many as it may', { maxUnavailable: '30%' }, 0, 3],
      ['or adds Pods first', { maxSurge: '30%', maxUnavailable: 0 }, 3, 0],
    ],
    (fields, surge, unavailable) =>
      assert.deepEqual(kind.spending(set(rolling(fields)), 7).limits, { surge, unavailable }),
  );

  rows<readonly [what: string, of: Partitioned, message: RegExp]>(
    [
      [
        'with OnDelete',
        set({ updateStrategy: { type: 'OnDelete' } }),
        /set spec.updateStrategy.type to RollingUpdate$/,
      ],
      [
        'for some nodes',
        set(rolling({ selector: { matchLabels: { a: 'b' } } })),
        /^DaemonSet "web" has an update strategy for some nodes, which updates no Pod on other nodes: remove spec/,
      ],
      [
        'that creates Pods by its partition',
        set({}, { annotations: { 'daemonset.kruise.io/progressive-create-pod': 'true' } }),
        /keeps the controller from creating Pods while a release is held: remove the annotation$/,
      ],
    ],
    (of, message) => assert.match(kind.obstacle(of)?.message ?? '', message),
  );

  it('is known by the hash of its revision', () => {
    assert.equal(shape.hashIn('web-5d4f8c'), '5d4f8c');
    assert.equal(shape.hashIn('5d4f8c'), '5d4f8c');
  });
});
