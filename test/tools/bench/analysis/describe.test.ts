// What the bench of the analysis says about its numbers.
import assert from 'node:assert/strict';
import { capacityText, describeAnalysis, differenceText } from '../../../../tools/bench/analysis/describe.ts';
import type { FoldFigure } from '../../../../tools/bench/analysis/fold.ts';
import type { AnalysisCheck } from '../../../../src/api/analysis.ts';
import type { ReleaseFigure, SourceFigure } from '../../../../tools/bench/operator/measure.ts';
import { summarize } from '../../../../tools/bench/stats.ts';

const MIB = 2 ** 20;
const checks = ['errors', 'timeouts'].map((name): AnalysisCheck => ({ name, ratio: { bad: name, total: 'all' } }));
const source: SourceFigure = {
  requests: 900,
  repeated: 0,
  releases: 100,
  intervals: 300,
  perCheckAndInterval: 1.5,
  idle: { seconds: 45, before: 0, after: 0 },
  verdicts: { Open: 150, Fine: 50 },
};
const one = summarize([5]);
const delay = { p50: 1, p95: 1, p99: 1, max: 1 };
const without: ReleaseFigure = {
  releases: 100,
  replicas: 30,
  readyMs: 20_000,
  jitter: [0.25, 1.75],
  timeoutSeconds: 240,
  perSecond: 4,
  finished: 100,
  wallMs: 120_000,
  eachMs: one,
  podsOwnMs: one,
  reactionMs: one,
  clustersPartMs: one,
  beginMs: one,
  cpuMsPerBatch: 60,
  callsPerBatch: { 'PATCH rollouts/status': 3 },
  mostWatches: 200,
  rssBytes: { before: 100 * MIB, most: 180 * MIB, after: 180 * MIB },
  operatorDelayMs: delay,
  operatorBusy: { median: 0.1, most: 0.5 },
  clusterBusy: { mean: 0.3, most: 1 },
  clusterDelayMs: delay,
  clusterRequestMs: one,
};
const checked: ReleaseFigure = {
  ...without,
  checks,
  source,
  cpuMsPerBatch: 66,
  rssBytes: { ...without.rssBytes, most: 170 * MIB },
};
const fold: FoldFigure = {
  fresh: 1_000,
  stable: 9_000,
  looks: 60,
  live: true,
  asked: 60,
  mostLooks: 1,
  lookMs: one,
  blockMs: one,
  answerMs: one,
  answerBytes: MIB,
  heapBytes: { before: MIB, after: 2 * MIB, most: 3 * MIB },
  verdict: 'Open',
};

/** Names of the goals that are not met. */
const missed = (folds: readonly FoldFigure[], without: ReleaseFigure, checked: ReleaseFigure): string[] =>
  describeAnalysis({ folds, without, with: checked })
    .flatMap(({ goals = [] }) => goals)
    .filter(({ met }) => !met)
    .map(({ what }) => what);

describe('the bench of the analysis', () => {
  it('says what checks cost, for each interval of a release, and which way', () => {
    assert.match(
      differenceText(without, checked),
      /1\.8 s more of CPU time, which is 6 ms for each interval of a release, and 10 MiB less of memory/,
    );
  });

  it('says how quick a source must be for a thousand releases: four requests at once, three selectors each 30 s', () => {
    assert.match(capacityText(checks), /must answer in 40 ms on average/);
  });

  it('says which goals are missed', () => {
    assert.deepEqual(missed([fold], without, checked), []);
    const slow = { ...fold, blockMs: summarize([50]), answerBytes: MIB + 1 };
    const late = { ...checked, reactionMs: summarize([1_000]) };
    const many = { ...source, requests: 901, repeated: 1, idle: { ...source.idle, after: 1 } };
    assert.deepEqual(missed([fold, slow], without, { ...late, source: many }), [
      'one judgement',
      'one answer',
      'reaction p95, 100 releases with checks',
      'requests for an interval of a release, 3 different selectors',
      'the same query about the same times',
      'requests in 45 s before the first release, and after the last one',
    ]);
  });
});
