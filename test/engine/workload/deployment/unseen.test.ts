// A Deployment that no webhook of ours has seen change.
import assert from 'node:assert/strict';
import { asDigest } from '../../../support/digests.ts';
import { HELD, PAUSED_UNSEEN, ROLLOUT_ID } from '../../../../src/api/keys.ts';
import type { Held, ReplicaSet } from '../../../../src/api/types.ts';
import { readHeld, MARK, NO_BUDGET, type Settings } from '../../../../src/engine/workload/deployment/hold.ts';
import { asUserWrote, holdUnseen, isStale } from '../../../../src/engine/workload/deployment/unseen.ts';
import { deployment, held, mergePatchOf, progressOf, rows, snapshot, stage, USER, type Stage } from '../../build.ts';
import type { UnseenHold } from '../../../../src/engine/workload/kind.ts';

const unseen: UnseenHold = {
  rollout: 'web-rollout',
  stable: asDigest('v1'),
  bypassed: 'nobody saw it',
  unfinished: false,
  labels: { [ROLLOUT_ID]: 'r9' },
};

interface Made {
  readonly record: Held;
  readonly spec: Readonly<Record<string, unknown>>;
}
function made(sketch: Stage, more: Partial<UnseenHold> = {}, copy?: Held): Made {
  const { workload, children } = stage(sketch);
  const noted = (set: ReplicaSet): ReplicaSet => ({
    ...set,
    metadata: { ...set.metadata, annotations: { [HELD]: JSON.stringify(copy) } },
  });
  const sets = copy === undefined ? children.replicaSets : children.replicaSets.map(noted);
  const effects = holdUnseen(progressOf(snapshot({ workload, children: { ...children, replicaSets: sets } })), {
    ...unseen,
    ...more,
  });
  const { metadata, spec = {} } = mergePatchOf(effects);
  const { labels, annotations } = metadata as unknown as Record<'labels' | 'annotations', Record<string, string>>;
  assert.deepEqual(labels[ROLLOUT_ID], 'r9');
  return { record: readHeld({ metadata: { name: 'web', labels, annotations }, spec: workload.spec })!, spec };
}
const free = (sketch: Stage): Stage => ({ state: 'free', ...sketch });

describe('what no webhook saw is held', () => {
  it('with all that the webhook would have written', () => {
    const { record, spec } = made(free({ updated: 2, old: 8, user: [0, '20%'] }));
    assert.deepEqual(record, {
      v: 1,
      rollout: 'web-rollout',
      stable: asDigest('v1'),
      bypassed: 'nobody saw it',
      user: { ...USER, maxSurge: 0, maxUnavailable: '20%' },
      budget: NO_BUDGET,
    });
    assert.deepEqual(spec, { paused: true, strategy: { rollingUpdate: { maxUnavailable: 1 } } });
  });

  const budgets: readonly (readonly [what: string, sketch: Stage, budget: Held['budget']])[] = [
    [
      'with the surge that its user allows: with less, good old Pods would go',
      { updated: 1, old: 9 },
      { maxSurge: 3, maxUnavailable: 2 },
    ],
    ['with the surge that there is, where that is more', { updated: 5, old: 9 }, { maxSurge: 4, maxUnavailable: 2 }],
    ['with none where there is none', { updated: 1, old: 9, user: [0, 1] }, NO_BUDGET],
    [
      'with no more that may be missing than there are',
      { replicas: 1, updated: 1, old: 1, user: [1, 1] },
      { maxSurge: 1, maxUnavailable: 1 },
    ],
  ];
  rows(budgets, (sketch, budget) => assert.deepEqual(made(free(sketch)).record.budget, budget));

  it('with the record that is there, as of a new release', () => {
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, admitted: '2026-01-01T11:59:00.000Z' };
    const { record, spec } = made({ updated: 2, state: 'moving', budget: [3, 2], record: { trace, marks: true } });
    assert.deepEqual([record.trace, record.marks, record.bypassed], [undefined, true, 'nobody saw it']);
    assert.deepEqual(spec, { paused: true }, 'the rest is corrected later');
  });

  const copy = held({ user: { ...USER, maxSurge: 7 }, budget: { maxSurge: 3, maxUnavailable: 2 } });
  const user = (
    settings: Partial<Settings>,
    unfinished = true,
    of: Held | undefined = copy,
    sketch: Stage = {},
  ): unknown =>
    made(
      free({ updated: 2, old: 8, deployment: { settings: { ...USER, ...settings } }, ...sketch }),
      { unfinished },
      of,
    ).record.user.maxSurge;
  it('with the user’s settings from a ReplicaSet where the record was lost', () => {
    assert.equal(user(NO_BUDGET), 7, 'as at rest');
    assert.equal(user({ maxSurge: 3, maxUnavailable: 2 }), 7, 'as we left it');
    assert.equal(user({ maxSurge: 5, maxUnavailable: 2, ...MARK }), 7, 'marked');
    assert.equal(user({ maxSurge: 5, maxUnavailable: 2 }), 5, 'edited since');
    assert.equal(user({ maxSurge: 3, maxUnavailable: 1 }), 3, 'edited since, in one field');
    assert.equal(user(NO_BUDGET, false), 0, 'outside of a release it is the user’s');
    assert.equal(user(NO_BUDGET, true, held({ stable: '../x' })), 0, 'no ReplicaSet has a record that can be read');
    assert.equal(
      user(NO_BUDGET, true, copy, { replicas: 0, updated: 0, old: { v1: 0 } }),
      0,
      'a ReplicaSet without Pods may be of an earlier release',
    );
  });
});

describe('a pause that only the API server’s policy made', () => {
  const table: readonly (readonly [what: string, note: string | undefined, paused: boolean | null])[] = [
    ['is not the user’s', 'false', null],
    ['is the user’s where it was before', 'true', true],
    ['is the user’s where nothing is noted', undefined, true],
  ];
  rows(table, (note, paused) => {
    const of = deployment({
      settings: { paused: true },
      ...(note === undefined ? {} : { annotations: { [PAUSED_UNSEEN]: note } }),
    });
    assert.deepEqual(asUserWrote(of), { ...USER, paused });
  });
});

describe('a record is stale', () => {
  const stale = (record: Held | undefined, settings: Partial<Settings>): boolean =>
    isStale(
      progressOf(
        snapshot({ workload: deployment({ ...(record && { held: record }), settings: { ...USER, ...settings } }) }),
      ),
    );
  const table: readonly (readonly [
    what: string,
    record: Held | undefined,
    settings: Partial<Settings>,
    stale: boolean,
  ])[] = [
    ['when there is none', undefined, {}, true],
    ['when every field is as its user has it', held(), {}, true],
    ['not while the Deployment is paused', held(), { paused: true }, false],
    ['not while it is marked', held(), MARK, false],
    [
      'not while the budget is as we left it',
      held({ budget: { maxSurge: 3, maxUnavailable: 2 } }),
      { maxSurge: 3, maxUnavailable: 2 },
      false,
    ],
    ['not while there is none, as we leave it', held({ budget: undefined! }), NO_BUDGET, false],
    ['when half of the budget is as we left it', held(), { maxSurge: 0 }, true],
    ['when the other half is', held(), { maxUnavailable: 1 }, true],
  ];
  rows(table, (record, settings, expected) => assert.equal(stale(record, settings), expected));
});
