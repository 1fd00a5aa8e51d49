// The goals on the page, met or not.
import assert from 'node:assert/strict';
import { describePlane, failureOf } from '../../../../tools/bench/plane/describe.ts';
import type { Measured, MeasuredPeer } from '../../../../tools/bench/plane/bench.ts';

const measured = (which: Measured['which'], writes: number): Measured => ({
  which,
  commit: 'abc',
  main: {
    rssNothing: 100 * 2 ** 20,
    rssEnrolled: 120 * 2 ** 20,
    enrolled: 100,
    idle: { cpuMs: 60, awakeCpuMs: 40, wakeUps: 50 },
    runs: [
      {
        ...{ releases: 1, rounds: 3, wallMs: 3_500, ownMs: 180, shownMs: 14, nextMs: 50, ownRequests: 20, writes },
        ...{ cpuMs: 70, rssBytes: 0, requests: { 'tranche patch deployments': 6, 'tranche list pods': 0.01 } },
      },
    ],
  },
});

describe('the figures of a real control plane', () => {
  const [goals, requests] = describePlane({ measured: [measured('before', 238), measured('now', 119)] });
  const row = (what: string): readonly (string | number)[] | undefined =>
    goals?.table?.rows.find(([name]) => String(name).startsWith(what));

  it('have a row for each goal, with the figure before and whether it is met now', () => {
    assert.deepEqual(goals?.table?.head, ['', 'goal', 'before', 'now', 'met']);
    assert.deepEqual(row('writes of all controllers per release, 1')?.slice(1), ['at most 120', '238', '119', 'yes']);
    assert.deepEqual(row('RSS, 100 enrolled')?.slice(1), ['at most 115', '120', '120', '**no**']);
    assert.deepEqual(row('1 release: wall')?.slice(1), ['', '3.5', '3.5', '']);
    assert.deepEqual(row('100 at once: wall')?.slice(1), ['at most 30', 'not measured', 'not measured', '']);
  });

  it('show the requests of a release, without those that are hardly any', () => {
    assert.deepEqual(requests?.table?.rows, [['tranche patch deployments', 6]]);
  });
});

describe('the figures of another program in the same run', () => {
  const { main } = measured('now', 130);
  const peer: MeasuredPeer = { name: 'Argo Rollouts 1.9.0', how: 'is its controller.', main: main! };
  const slower = { ...main!, rssNothing: 200 * 2 ** 20, runs: main!.runs.map((run) => ({ ...run, shownMs: NaN })) };
  const [goals, ...requests] = describePlane({
    measured: [measured('now', 119)],
    peers: [peer, { name: 'Other 2', how: 'is slower.', main: slower }],
  });
  const row = (what: string): readonly (string | number)[] | undefined =>
    goals?.table?.rows.find(([name]) => String(name).startsWith(what));

  it('have columns of their own, and one that says whether the figure now is at most each of them', () => {
    assert.deepEqual(goals?.table?.head, ['', 'goal', 'now', 'met', 'Argo Rollouts 1.9.0', 'Other 2', 'not behind']);
    const writes = ['at most 120', '119', 'yes', '130', '130', 'yes'];
    assert.deepEqual(row('writes of all controllers per release, 1')?.slice(1), writes);
    assert.deepEqual(row('RSS, nothing')?.slice(1), ['at most 110', '100', 'yes', '100', '200', 'yes']);
    const none = ['at most 9', 'not measured', '', 'not measured', 'not measured', ''];
    assert.deepEqual(row('20 at once: wall')?.slice(1), none);
  });

  it('are not compared with what was not observed', () => {
    assert.deepEqual(row('1 release: last Pod Ready → next step')?.slice(1), [
      'at most 15',
      '14',
      'yes',
      '14',
      '–',
      'yes',
    ]);
  });

  it('say where the figure now is behind', () => {
    const [section] = describePlane({ measured: [measured('now', 131)], peers: [peer] });
    const found = section?.table?.rows.find(([name]) =>
      String(name).startsWith('writes of all controllers per release, 1'),
    );
    assert.equal(found?.at(-1), '**no**');
  });

  it('say how it is run, and have its requests', () => {
    assert.ok(goals?.text?.includes('_Argo Rollouts 1.9.0_ is its controller.'));
    assert.deepEqual(
      requests.map(({ heading }) => heading),
      ['now', 'Argo Rollouts 1.9.0', 'Other 2'].map((name) => `Requests per release (${name})`),
    );
  });
});

describe('a program that failed in the middle', () => {
  const data = {
    measured: [measured('now', 119)],
    peers: [{ name: 'Other 2', how: 'is slower.', failed: 'it\nended' }],
  };

  it('is named on the page, beside the figures of the others', () => {
    const [goals] = describePlane(data);
    assert.ok(goals?.text?.includes('**Other 2 failed: it ended.** Its figures end there.'));
    const row = goals?.table?.rows.find(([name]) => String(name).startsWith('RSS, nothing'));
    assert.deepEqual(row?.slice(1), ['at most 110', '100', 'yes', 'not measured', '']);
  });

  it('makes the bench fail', () => {
    assert.equal(failureOf(data), 'Other 2 failed: it ended.');
    assert.equal(failureOf({ measured: data.measured }), undefined);
  });
});
