// The check `condition`: what an object of this release says.
import assert from 'node:assert/strict';
import { judgeCondition, startCondition } from '../../../src/engine/analysis/condition.ts';
import { rows } from '../build.ts';

const CHECK = { kind: 'Job', ok: 'Complete', failed: 'Failed' };
const job = (...conditions: string[]) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'smoke' },
  status: {
    conditions: conditions.map((text) => {
      const [type, status] = text.split('=') as [string, 'True' | 'False'];
      return { type, status, reason: '', message: '', lastTransitionTime: '', lastUpdateTime: '' };
    }),
  },
});

describe('the verdict', () => {
  rows(
    [
      ['Unknown without an object', [undefined], 'Unknown since 1 there is no Job with the id of this release'],
      ['Open while it runs', [job()], 'Open since 0'],
      ['Fine when it is complete', [job(), job('Complete=True')], 'Fine since 2'],
      ['Worse when it failed', [job('Failed=True')], 'Worse since 1'],
      ['Worse if it says both', [job('Complete=True', 'Failed=True')], 'Worse since 1'],
      ['not by a condition that is False', [job('Complete=False', 'Failed=False')], 'Open since 0'],
      ['Open again when the object appears', [undefined, job()], 'Open since 2'],
      ['Worse for ever', [job('Failed=True'), undefined, job('Complete=True')], 'Worse since 1'],
    ],
    (objects: (ReturnType<typeof job> | undefined)[], expected: string) => {
      const { verdict, since, why } = objects.reduce(
        (before, object, index) => judgeCondition(CHECK, before, object, index + 1),
        startCondition(0),
      );
      assert.equal([verdict, 'since', since, ...(why === undefined ? [] : [why])].join(' '), expected);
    },
  );

  it('is never Worse without a condition for a failure', () =>
    assert.equal(
      judgeCondition({ kind: 'Job', ok: 'Complete' }, startCondition(0), job('Failed=True'), 1).verdict,
      'Open',
    ));
});
