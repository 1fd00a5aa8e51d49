import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { HistoryEntry, Rollout } from '../../../src/api/types.ts';
import { isMachine, originOf, requiredBy, strangersIn } from '../../../src/engine/policy/origin.ts';
import { readHeld, writeHeld } from '../../../src/engine/workload/deployment/hold.ts';
import { annotated, demo, held } from '../admit/support.ts';
import { policy } from './support.ts';

const BOT = 'system:serviceaccount:ci:bot';
const ended = (outcome: string, author?: string): HistoryEntry =>
  ({ rolloutID: 'r', revision: 'x', startTime: 't', endTime: 't', outcome, ...(author && { author }) }) as HistoryEntry;
const after = (...history: HistoryEntry[]): Rollout => ({ ...demo({}), status: { ...demo({}).status!, history } });

describe('whose change a release is', () => {
  it('is who changed the template, as the webhook noted it', () => {
    assert.deepEqual(originOf(demo({}), held()), { authors: ['alice'], planners: [], unknown: false });
  });

  it('is also whose versions it took the place of, back to the last that ended in another way', () => {
    const rollout = after(ended('Superseded', 'bob'), ended('Completed', 'carol'), ended('Superseded', 'dave'));
    assert.deepEqual(originOf(rollout, held()).authors, ['alice', 'bob']);
    assert.equal(originOf(after(ended('Superseded')), held()).unknown, true);
  });

  it('is nobody’s that is known where no webhook saw it', () => {
    const bypassed = annotated(held(), { [keys.HELD]: writeHeld({ ...readHeld(held())!, bypassed: 'unseen' }) });
    assert.deepEqual(originOf(demo({}), bypassed), { authors: [], planners: [], unknown: true });
    assert.equal(originOf(demo({}), undefined).unknown, true);
  });

  it('names who changed the plan', () => {
    const planned = annotated(demo({}), { [keys.PLAN_CHANGED]: '{"users":["bob"],"id":"1"}' });
    assert.deepEqual(originOf(planned, held()).planners, ['bob']);
  });
});

describe('how many people a policy wants', () => {
  const origin = (...authors: string[]) => ({ authors, planners: [], unknown: false });
  const notAuthor = policy('p', { approval: { required: 2, notAuthor: true } });

  it('is one more for each change of which nobody knows the person', () => {
    assert.deepEqual([isMachine(BOT), isMachine('alice')], [true, false]);
    assert.equal(strangersIn({ authors: [BOT, 'alice'], planners: [BOT], unknown: true }), 2);
    assert.equal(requiredBy(notAuthor, origin('alice')), 2);
    assert.equal(requiredBy(notAuthor, origin(BOT)), 3);
    assert.equal(requiredBy(policy('p', { approval: { required: 2 } }), origin(BOT)), 2);
    assert.equal(requiredBy(policy('p', {}), undefined), 1);
  });
});
