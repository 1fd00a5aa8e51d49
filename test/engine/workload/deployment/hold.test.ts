import assert from 'node:assert/strict';
import { BUDGET } from '../../../../src/api/keys.ts';
import type { Deployment, Held } from '../../../../src/api/types.ts';
import {
  firstHold,
  freedSettings,
  giveBackPatch,
  heldSettings,
  isInMotion,
  isMoving,
  MARK,
  markedSettings,
  mayFreeAtOnce,
  movingSettings,
  parseHeld,
  readHeld,
  settingsOf,
  settingsPatch,
  takeOver,
  userSettings,
  withSettings,
  heldLabels,
  writeHeld,
} from '../../../../src/engine/workload/deployment/hold.ts';
import { asDigest } from '../../../support/digests.ts';
import { HELD_ANNOTATIONS } from '../../../../src/engine/workload/record.ts';

const spec: Deployment['spec'] = {
  replicas: 10,
  selector: {},
  template: {},
  progressDeadlineSeconds: 600,
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
};
const idle: Deployment = {
  metadata: { name: 'demo', generation: 3 },
  spec,
  status: { observedGeneration: 3, replicas: 10, updatedReplicas: 10 },
};
const { held } = firstHold(idle, settingsOf(idle), 'demo-rollout', asDigest('digest'));
const withHeld = (more: Partial<Deployment['spec']> = {}): Deployment => ({
  metadata: {
    name: 'demo',
    annotations: { 'tranche.dev/held': writeHeld(held) },
    labels: heldLabels(held) as Record<string, string>,
  },
  spec: { ...withSettings(spec, heldSettings(held)), ...more },
});

describe('holding a Deployment', () => {
  it('pauses it with a budget that lets nothing move, and leaves the rest of its settings', () => {
    assert.deepEqual(heldSettings(held), {
      paused: true,
      maxSurge: 0,
      maxUnavailable: 1,
      minReadySeconds: null,
      progressDeadlineSeconds: 600,
    });
  });

  it('leaves the strategy alone while the native controller is still at work: less surge would cost good Pods', () => {
    for (const status of [
      { observedGeneration: 2, replicas: 10, updatedReplicas: 10 },
      { observedGeneration: 3, replicas: 12, updatedReplicas: 5 },
      undefined,
    ]) {
      const busy = { ...idle, ...(status ? { status } : { status: {} }) };
      assert.ok(isInMotion(busy));
      const hold = firstHold(busy, settingsOf(busy), 'r', asDigest('d'));
      assert.equal(hold.settings.maxSurge, '25%');
      assert.equal(hold.settings.paused, true);
    }
    assert.ok(!isInMotion(idle));
  });

  it('moves with the marks that keep new Pods from being called available', () => {
    const moving = movingSettings({ ...held, budget: { maxSurge: 2, maxUnavailable: 3 } });
    assert.deepEqual(moving, { paused: false, maxSurge: 2, maxUnavailable: 3, ...MARK });
    assert.ok(isMoving({ ...idle, spec: withSettings(spec, moving) }));
    assert.ok(!isMoving({ ...idle, spec: withSettings(spec, markedSettings(held)) }));
  });

  it('gives back byte for byte what the user wrote', () => {
    for (const settings of [
      settingsOf(idle),
      { paused: true, maxSurge: 0, maxUnavailable: '10%', minReadySeconds: 30, progressDeadlineSeconds: null },
      { paused: false, maxSurge: null, maxUnavailable: null, minReadySeconds: 0, progressDeadlineSeconds: 1200 },
    ]) {
      const before = withSettings(spec, settings);
      const hold = firstHold({ ...idle, spec: before }, settings, 'r', asDigest('d'));
      const back = withSettings(withSettings(before, hold.settings), freedSettings(hold.held));
      assert.deepEqual(settingsOf({ ...idle, spec: back }), settings);
      assert.deepEqual(back, before);
    }
  });

  it("never writes the strategy's type", () => {
    const recreate = { ...spec, strategy: { type: 'Recreate' } };
    assert.equal(withSettings(recreate, heldSettings(held)).strategy?.type, 'Recreate');
    assert.ok(!JSON.stringify(settingsPatch({ ...idle, spec: recreate }, heldSettings(held))).includes('"type"'));
  });
});

