// What an observer sees of releases.
import assert from 'node:assert/strict';
import { Releases } from '../../../../tools/bench/plane/releases.ts';

const workload = 'app-0/web-0';

describe('an observer of releases', () => {
  const releases = new Releases([1, 3]);
  const pod = (uid: string, now: number, isReady = false, version = 'v2'): void =>
    releases.seePod({ uid, workload, version, isReady }, now);
  const rollout = (phase: string, stepIndex: number, now: number): void =>
    releases.seeRollout({ workload, phase, stepIndex, stepState: 'StepUpgrade' }, now);

  it('tells apart what Pods take and what the rest takes', () => {
    releases.begin(workload, 'v2', 1_000);
    // Of the last release.
    rollout('Healthy', 2, 1_001);
    pod('old', 1_002, true, 'v1');
    rollout('Progressing', 1, 1_010);
    pod('a', 1_020);
    pod('a', 1_500, true);
    assert.deepEqual(releases.unfinished, [workload]);
    rollout('Progressing', 2, 1_510);
    pod('b', 1_540);
    pod('c', 1_545);
    pod('b', 1_900, true);
    pod('c', 2_045, true);
    // Seen again.
    pod('c', 2_050, true);
    rollout('Healthy', 2, 2_060);
    assert.deepEqual(releases.unfinished, []);
    // The slowest Pods took 480 and 500 ms.
    assert.deepEqual(releases.times(), { wallMs: 1_060, ownMs: [80], shownMs: [10], nextMs: [40] });
  });

  it('waits for all releases', () => {
    const two = new Releases([1]);
    two.begin('a/a', 'v2', 0);
    two.begin('a/b', 'v2', 5);
    for (const name of ['a/a', 'a/b']) {
      two.seeRollout({ workload: name, phase: 'Progressing' }, 6);
      two.seePod({ uid: name, workload: name, version: 'v2', isReady: false }, 10);
      two.seePod({ uid: name, workload: name, version: 'v2', isReady: true }, 20);
    }
    two.seeRollout({ workload: 'a/a', phase: 'Healthy' }, 30);
    assert.deepEqual(two.unfinished, ['a/b']);
    two.seeRollout({ workload: 'a/b', phase: 'Healthy' }, 45);
    assert.deepEqual(two.times(), { wallMs: 45, ownMs: [20, 30], shownMs: [], nextMs: [] });
  });
});
