// A CloneSet by its partition: how percentages are read and written, what is granted and when, and how it is braked, as tables.
import assert from 'node:assert/strict';
import type { IntOrString } from '../../../../src/api/types.ts';
import type { Effect } from '../../../../src/engine/decision.ts';
import { HELD } from '../../../../src/api/keys.ts';
import type { Goal } from '../../../../src/engine/workload/kind.ts';
import { cloneSetKind as kind, cloneSetShape as shape } from '../../../../src/engine/workload/cloneset/kind.ts';
import { EVERY, type Partitioned } from '../../../../src/engine/workload/partition/shape.ts';
import { digest, NOW, rollout, rows, template } from '../../build.ts';
import { podOf, revisionOf } from '../partition/bench.ts';

describe('the partition of a CloneSet', () => {
  // Partition, replicas → Pods that keep the old version.
  rows<readonly [what: string, partition: IntOrString | null, replicas: number, kept: number]>(
    [
      ['is absent', null, 10, 0],
      ['is a number', 3, 10, 3],
      ['is a number above that of the Pods', 30, 10, 30],
      ['is a percentage, which rounds up', '75%', 10, 8],
      ['leaves one Pod to update below 100%', '99%', 10, 9],
      ['of one Pod', '50%', 1, 1],
      ['of all Pods, also of those of a scale-up', '100%', 10, EVERY],
      ['of 0%', '0%', 10, 0],
      ['is no partition', 'x', 10, 0],
    ],
    (partition, replicas, kept) => assert.equal(shape.kept(partition, replicas), kept),
  );

  it('is written as a percentage if one keeps exactly this number of Pods', () => {
    for (let replicas = 1; replicas <= 100; replicas++)
      for (let pods = 0; pods < replicas; pods++) {
        const partition = shape.keeping(pods, replicas);
        assert.equal(typeof partition, pods === 0 ? 'number' : 'string');
        assert.equal(shape.kept(partition, replicas), pods, `${pods} of ${replicas}: ${partition}`);
      }
    assert.equal(shape.keeping(120, 250), 120);
  });

  it('is the rest of a step’s percentage', () => {
    assert.deepEqual([shape.keeping(8, 10), shape.keeping(5, 10), shape.keeping(75, 100)], ['80%', '50%', '75%']);
  });
});

const goal = (target: number, more: Partial<Goal> = {}): Goal => ({
  target,
  tolerated: 0,
  keeps: false,
  last: false,
  goesOn: false,
  young: false,
  ...more,
});

/** A CloneSet of v2 that is held with this partition, and with more fields of the strategy and of the record. */
function held(
  replicas: number,
  partition: IntOrString,
  { strategy = {}, record = {} }: { strategy?: object; record?: object } = {},
): Partitioned {
  const written = {
    v: 1,
    rollout: 'web-rollout',
    user: { partition: null, paused: null },
    stable: digest(template('v1')),
    partition,
    ...record,
  };
  return {
    apiVersion: shape.resource.apiVersion,
    kind: shape.resource.kind,
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'uid-web',
      resourceVersion: '7',
      generation: 3,
      annotations: { [HELD]: JSON.stringify(written) },
    },
    spec: { replicas, selector: {}, template: template('v2'), updateStrategy: { partition, ...strategy } },
    status: { observedGeneration: 3, updateRevision: 'web-v2', currentRevision: 'web-v1' },
  };
}

/** "v1 v2 v2!": Pods, of which those with "!" are not Ready. `label`: of a version. */
const progressOf = (set: Partitioned, text: string, label = (version: string): string => `web-${version}`) =>
  kind.progress({ now: NOW, rollout: rollout(), digest }, set, {
    replicaSets: [],
    pods: text.split(' ').map((word, i) => podOf(shape, `web-${i}`, label(word.replace('!', '')), !word.endsWith('!'))),
    revisions: [revisionOf(shape, 'v1'), revisionOf(shape, 'v2')],
  });

const strategyIn = (effect: Effect | undefined): { partition?: unknown; paused?: unknown } => {
  if (effect?.kind !== 'Patch' || !('metadata' in effect.patch)) return {};
  return (effect.patch.spec as Partitioned['spec'] | undefined)?.updateStrategy ?? {};
};