describe('the record on a held Deployment', () => {
  it('is read back as it was written', () => {
    assert.deepEqual(readHeld(withHeld()), held);
    const full = { ...held, marks: true, bypassed: 'no webhook' };
    const { budget: _, ...inTheAnnotation } = full;
    assert.deepEqual(parseHeld(writeHeld(full)), inTheAnnotation);
    assert.deepEqual(userSettings(withHeld()), settingsOf(idle));
    assert.deepEqual(userSettings(idle), settingsOf(idle));
  });

  it('has its budget and the time of the last grant in a label', () => {
    const labelled = (text: string | undefined, record: object = { ...held, budget: undefined }): Held | undefined =>
      readHeld({
        ...idle,
        metadata: {
          name: 'demo',
          annotations: { 'tranche.dev/held': JSON.stringify(record) },
          labels: text === undefined ? {} : { [BUDGET]: text },
        },
      });
    const granted = { budget: { maxSurge: '30%', maxUnavailable: 2 }, moved: '2026-01-05T10:05:00Z' };
    const { [BUDGET]: text } = heldLabels({ ...held, ...granted });
    assert.equal(text, 'surge-30pct.unavailable-2.at-1767607500');
    assert.deepEqual([labelled(text!)?.budget, labelled(text!)?.moved], [granted.budget, granted.moved]);
    assert.deepEqual(heldLabels({ ...held, budget: undefined! }), { [BUDGET]: null });
    for (const wrong of [
      undefined,
      '',
      'surge-1',
      'surge-.unavailable-1',
      'surge-1.unavailable-101pct',
      'surge-1.unavailable-9999999999',
      'surge-1.unavailable-1.at-x',
      'surge-1.unavailable-1.at-1767607500.',
      'xsurge-1.unavailable-1',
    ])
      assert.equal(labelled(wrong)?.budget, undefined, wrong);
    // The longest values fit into a label.
    const longest = { budget: { maxSurge: '999999999%', maxUnavailable: 2147483647 }, moved: '9999-12-31T23:59:59Z' };
    assert.match(heldLabels({ ...held, ...longest })[BUDGET]!, /^[a-z0-9.-]{1,63}$/);
    assert.deepEqual(heldLabels({ budget: { maxSurge: `${'0'.repeat(60)}25%`, maxUnavailable: 1 } }), {
      [BUDGET]: null,
    });
    // A record with a budget is of an earlier version, which does not know the label.
    const earlier = { ...held, budget: { maxSurge: 1, maxUnavailable: 3 } };
    assert.deepEqual(labelled('surge-2.unavailable-2', earlier)?.budget, earlier.budget);
  });

  it('is nothing when it cannot be read', () => {
    for (const text of [
      undefined,
      '',
      '{',
      'null',
      '[]',
      '{"v":2}',
      '{"v":1,"rollout":"r","stable":"s"}',
      '{"v":1,"rollout":"r","stable":"../s","user":{}}',
    ])
      assert.equal(parseHeld(text), undefined, text);
  });

  it('gives Kubernetes’ defaults for settings that Kubernetes would refuse, and names them', () => {
    const read = (user: object): Held | undefined =>
      parseHeld(JSON.stringify({ ...held, user: { ...held.user, ...user } }));
    const cases: readonly [object, readonly string[], object][] = [
      [{ maxSurge: 'abc' }, ['maxSurge'], { maxSurge: '25%' }],
      [{ maxSurge: -1 }, ['maxSurge'], { maxSurge: '25%' }],
      [{ maxSurge: 1e15 }, ['maxSurge'], { maxSurge: '25%' }],
      [{ maxUnavailable: '101%' }, ['maxUnavailable'], { maxUnavailable: '25%' }],
      [
        { maxSurge: 0, maxUnavailable: '0%' },
        ['maxSurge', 'maxUnavailable'],
        { maxSurge: '25%', maxUnavailable: '25%' },
      ],
      [{ minReadySeconds: 1.5 }, ['minReadySeconds'], { minReadySeconds: null }],
      [
        { minReadySeconds: 700, progressDeadlineSeconds: 600 },
        ['minReadySeconds', 'progressDeadlineSeconds'],
        { minReadySeconds: null, progressDeadlineSeconds: null },
      ],
      [{ paused: 'yes' }, ['paused'], { paused: null }],
    ];
    for (const [user, mended, expected] of cases) {
      const record = read(user);
      assert.deepEqual(record?.mended, mended, JSON.stringify(user));
      assert.deepEqual(record?.user, { ...held.user, ...expected }, JSON.stringify(user));
      assert.ok(!writeHeld(record).includes('mended'));
    }
    assert.equal(read({ maxSurge: '200%' })?.mended, undefined, 'as much surge as one likes');
  });

  it('comes with a merge patch that gives the Deployment back', () => {
    const patch = JSON.parse(giveBackPatch(held)) as { spec: object; metadata: { annotations: object } };
    const { paused, minReadySeconds, progressDeadlineSeconds, maxSurge, maxUnavailable } = held.user;
    const rollingUpdate = { maxSurge, maxUnavailable };
    assert.deepEqual(patch.spec, { paused, minReadySeconds, progressDeadlineSeconds, strategy: { rollingUpdate } });
    assert.deepEqual(Object.keys(patch.metadata.annotations), [...HELD_ANNOTATIONS]);
  });

  it("takes an edit of the borrowed fields over as the user's", () => {
    const before = settingsOf(withHeld());
    const after = { ...before, maxSurge: 2, minReadySeconds: 30 };
    assert.deepEqual(takeOver(held, before, after).user, { ...held.user, maxSurge: 2, minReadySeconds: 30 });
    assert.equal(takeOver(held, before, before), held);
  });

  it('lets a rollback be freed at once but while an abandoned version is marked', () => {
    assert.ok(mayFreeAtOnce(held));
    assert.ok(!mayFreeAtOnce({ ...held, marks: true }));
  });
});

describe('the patch to other settings', () => {
  it('names only what differs', () => {
    assert.deepEqual(settingsPatch(idle, heldSettings(held)), {
      paused: true,
      strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    });
    assert.equal(settingsPatch(idle, settingsOf(idle)), undefined);
    assert.deepEqual(settingsPatch(withHeld(MARK), heldSettings(held)), {
      minReadySeconds: null,
      progressDeadlineSeconds: 600,
    });
  });
});
