// Describes the results of the analysis bench: tables and goals.
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import { INTERVAL_SECONDS } from '../../../src/engine/analysis/watch.ts';
import type { Goal, Section } from '../bench.ts';
import type { ReleaseFigure, SourceFigure } from '../operator/measure.ts';
import { MIB, shown } from '../text.ts';
import type { AnalysisData } from './bench.ts';
import type { FoldFigure } from './fold.ts';

export function describeAnalysis({ folds, without, with: checked }: AnalysisData): Section[] {
  return [foldSection(folds), releasesSection(without, checked), sourceSection(checked)];
}

const LONGEST_BLOCK_MS = 50;
/** The program refuses longer answers. */
const LONGEST_ANSWER = 2 ** 20;

function foldSection(folds: readonly FoldFigure[]): Section {
  const most = (of: (figure: FoldFigure) => number): number => Math.max(...folds.map(of));
  const block = most(({ blockMs }) => blockMs.max);
  const answer = most(({ answerBytes }) => answerBytes);
  return {
    heading: 'Judgement',
    text: [
      `One ratio check with \`limit\` and \`timesStable\` of a Deployment with a tenth of its Pods in the new version: live, one look at a time, or all looks after a restart, with as many in a question as the program asks for. Each row is measured in a process of its own with the flags of the image. Times are CPU times of the main thread. Each question needs two answers, for all and for bad requests. They are read from the JSON of Prometheus. The program does other work between the answers and before the judgement.`,
    ],
    table: {
      head: [
        'Pods',
        'looks',
        '',
        'questions',
        'looks in one',
        'a look p50 / p95 (ms)',
        'judgement, longest (ms)',
        'reading one answer p50 / p95 / longest (ms)',
        'longest answer (kB)',
        'live heap before / after (MiB)',
        'highest heap (MiB)',
      ],
      rows: folds.map(
        ({ fresh, stable, looks, live, asked, mostLooks, lookMs, blockMs, answerMs, answerBytes, heapBytes }) => [
          fresh + stable,
          looks,
          live ? 'live' : 'after a restart',
          asked,
          mostLooks,
          `${shown(lookMs.p50)} / ${shown(lookMs.p95)}`,
          blockMs.max,
          `${shown(answerMs.p50)} / ${shown(answerMs.p95)} / ${shown(answerMs.max)}`,
          answerBytes / 1000,
          `${shown(heapBytes.before / MIB)} / ${shown(heapBytes.after / MIB)}`,
          heapBytes.most / MIB,
        ],
      ),
    },
    goals: [
      {
        what: 'one judgement',
        goal: `below ${LONGEST_BLOCK_MS} ms`,
        measured: `${shown(block)} ms`,
        met: block < LONGEST_BLOCK_MS,
      },
      {
        what: 'one answer',
        goal: 'at most 1 MiB',
        measured: `${shown(answer / MIB)} MiB`,
        met: answer <= LONGEST_ANSWER,
      },
    ],
  };
}

function releasesSection(without: ReleaseFigure, checked: ReleaseFigure): Section {
  const { releases, replicas, readyMs, perSecond } = checked;
  return {
    heading: 'Releases with checks',
    text: [
      `${shown(releases)} releases of ${replicas} Pods in three steps (${perSecond} begin each second, a Pod is Ready after ${shown(readyMs / 1000)} s on average, so as many become Ready per second as in the bench of the operator), without checks and with two ratio checks with an interval of 30 s. Their source is a process of its own, which answers \`query_range\` over HTTP. The cluster, the program and the source share the cores of the machine. The numbers of a check are written to the status with the progress of the Pods, at most once a minute.`,
    ],
    table: {
      head: [
        'checks',
        'done',
        'all done (s)',
        'reaction p50 / p95 / p99 (ms)',
        'CPU of the program (s)',
        'CPU a batch (ms)',
        'RSS before / highest (MiB)',
        'writes of a status, a release',
        'event loop delay, p99 of the worst 2 s (ms)',
        'cluster busy, mean / most',
      ],
      rows: [without, checked].map((figure) => [
        figure.checks?.length ?? 0,
        figure.finished,
        figure.wallMs / 1000,
        `${shown(figure.reactionMs.p50)} / ${shown(figure.reactionMs.p95)} / ${shown(figure.reactionMs.p99)}`,
        cpuSeconds(figure),
        figure.cpuMsPerBatch,
        `${shown(figure.rssBytes.before / MIB)} / ${shown(figure.rssBytes.most / MIB)}`,
        (figure.callsPerBatch['PATCH rollouts/status'] ?? 0) * BATCHES,
        figure.operatorDelayMs.p99,
        `${shown(figure.clusterBusy.mean * 100)} / ${shown(figure.clusterBusy.most * 100)} %`,
      ]),
    },
    goals: [reactionGoal(checked)],
    after: [differenceText(without, checked)],
  };
}

