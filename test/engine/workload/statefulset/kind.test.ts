// A StatefulSet by its partition: what is granted, and when, as tables; and a whole release against a controller of twenty lines.
import assert from 'node:assert/strict';
import { GIVE_BACK, HELD, ROLLOUT_ID } from '../../../../src/api/keys.ts';
import type {
  ControllerRevision,
  Pod,
  PodTemplate,
  Rollout,
  StatefulSet,
  TemplateDigest,
} from '../../../../src/api/types.ts';
import type { Effect } from '../../../../src/engine/decision.ts';
import type { Children } from '../../../../src/engine/snapshot.ts';
import type { Goal } from '../../../../src/engine/workload/kind.ts';
import { kindOf, KINDS } from '../../../../src/engine/workload/registry.ts';
import * as hold from '../../../../src/engine/workload/partition/hold.ts';
import { EVERY as ALL } from '../../../../src/engine/workload/partition/shape.ts';
import {
  statefulSetKind as kind,
  statefulSetShape as shape,
} from '../../../../src/engine/workload/statefulset/kind.ts';
import { asDigest } from '../../../support/digests.ts';

const readHeld = (set: StatefulSet) => hold.readHeld(shape, set);
const giveBackPatch = (held: hold.PartitionHeld): string => hold.giveBackPatch(shape, held);
const partitionOf = ({ spec }: StatefulSet): number | null => spec.updateStrategy?.rollingUpdate?.partition ?? null;

const NOW = Date.parse('2026-01-01T12:00:00Z');
const template = (version: string): PodTemplate => ({
  spec: { containers: [{ name: 'web', image: `web:${version}` }] },
});
const digest = (of: PodTemplate): TemplateDigest =>
  asDigest(
    JSON.stringify(of)
      .replaceAll(/[^a-zA-Z0-9]/g, '')
      .slice(0, 64),
  );
const rollout = { metadata: { name: 'web', namespace: 'default' }, spec: {} } as Rollout;
const ref = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u', controller: true };

const makeSet = (replicas: number, version: string, partition?: number | null): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7', generation: 3 },
  spec: {
    replicas,
    selector: {},
    template: template(version),
    updateStrategy: { type: 'RollingUpdate', ...(partition == null ? {} : { rollingUpdate: { partition } }) },
  },
  status: { observedGeneration: 3, updateRevision: `web-${version}` },
});

const revision = (version: string): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name: `web-${version}`, namespace: 'default', ownerReferences: [ref] },
  revision: 1,
  data: { spec: { template: template(version) } },
});

/** "v1 v1 v2 v2!": Pods by ordinal; "!" is not Ready, "-" is not there. */
const podsOf = (text: string, start = 0): Pod[] =>
  text.split(' ').flatMap((word, i): Pod[] =>
    word === '-'
      ? []
      : [
          {
            metadata: {
              name: `web-${i + start}`,
              namespace: 'default',
              ownerReferences: [ref],
              labels: { 'controller-revision-hash': `web-${word.replace('!', '')}` },
            },
            status: {
              conditions: [
                {
                  type: 'Ready',
                  status: word.endsWith('!') ? 'False' : 'True',
                  lastTransitionTime: '2026-01-01T11:00:00Z',
                },
              ],
            },
          },
        ],
  );

