// A StatefulSet by its partition: what is granted, and when, as tables; and a whole release against a controller of twenty lines.
import assert from 'node:assert/strict';
import { HELD, ROLLOUT_ID } from '../../../../src/api/keys.ts';
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
import { kindOf, KINDS, SWITCHED_OFF } from '../../../../src/engine/workload/registry.ts';
import { ALL, partitionOf, readHeld } from '../../../../src/engine/workload/statefulset/hold.ts';
import { statefulSetKind as kind } from '../../../../src/engine/workload/statefulset/kind.ts';
import { asDigest } from '../../../support/digests.ts';

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
  it('is known to the engine, and switched off', () => {
    assert.deepEqual([KINDS.includes(kind), SWITCHED_OFF.includes(kind)], [false, true]);
    assert.equal(kindOf({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' }), undefined);
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

  it('has no new version before its controller has seen the template', () => {
    const set = held(3, ALL);
    const young = { ...set, metadata: { ...set.metadata, generation: 4 } };
    const progress = progressOf(young, podsOf('v1 v1 v1'));
    assert.deepEqual([progress.newVersion, progress.updated], [undefined, 0]);
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
    const back = kind.giveBack(done, done.held!);
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