const BATCHES = 3;
const cpuSeconds = ({ cpuMsPerBatch, finished }: ReleaseFigure): number => (cpuMsPerBatch * finished * BATCHES) / 1000;

/** What the checks cost, for each look of each release. */
export function differenceText(without: ReleaseFigure, checked: ReleaseFigure): string {
  const more = cpuSeconds(checked) - cpuSeconds(without);
  const { intervals } = checked.source!;
  const rss = (checked.rssBytes.most - without.rssBytes.most) / MIB;
  const direction = (value: number, unit: string): string =>
    `${shown(Math.abs(value))} ${unit} ${value < 0 ? 'less' : 'more'}`;
  return `With checks, the program used ${direction(more, 's')} of CPU time, which is ${shown((1000 * more) / intervals)} ms for each interval of a release, and ${direction(rss, 'MiB')} of memory.`;
}

function reactionGoal({ releases, finished, reactionMs }: ReleaseFigure): Goal {
  const measured = `${shown(reactionMs.p95)} ms${finished < releases ? `, ${finished} releases done before the timeout` : ''}`;
  const met = reactionMs.p95 < 1_000 && finished === releases;
  return { what: `reaction p95, ${shown(releases)} releases with checks`, goal: 'below 1,000 ms', measured, met };
}

function sourceSection({ source, checks = [] }: ReleaseFigure): Section {
  const { requests, repeated, releases, intervals, perCheckAndInterval, verdicts } = source!;
  return {
    heading: 'Requests to the source',
    text: [
      `A ratio check has two selectors. The ${checks.length} checks of this run have one of them in common, so a look of a release needs three requests instead of four. A request is repeated if the same query about the same times was sent before.`,
    ],
    table: {
      head: [
        'releases',
        'intervals of all releases',
        'requests',
        'repeated',
        'for each interval of a release',
        'for each check and interval',
        'verdicts at the end',
      ],
      rows: [
        [
          releases,
          intervals,
          requests,
          repeated,
          requests / intervals,
          perCheckAndInterval,
          Object.entries(verdicts)
            .map(([verdict, count]) => `${verdict} ${shown(count)}`)
            .join(', '),
        ],
      ],
    },
    goals: sourceGoals(source!, checks),
    after: [capacityText(checks)],
  };
}

/** Different selectors of all checks. */
const selectorsOf = (checks: readonly AnalysisCheck[]): number =>
  new Set(checks.flatMap(({ ratio }) => [ratio?.total, ratio?.bad])).size;

/** Requests to one source at a time (metric-sources/gate.ts). */
const AT_ONCE = 4;
const MANY = 1_000;

/** How quick a source must be. */
export function capacityText(checks: readonly AnalysisCheck[]): string {
  const selectors = selectorsOf(checks);
  const seconds = checks[0]?.intervalSeconds ?? INTERVAL_SECONDS;
  const ms = (AT_ONCE * seconds * 1000) / (MANY * selectors);
  return `The program sends at most ${AT_ONCE} requests to a source at a time. For ${shown(MANY)} releases at once with these checks, a source must answer in ${shown(ms)} ms on average. If it is slower, looks are read late, or the check is Unknown until a look is read.`;
}

const sourceGoals = (
  { requests, intervals, repeated, idle }: SourceFigure,
  checks: readonly AnalysisCheck[],
): Goal[] => [
  {
    what: `requests for an interval of a release, ${selectorsOf(checks)} different selectors`,
    goal: `at most ${selectorsOf(checks)}`,
    measured: shown(requests / intervals),
    met: requests <= intervals * selectorsOf(checks),
  },
  {
    what: 'the same query about the same times',
    goal: 'sent once',
    measured: `${shown(repeated)} repeated`,
    met: repeated === 0,
  },
  {
    what: `requests in ${idle.seconds} s before the first release, and after the last one`,
    goal: '0',
    measured: `${shown(idle.before)} and ${shown(idle.after)}`,
    met: idle.before + idle.after === 0,
  },
];
