// What is made of edits of a held Deployment that no webhook saw: what differs from how we left it is the user's.
import assert from 'node:assert/strict';
import type { Deployment } from '../../../../src/api/types.ts';
import { asDigest } from '../../../support/digests.ts';
import {
  firstHold,
  heldSettings,
  MARK,
  markedSettings,
  movingSettings,
  noticeEdits,
  settingsOf,
  withSettings,
} from '../../../../src/engine/workload/deployment/hold.ts';

const idle: Deployment = {
  metadata: { name: 'web', namespace: 'shop', generation: 1 },
  spec: {
    replicas: 4,
    minReadySeconds: 5,
    progressDeadlineSeconds: 600,
    selector: {},
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '30%', maxUnavailable: '20%' } },
  },
  status: { observedGeneration: 1, replicas: 4, updatedReplicas: 4 },
} as never;
const { held } = firstHold(idle, settingsOf(idle), 'web', asDigest('digest'));
const edited = (settings: typeof held.user, edit: Partial<Deployment['spec']>): Deployment => ({
  ...idle,
  spec: { ...withSettings(idle.spec, settings), ...edit },
});
const states = { moving: movingSettings(held), marked: markedSettings(held), 'at rest': heldSettings(held) };

describe('an edit of a held Deployment that no webhook saw', () => {
  for (const [state, settings] of Object.entries(states)) {
    it(`is none, ${state}, when all is as we left it`, () => {
      assert.equal(noticeEdits(held, edited(settings, {})), held);
    });

    it(`of minReadySeconds, ${state}, leaves the deadline that the user wrote`, () => {
      const { user } = noticeEdits(held, edited(settings, { minReadySeconds: 1 }));
      assert.deepEqual(user, { ...held.user, minReadySeconds: 1 });
    });

    it(`of both, ${state}, takes both over`, () => {
      const both = { minReadySeconds: 1, progressDeadlineSeconds: 700 };
      assert.deepEqual(noticeEdits(held, edited(settings, both)).user, { ...held.user, ...both });
    });
  }

  it('that writes minReadySeconds as the user had it, while Pods are moved, changes nothing of theirs', () => {
    const deployment = edited(states.moving, { minReadySeconds: 5 });
    assert.equal(noticeEdits(held, deployment).user.progressDeadlineSeconds, 600);
  });

  it('that ends the deadline, at rest, ends it', () => {
    const { progressDeadlineSeconds } = MARK;
    const { user } = noticeEdits(held, edited(states['at rest'], { progressDeadlineSeconds }));
    assert.deepEqual(user, { ...held.user, progressDeadlineSeconds });
  });
});