const children = (pods: readonly Pod[]): Children => ({
  replicaSets: [],
  pods,
  revisions: [revision('v1'), revision('v2')],
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

/** A StatefulSet that we hold with `granted` as its partition. */
function held(replicas: number, granted: number, stands: number = granted, user: number | null = null): StatefulSet {
  const set = makeSet(replicas, 'v2', stands);
  const record = {
    v: 1,
    rollout: 'web',
    user: { partition: user },
    stable: digest(template('v1')),
    partition: granted,
  };
  return { ...set, metadata: { ...set.metadata, annotations: { [HELD]: JSON.stringify(record) } } };
}

const progressOf = (set: StatefulSet, pods: readonly Pod[]) =>
  kind.progress({ now: NOW, rollout, digest }, set, children(pods));

const partitionIn = (effect: Effect | undefined): unknown => {
  if (effect?.kind !== 'Patch' || !('metadata' in effect.patch)) return undefined;
  const spec = effect.patch.spec as { updateStrategy?: { rollingUpdate?: { partition?: unknown } } } | undefined;
  return spec?.updateStrategy?.rollingUpdate?.partition;
};

describe('a StatefulSet', () => {
  it('is known to the engine', () => {
    assert.ok(KINDS.includes(kind));
    assert.equal(kindOf({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' }), kind);
  });

  it('is counted by its Pods', () => {
    const { replicas, updated, old, available, newVersion, oldVersions, stableVersion, stopped, moving } = progressOf(
      held(5, 3),
      podsOf('v1 v1 v1 v2! v2'),
    );
    assert.deepEqual({ replicas, updated, old, available }, { replicas: 5, updated: 2, old: 3, available: 1 });
    assert.deepEqual([newVersion?.revision, stableVersion?.revision], ['web-v2', 'web-v1']);
    assert.deepEqual(
      oldVersions.map(({ revision, replicas: pods, available: ready }) => [revision, pods, ready]),
      [['web-v1', 3, 3]],
    );
    assert.deepEqual({ stopped, moving }, { stopped: true, moving: false });
  });

  it('waits until its controller has seen the last change, and knows its version by the template meanwhile', () => {
    const set = held(3, ALL);
    const young = { ...set, metadata: { ...set.metadata, generation: 4 } };
    const progress = progressOf(young, podsOf('v1 v1 v2'));
    assert.deepEqual([progress.newVersion?.revision, progress.updated, progress.old], ['web-v2', 1, 2]);
    const other = { ...young, spec: { ...young.spec, template: template('v3') } };
    assert.equal(progressOf(other, podsOf('v1 v1 v2')).newVersion, undefined);
    assert.match(progress.unsettled ?? '', /the StatefulSet controller/);
    assert.equal(kind.advance(progress, progress.held!, goal(1)).kind, 'Wait');
  });

  // R, the partition that was granted, the Pods by ordinal, T → the next partition, or what is waited for.
  const rows: readonly (readonly [string, number, number, string, Goal, number | 'Wait' | 'Done'])[] = [
    ['a step begins', 5, ALL, 'v1 v1 v1 v1 v1', goal(1), 4],
    ['and another, from a percent', 5, 4, 'v1 v1 v1 v1 v2', goal(3), 2],
    ['its Pod is not there yet', 5, 4, 'v1 v1 v1 v1 -', goal(1), 'Wait'],
    ['its Pod is not Ready', 5, 4, 'v1 v1 v1 v1 v2!', goal(1), 'Wait'],
    ['its Pod may be missing', 5, 4, 'v1 v1 v1 v1 v2!', goal(1, { tolerated: 1 }), 'Done'],
    ['it is there', 5, 4, 'v1 v1 v1 v1 v2', goal(1), 'Done'],
    ['no further Pod before those of the step before are there', 5, 4, 'v1 v1 v1 v1 v2!', goal(3), 'Wait'],
    ['nor before they are new', 5, 4, 'v1 v1 v1 v1 v1', goal(3), 'Wait'],
    ['the last step', 5, 2, 'v1 v1 v2 v2 v2', goal(5), 0],
    ['a broken Pod below the partition hinders nobody', 5, 4, 'v1! v1 v1 v1 v2', goal(2), 3],
    ['nothing is wanted', 5, ALL, 'v1 v1 v1 v1 v1', goal(0), 'Done'],
    ['scaled up, a percent asks for more', 10, 4, 'v1 v1 v1 v1 v2 v2 v2 v2 v2 v2', goal(2), 8],
    [
      'what came new by scaling is kept where the step keeps it',
      6,
      4,
      'v1 v1 v1 v1 v2 v2',
      goal(1, { keeps: true }),
      'Done',
    ],
    ['back to an earlier step: Pods made from now on are old again', 5, 2, 'v1 v1 v2 v2 v2', goal(1), 4],
  ];
  for (const [what, replicas, granted, pods, wanted, expected] of rows) {
    it(`advances: ${what} (R ${replicas}, partition ${granted === ALL ? 'of all' : granted}, T ${wanted.target}: ${expected})`, () => {
      const progress = progressOf(held(replicas, granted), podsOf(pods));
      const move = kind.advance(progress, progress.held!, wanted);
      assert.equal(move.kind === 'Act' ? partitionIn(move.effect) : move.kind, expected);
    });
  }

  it('counts from ordinals.start, and its partition does not', () => {
    const set = held(3, 2);
    const shifted = { ...set, spec: { ...set.spec, ordinals: { start: 5 } } };
    assert.equal(progressOf(shifted, podsOf('v1 v1 v2', 5)).grantedAreThere, true);
    assert.equal(progressOf(shifted, podsOf('v1 v2 v1', 5)).grantedAreThere, false);
  });

  it('frozen, brings no Pod more, and is not written twice', () => {
    const moving = progressOf(held(5, 2), podsOf('v1 v1 v1 v1 v2'));
    const move = kind.freeze(moving, moving.held!);
    assert.equal(move?.kind === 'Act' && partitionIn(move.effect), 4);
    const frozen = progressOf(held(5, 4), podsOf('v1 v1 v1 v1 v2'));
    assert.equal(kind.freeze(frozen, frozen.held!), undefined);
  });

  for (const user of [null, 0, 3]) {
    it(`is given back with its user's partition: ${user}`, () => {
      const progress = progressOf(held(5, 2, 2, user), podsOf('v1 v1 v2 v2 v2'));
      const move = kind.giveBack(progress, progress.held!);
      assert.ok(move.kind === 'Act' && move.effect.why === 'free');
      assert.equal(partitionIn(move.effect), user);
    });
  }

  it('whose partition was lowered by others is loose, and one that was raised is its user’s', () => {
    const lowered = progressOf(held(5, 4, 0), podsOf('v1 v1 v1 v1 v2'));
    assert.equal(kind.isLoose(lowered), true);
    const raised = progressOf(held(5, 2, 4), podsOf('v1 v1 v2 v2 v2'));
    assert.equal(kind.isLoose(raised), false);
    const [effect] = kind.noticeEdits(raised, raised.held!) ?? [];
    const { annotations } = (effect as unknown as { patch: { metadata: { annotations: Record<string, string> } } })
      .patch.metadata;
    const set = makeSet(5, 'v2');
    const noted = readHeld({ ...set, metadata: { ...set.metadata, annotations } });
    assert.deepEqual([noted?.user.partition, partitionIn(effect)], [4, 2]);
  });

  // The user's partition, whether a Pod was ever granted, the Pods, the current revision → the partition that is written, or what is waited for.
  const givings: readonly (readonly [
    string,
    number | null,
    boolean,
    number,
    string,
    string,
    number | null | 'Wait',
  ])[] = [
    ['without a partition at once, whatever its Pods are', null, true, 2, 'v1 v1 v1 v2 v2', 'v1', null],
    ['with 0 too', 0, true, 2, 'v1 v1 v1 v2 v2', 'v1', 0],
    ['with a partition at once, if no Pod was updated', 3, false, ALL, 'v1 v1 v1 v1 v1', 'v1', 3],
    ['with a partition not before all Pods are allowed', 3, true, 2, 'v1 v1 v2 v2 v2', 'v1', 0],
    ['nor before all are updated', 3, true, 0, 'v1 v2 v2 v2 v2', 'v1', 'Wait'],
    ['nor before the version is the current one', 3, true, 0, 'v2 v2 v2 v2 v2', 'v1', 'Wait'],
    ['then', 3, true, 0, 'v2 v2 v2 v2 v2', 'v2', 3],
    ['paused by its user, at once', ALL, true, 2, 'v1 v1 v2 v2 v2', 'v1', ALL],
  ];
  for (const [what, user, moved, granted, pods, current, expected] of givings)
    it(`is given back ${what}`, () => {
      const before = held(5, granted, granted, user);
      const record = { ...readHeld(before)!, ...(moved && { moved: '2026-01-01T11:00:00Z' }) };
      const set = { ...before, status: { ...before.status, currentRevision: `web-${current}` } };
      const progress = progressOf(set, podsOf(pods));
      const move = kind.giveBack(progress, record);
      assert.equal(move.kind === 'Act' ? partitionOf(apply(set, move.effect)) : move.kind, expected);
      assert.equal(kind.mayFreeAtOnce(record), !(moved && user === 3));
    });

  it('is held whole again by a new template, and keeps its user’s partition', () => {
    const old = held(5, 2, 2, 3);
    const record = readHeld(old)!;
    const next = { ...old, spec: { ...old.spec, template: template('v3') } };
    const edit = kind.edits.editOfHeld({ next, fieldManager: 'kubectl' }, old, record, { changed: true, dropped: [] });
    const holding = kind.edits.holdOn(old, edit);
    assert.deepEqual(holding, { held: { ...record, partition: ALL }, borrowed: { partition: ALL } });
    const again = apply(next, {
      kind: 'Patch',
      why: 'hold',
      resource: kind.resource,
      before: next,
      patch: {
        metadata: { annotations: kind.edits.metadataOf(holding.held).annotations },
        spec: { updateStrategy: { rollingUpdate: { partition: ALL } } },
      },
    });
    const second = kind.edits.editOfHeld({ next: again, fieldManager: 'kubectl' }, old, record, {
      changed: true,
      dropped: [],
    });
    assert.deepEqual(kind.edits.holdOn(old, second), holding, 'asked twice, it answers the same');
  });

  it('records its user’s partition, and keeps its own', () => {
    const old = held(5, 2, 2, null);
    const record = readHeld(old)!;
    const editTo = (partition: number | null, dropped: readonly string[] = []) => {
      const next = {
        ...old,
        spec: { ...old.spec, updateStrategy: { rollingUpdate: partition === null ? {} : { partition } } },
      };
      return kind.edits.editOfHeld({ next, fieldManager: 'kubectl' }, old, record, { changed: false, dropped });
    };
    assert.deepEqual([editTo(4).after.user.partition, editTo(4).unpauses], [4, false]);
    assert.deepEqual([editTo(0).after.user.partition, editTo(0).unpauses], [0, true]);
    assert.deepEqual(kind.edits.holdOn(old, editTo(0)).borrowed, { partition: 2 });
    assert.equal(editTo(2, ['partition']).after.user.partition, null, 'its owner applies it no longer');
    // Lowered while no webhook was there: it is not taken for a grant.
    const lowered = held(5, 4, 0);
    const seen = kind.edits.heldBefore(lowered)!;
    const same = kind.edits.editOfHeld({ next: lowered, fieldManager: 'kubectl' }, lowered, seen, {
      changed: false,
      dropped: [],
    });
    assert.deepEqual(kind.edits.holdOn(lowered, same).borrowed, { partition: 4 });
  });

  it('whose partition was lowered to what its Pods are already is held again there', () => {
    const lowered = progressOf(held(5, 4, 3), podsOf('v1 v1 v1 v2 v2'));
    assert.equal(kind.isLoose(lowered), true);
    const move = kind.freeze(lowered, lowered.held!);
    assert.ok(move?.kind === 'Act');
    const again = apply(lowered.workload as StatefulSet, move.effect);
    assert.deepEqual([partitionOf(again), readHeld(again)?.partition, readHeld(again)?.user.partition], [3, 3, 3]);
  });

  it('lets no further Pod be updated for one of the new version below an old one', () => {
    // Everybody who may create Pods can create it, and so can the controller, just before the hold.
    const steps = (pods: string) => {
      const progress = progressOf(held(7, 5), podsOf(pods));
      const move = kind.advance(progress, progress.held!, goal(2, { keeps: true }));
      const next = move.kind === 'Act' ? partitionIn(move.effect) : undefined;
      return [move.kind, next, kind.freeze(progress, progress.held!)?.kind, progress.stopped];
    };
    assert.deepEqual(steps('v1 v1 v1 v2 v1 v2 v2'), ['Done', undefined, undefined, true]);
    assert.deepEqual(steps('v1 v1 v1 v2 v1 v1 v2'), ['Wait', undefined, 'Act', false]);
    assert.deepEqual(steps('v1 v1 v1 v2 v2 v2 v2'), ['Act', 3, undefined, true]);
    assert.deepEqual(steps('v1 v1 v1 v1 v1 - v2'), ['Wait', undefined, undefined, false]);
  });

  it('is looked at by its Pods, and not by its ordinals, of which a user can ask for two billion', () => {
    const replicas = 2_000_000_000;
    const rowIn = (partition: number, pods: string) => progressOf(held(replicas, partition), podsOf(pods)).row;
    assert.deepEqual(rowIn(0, 'v2 v2'), { ordinals: replicas, pods: 2, available: 2 });
    assert.deepEqual(rowIn(0, 'v1 v2!'), { ordinals: replicas - 1, pods: 1, available: 0 });
    assert.deepEqual(rowIn(replicas - 5, 'v2 v2'), { ordinals: 5, pods: 0, available: 0 });
    assert.deepEqual(rowIn(ALL, 'v2 v2'), { ordinals: 0, pods: 0, available: 0 });
  });

  it('that lost its record finds its user’s partition in the patch that gives it back', () => {
    const unfinished = { rollout: 'web', stable: asDigest('v1'), bypassed: 'x', unfinished: true, labels: {} };
    const holdOf = (set: StatefulSet, ...granted: number[]) => {
      const [hold] = kind.holdUnseen(progressOf(set, podsOf('v1 v1 v1 v1 v2')), { ...unfinished, granted });
      return readHeld(apply(set, hold!))?.user.partition;
    };
    const bare = makeSet(5, 'v2', 4);
    assert.equal(holdOf(bare, 2, 3), 4, 'it was given back, so the partition is the user’s');
    assert.equal(holdOf(bare, 1, 3), null, 'a step has left it');
    assert.equal(holdOf(makeSet(5, 'v2', ALL)), null, 'the partition is ours');
    const annotations = { [GIVE_BACK]: giveBackPatch({ ...readHeld(held(5, 4, 4, 3))! }) };
    assert.equal(holdOf({ ...bare, metadata: { ...bare.metadata, annotations } }), 3);
    assert.equal(holdOf({ ...bare, metadata: { ...bare.metadata, annotations: { [GIVE_BACK]: '{' } } }), null);
  });

  // Pods, policy, partition, whether they may be evicted → the remark, and the Pod that is evicted.
  const DELETE = 'kubectl delete pod';
  const stucks: readonly (readonly [
    string,
    string,
    string | undefined,
    number,
    boolean,
    string,
    string | undefined,
  ])[] = [
    ['that is broken is named', 'v1 v1 v2! v1 v1', undefined, 0, false, `${DELETE} web-2`, undefined],
    ['is the lowest of several', 'v1 v2! v2! v2 v1', undefined, 0, false, `web-1 and 1 more`, undefined],
    ['is evicted where that is allowed', 'v1 v2! v2! v2 v1', undefined, 0, true, 'evicting Pod web-1', 'web-1'],
    ['is not evicted below the partition', 'v1 v2! v1 v1 v1', undefined, 2, true, `${DELETE} web-1`, undefined],
    ['that is Ready is none', 'v1 v1 v2 v1 v1', undefined, 0, true, '', undefined],
    ['of the stable version is none', 'v1! v1 v2 v2 v2', undefined, 0, true, '', undefined],
    ['is none with Parallel', 'v1 v1 v2! v1 v1', 'Parallel', 0, true, '', undefined],
  ];
  for (const [what, pods, policy, at, evicts, remark, evicted] of stucks)
    it(`a Pod of an abandoned version ${what}`, () => {
      const set = makeSet(5, 'v1', at);
      const back = { ...set, spec: { ...set.spec, ...(policy && { podManagementPolicy: policy }) } };
      const status = { canaryStatus: { stableRevision: 'web-v1' } };
      const facts = { now: NOW, rollout: { ...rollout, status } as unknown as Rollout, digest, evicts };
      const progress = kind.progress(facts, back, children(podsOf(pods)));
      assert.ok((progress.remark ?? '').includes(remark) && (remark !== '' || progress.remark === undefined));
      assert.equal(progress.evict?.pod.metadata.name, evicted);
    });

  it('a Pod of the stable version that is not Ready is named: with the command where the step updates it, and never evicted', () => {
    const of = (partition: number, pods: string) =>
      kind.progress({ now: NOW, rollout, digest, evicts: true }, held(3, partition), children(podsOf(pods)));
    assert.match(of(0, 'v1! v1 v2').remark ?? '', /kubectl delete pod web-0$/);
    assert.match(
      of(1, 'v1! v1 v2').remark ?? '',
      /^Pod web-0 is not Ready, and the StatefulSet controller updates no other/,
    );
    assert.equal(of(2, 'v1! v1 v2').remark, undefined, 'nothing is to be updated');
    assert.deepEqual([of(0, 'v1! v1 v2').evict, of(1, 'v1! v1 v2').evict], [undefined, undefined]);
  });

  it('says that its user’s partition keeps Pods, where no hold does', () => {
    assert.match(progressOf(makeSet(3, 'v2', 2), podsOf('v1 v1 v2')).remark ?? '', /partition is 2, so the Pods below/);
    assert.equal(progressOf(makeSet(3, 'v2', 2), podsOf('v2 v2 v2')).remark, undefined);
  });

  it('frozen, leaves a Pod that is deleted already to the new version', () => {
    const progress = progressOf(held(5, 2), podsOf('v1 v1 v1 - v2'));
    const move = kind.freeze(progress, progress.held!);
    assert.equal(move?.kind === 'Act' && partitionIn(move.effect), 3);
  });

  it('says how many Pods a scale-up has brought beyond the step', () => {
    assert.match(progressOf(held(6, 5), podsOf('v1 v1 v1 v2 v2 v2')).remark ?? '', /^2 Pods beyond the step have/);
    assert.equal(progressOf(held(6, 3), podsOf('v1 v1 v1 v2 v2 v2')).remark, undefined);
  });

  it('counts the Pods that its controller has to create, since the last one was Ready', () => {
    assert.deepEqual(progressOf(held(5, 3), podsOf('v1 v1 v1 - v2')).missing, {
      pods: 1,
      sinceMs: Date.parse('2026-01-01T11:00:00Z'),
    });
    assert.equal(progressOf(held(5, 4), podsOf('v1 - v1 v1 v2')).missing?.pods, 0, 'an old one is not ours to count');
  });

  it('takes no directive of a revision for a part of its template', () => {
    const stored = { ...revision('v1'), data: { spec: { template: { ...template('v1'), $patch: 'replace' } } } };
    const facts = { now: NOW, rollout, digest };
    const progress = kind.progress(facts, held(2, ALL), { ...children(podsOf('v1 v1')), revisions: [stored] });
    assert.deepEqual(progress.stableVersion?.template, template('v1'));
  });

  it('with OnDelete cannot be released, in words', () => {
    const set = makeSet(3, 'v1');
    const found = kind.obstacle({ ...set, spec: { ...set.spec, updateStrategy: { type: 'OnDelete' } } });
    assert.match(found?.message ?? '', /set spec\.updateStrategy\.type to RollingUpdate/);
    assert.equal(kind.obstacle(set), undefined);
  });

  it('goes through a whole release, and never more Pods are new than the step allows', () => {
    const start = makeSet(5, 'v2', 1);
    const [hold] = kind.holdUnseen(progressOf(start, podsOf('v1 v1 v1 v1 v1')), {
      rollout: 'web',
      stable: digest(template('v1')),
      bypassed: 'a new template was not held',
      unfinished: false,
      labels: { [ROLLOUT_ID]: 'r1' },
    });
    let set = apply(start, hold!);
    let pods = podsOf('v1 v1 v1 v1 v1');
    assert.equal(partitionOf(set), ALL);
    for (const target of [1, 3, 5]) {
      for (let turn = 0; turn < 20; turn++) {
        const progress = progressOf(set, pods);
        const move = kind.advance(progress, progress.held!, goal(target, { last: target === 5 }));
        if (move.kind === 'Done') break;
        if (move.kind === 'Act') set = apply(set, move.effect);
        pods = roll(set, pods);
        const fresh = pods.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] === 'web-v2').length;
        assert.ok(fresh <= target, `${fresh} new Pods in a step of ${target}`);
      }
      assert.equal(progressOf(set, pods).available, target);
    }
    const done = progressOf(set, pods);
    assert.equal(kind.giveBack(done, done.held!).kind, 'Wait', 'Pods below its partition would be created old again');
    const whole = progressOf({ ...set, status: { ...set.status, currentRevision: 'web-v2' } }, pods);
    const back = kind.giveBack(whole, whole.held!);
    assert.ok(back.kind === 'Act');
    set = apply(set, back.effect);
    assert.deepEqual([partitionOf(set), set.metadata.annotations?.[HELD]], [1, undefined]);
    assert.equal(kind.isSettled(progressOf(set, pods), 0), true);
  });
});

/** The merge patch of an effect, as the API server applies it. */
function apply(set: StatefulSet, effect: Effect): StatefulSet {
  assert.ok(effect.kind === 'Patch');
  return merge(set, effect.patch) as StatefulSet;
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(target as Record<string, unknown> | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

/** What the StatefulSet controller does: the highest Pod at or above the partition that is old becomes new. */
function roll(set: StatefulSet, pods: readonly Pod[]): Pod[] {
  const partition = partitionOf(set) ?? 0;
  const at = pods.findLastIndex(
    ({ metadata }, i) => i >= partition && metadata.labels?.['controller-revision-hash'] !== 'web-v2',
  );
  const [fresh] = podsOf('v2', at);
  return pods.map((pod, i) => (i === at ? fresh! : pod));
}
