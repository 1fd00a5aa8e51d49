// Rollouts in a list, and the releases in the history of one.
import assert from 'node:assert/strict';
import { historyRows } from '../../src/view/history.ts';
import { byKey, rolloutRows } from '../../src/view/rows.ts';
import { ago, deployment, facts, NOW, progressing, replicaSet, rollout } from './support.ts';

describe('Rollouts in a list', () => {
  it('have a row each: with its progress in a release, without at rest', () => {
    const history = [{ rolloutID: 'r1', revision: '', author: 'anna', startTime: ago(90) }];
    const moving = rollout(progressing({}, { history }));
    const resting = rollout({ phase: 'Healthy' }, { workloadRef: { name: 'api' } }, { name: 'api' });
    const [first, second] = rolloutRows([moving, resting], [deployment()]);
    assert.deepEqual(first, {
      name: 'web',
      namespace: 'shop',
      deployment: 'web',
      state: 'Waiting',
      since: NOW - 60_000,
      createdAt: NOW - 3_600_000,
      progress: { step: 1, steps: 3, updated: 1, replicas: 4 },
      releaseId: 'r1',
      author: 'anna',
      images: ['web:v2'],
      message: 'step 1/3 done',
    });
    assert.deepEqual(
      [second?.state, second?.progress, second?.releaseId, second?.author],
      ['Idle', undefined, undefined, undefined],
    );
  });

  it('do not know how many Pods there are to be where the Deployment is missing, or in another namespace', () => {
    const elsewhere = deployment('v2', { namespace: 'other' });
    const [row] = rolloutRows([rollout(progressing())], [elsewhere]);
    assert.equal(row?.progress?.replicas, undefined);
  });

  it('are in the order of namespace and name', () => {
    const named = (namespace: string, name: string): ReturnType<typeof rollout> => rollout({}, {}, { namespace, name });
    const sorted = [named('b', 'a'), named('a', 'b'), named('a', 'a')].toSorted(byKey);
    assert.deepEqual(
      sorted.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      ['a/a', 'a/b', 'b/a'],
    );
  });
});

describe('releases in a history', () => {
  it('have the revision that keeps their version, and in progress the version that the status names', () => {
    const approvals = [{ step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(30) }];
    const brokenGlass = [{ user: 'eve', reason: 'outage 7', time: ago(800) }];
    const history = [
      { rolloutID: 'r2', revision: '', startTime: ago(90), approvals },
      {
        rolloutID: '',
        revision: 'v1',
        author: 'bea',
        startTime: ago(900),
        endTime: ago(600),
        outcome: 'Completed',
        brokenGlass,
        analysis: { errors: 'Fine' as const },
      },
      { rolloutID: 'r0', revision: 'v0', startTime: ago(9000), endTime: ago(8000), outcome: 'RolledBack' },
    ];
    const of = rollout(progressing({ canaryRevision: 'v2' }, { history }));
    assert.deepEqual(historyRows(facts(of, deployment(), [replicaSet('v1', 3, 6), replicaSet('v2', 1, 7)])), [
      {
        revision: '7',
        releaseId: 'r2',
        podTemplateHash: 'v2',
        author: undefined,
        startedAt: NOW - 90_000,
        endedAt: undefined,
        outcome: undefined,
        approvals,
        brokenGlass: [],
        verdicts: {},
      },
      {
        revision: '6',
        releaseId: undefined,
        podTemplateHash: 'v1',
        author: 'bea',
        startedAt: NOW - 900_000,
        endedAt: NOW - 600_000,
        outcome: 'Completed',
        approvals: [],
        brokenGlass,
        verdicts: { errors: 'Fine' },
      },
      {
        revision: undefined,
        releaseId: 'r0',
        podTemplateHash: 'v0',
        author: undefined,
        startedAt: NOW - 9_000_000,
        endedAt: NOW - 8_000_000,
        outcome: 'RolledBack',
        approvals: [],
        brokenGlass: [],
        verdicts: {},
      },
    ]);
  });
});