describe('a CloneSet', () => {
  it('is counted by its Pods, whose label has the name of the revision or only its hash', () => {
    for (const label of [(version: string) => `web-${version}`, (version: string) => version]) {
      const { updated, old, available, newVersion, stableVersion } = progressOf(held(4, '50%'), 'v1 v1 v2 v2!', label);
      assert.deepEqual({ updated, old, available }, { updated: 2, old: 2, available: 1 });
      assert.deepEqual([newVersion?.revision, stableVersion?.revision], ['v2', 'v1']);
    }
  });

  it('does not count a Pod that is being updated in place', () => {
    const set = held(2, '50%');
    const pods = [podOf(shape, 'web-0', 'v1', true), podOf(shape, 'web-1', 'v2', true)];
    const updating = { type: 'InPlaceUpdateReady', status: 'False' };
    const busy = {
      ...pods[1]!,
      status: { ...pods[1]!.status, conditions: [...pods[1]!.status!.conditions!, updating] },
    };
    const revisions = [revisionOf(shape, 'v1'), revisionOf(shape, 'v2')];
    const of = (found: typeof pods) =>
      kind.progress({ now: NOW, rollout: rollout(), digest }, set, { replicaSets: [], pods: found, revisions });
    assert.deepEqual([of(pods).available, of([pods[0]!, busy]).available], [1, 0]);
  });

  // R, the partition, the Pods, T → the next partition, or what the move is.
  rows<readonly [string, number, IntOrString, string, Goal, IntOrString]>(
    [
      ['begins with a percentage', 5, '100%', 'v1 v1 v1 v1 v1', goal(1), '80%'],
      ['goes on', 5, '80%', 'v2 v1 v1 v1 v1', goal(3), '40%'],
      ['waits for its Pod', 5, '80%', 'v2! v1 v1 v1 v1', goal(1), 'Wait'],
      ['may lack a Pod', 5, '80%', 'v2! v1 v1 v1 v1', goal(1, { tolerated: 1 }), 'Done'],
      ['does not go on before its Pods are there', 5, '80%', 'v2! v1 v1 v1 v1', goal(3), 'Wait'],
      ['does not go on before they are made', 5, '80%', 'v1 v1 v1 v1 v1', goal(3), 'Wait'],
      ['is done', 5, '80%', 'v1 v1 v2 v1 v1', goal(1), 'Done'],
      ['ends with 0', 5, '40%', 'v2 v1 v2 v1 v2', goal(5), 0],
      ['is not hindered by a broken Pod of an older version', 5, '100%', 'v1! v1 v1 v1 v1', goal(1), '80%'],
      ['is scaled up: the percentage already follows', 10, '80%', 'v1 v1 v1 v1 v1 v1 v1 v1 v2 v2', goal(2), 'Done'],
      ['is scaled up during a step of a number', 10, '80%', 'v1 v1 v1 v1 v1 v1 v1 v1 v2 v2', goal(1), '90%'],
      ['waits until surge Pods are gone', 4, '75%', 'v1 v1 v1 v1 v2', goal(1), 'Wait'],
    ],
    (replicas, partition, pods, wanted, expected) => {
      const progress = progressOf(held(replicas, partition, { strategy: { maxSurge: 1 } }), pods);
      const move = kind.advance(progress, progress.held!, wanted);
      assert.equal(move.kind === 'Act' ? strategyIn(move.effect).partition : move.kind, expected);
    },
  );

  it('is braked with paused too, keeps the Pods that it has, and goes on without the brake', () => {
    const moving = progressOf(held(5, '20%'), 'v1 v1 v1 v2 v2!');
    const move = kind.freeze(moving, moving.held!);
    assert.ok(move?.kind === 'Act');
    assert.deepEqual(strategyIn(move.effect), { partition: '60%', paused: true });
    const frozen = progressOf(
      held(5, '60%', { strategy: { paused: true }, record: { frozen: true } }),
      'v1 v1 v1 v2 v2!',
    );
    assert.equal(frozen.stopped, true);
    assert.equal(kind.freeze(frozen, frozen.held!), undefined);
    const on = kind.advance(frozen, frozen.held!, goal(2));
    assert.ok(on.kind === 'Act');
    assert.deepEqual(strategyIn(on.effect), { paused: null });
  });

  it('keeps as many old Pods as there are when it is braked with surge Pods', () => {
    const moving = progressOf(held(4, '50%', { strategy: { maxSurge: 1 } }), 'v1 v1 v1 v1 v2!');
    const move = kind.freeze(moving, moving.held!);
    assert.ok(move?.kind === 'Act');
    assert.deepEqual(strategyIn(move.effect), { partition: '100%', paused: true });
  });

  it('gives the value of paused back that its user wrote while it was braked', () => {
    const set = held(5, '60%', {
      strategy: { paused: true },
      record: { frozen: true, user: { partition: '10%', paused: false } },
    });
    const progress = progressOf(set, 'v1 v1 v1 v2 v2');
    const move = kind.giveBack(progress, progress.held!);
    assert.ok(move.kind === 'Act');
    assert.deepEqual(strategyIn(move.effect), { partition: '10%', paused: false });
  });

  it('is given back with a partition of its user only when its version is the current one', () => {
    const record = { user: { partition: 2, paused: null }, moved: '2026-01-01T11:00:00Z' };
    const progress = progressOf(held(3, 0, { record }), 'v2 v2 v2');
    assert.equal(kind.giveBack(progress, progress.held!).kind, 'Wait');
    const set = held(3, 0, { record });
    const settled = progressOf({ ...set, status: { ...set.status, currentRevision: 'web-v2' } }, 'v2 v2 v2');
    const move = kind.giveBack(settled, settled.held!);
    assert.ok(move.kind === 'Act');
    assert.deepEqual(strategyIn(move.effect), { partition: 2 });
  });

  it('replaces invalid values of its record', () => {
    for (const user of [{ partition: '101%' }, { partition: -1 }, { partition: {} }, { paused: 'yes' }])
      assert.deepEqual(kind.readHold(held(3, '100%', { record: { user } }))?.user, { partition: null, paused: null });
  });

  it('takes at most its limits, as OpenKruise rounds them', () => {
    const limits = (strategy: object) => kind.spending(held(7, '100%', { strategy }), 7).limits;
    assert.deepEqual(limits({}), { surge: 0, unavailable: 2 }, '20% rounds up without surge');
    assert.deepEqual(limits({ maxSurge: '10%', maxUnavailable: '20%' }), { surge: 1, unavailable: 1 });
  });

  it('with OnDelete cannot be released, in words', () => {
    const { message, remedy } = kind.obstacle(held(3, '100%', { strategy: { type: 'OnDelete' } })) ?? {};
    assert.equal(
      message,
      'CloneSet "web" has update strategy OnDelete, which updates a Pod only after somebody deletes it: set spec.updateStrategy.type to ReCreate',
    );
    assert.equal(remedy, 'set spec.updateStrategy.type to ReCreate');
  });
});
