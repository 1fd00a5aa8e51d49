// Describes the results of the operator bench: tables, goals and plots.
import type { Goal, Plot, Section } from '../bench.ts';
import { MIB, shown } from '../text.ts';
import type { OperatorData } from './bench.ts';
import type { IdleData, ReleaseFigure } from './measure.ts';

const LEASE = /leases$/;

export function describeOperator({ idle, releases }: OperatorData): Section[] {
  return [
    idleSection(idle),
    startSection(idle),
    releasesSection(releases),
    callsSection(releases),
    clusterSection(releases),
  ];
}

function idleSection({ bytes, figures }: IdleData): Section {
  return {
    heading: 'Idle',
    text: [
      `The compiled program runs with the flags of its image, in a separate process with a service account as in a Pod. Each Deployment has a Rollout, and no release is in progress. The JSON of a Deployment and of a Rollout from the API server has ${shown((bytes['Deployment'] ?? 0) / 1000)} and ${shown((bytes['Rollout'] ?? 0) / 1000)} kB (two containers, probes, environment, managedFields, kubectl's copy of the manifest). RSS is read after an idle half minute, without a forced garbage collection. The server counts the calls.`,
    ],
    table: {
      head: [
        'Deployments',
        'RSS (MiB)',
        'highest RSS (MiB)',
        'live heap (MiB)',
        'CPU (ms a minute)',
        'renewals of the lease a minute',
        'other calls a minute',
      ],
      rows: figures.map((figure) => [
        figure.deployments,
        figure.rssBytes / MIB,
        figure.peakRssBytes / MIB,
        figure.heapBytes / MIB,
        figure.cpuMsPerMinute,
        count(figure.callsPerMinute, (call) => LEASE.test(call)),
        count(figure.callsPerMinute, (call) => !LEASE.test(call)),
      ]),
    },
    goals: idleGoals(figures),
    plots: [
      {
        file: 'operator-memory',
        title: 'Memory, idle',
        x: { name: 'enrolled Deployments', min: 0 },
        y: { name: 'MiB', min: 0 },
        series: [
          { name: 'RSS', points: figures.map(({ deployments, rssBytes }) => [deployments, rssBytes / MIB]) },
          { name: 'live heap', points: figures.map(({ deployments, heapBytes }) => [deployments, heapBytes / MIB]) },
        ],
      },
    ],
    after: [
      'Memory grows linearly: the caches keep a fixed number of bytes per Deployment and Rollout. The template is kept as text until a release starts. Not included in the calls: every ten minutes, each replica lists its watched objects at the current version of the watch (in pages of 500), to find missed events.',
    ],
  };
}

const count = (calls: Readonly<Record<string, number>>, which: (call: string) => boolean): number =>
  Object.entries(calls).reduce((sum, [call, times]) => sum + (which(call) ? times : 0), 0);

function idleGoals(figures: IdleData['figures']): Goal[] {
  const at = (size: number): (typeof figures)[number] | undefined =>
    figures.find(({ deployments }) => deployments === size);
  const [thousand, most] = [at(1_000), figures.at(-1)];
  if (!thousand || !most || most === thousand) return [];
  const kib = (most.rssBytes - thousand.rssBytes) / 1024 / (most.deployments - thousand.deployments);
  const calls = Math.max(...figures.map(({ callsPerMinute }) => count(callsPerMinute, (call) => !LEASE.test(call))));
  return [
    {
      what: 'RSS at 1,000 Deployments',
      goal: 'below 150 MiB',
      measured: `${shown(thousand.rssBytes / MIB)} MiB`,
      met: thousand.rssBytes < 150 * MIB,
    },
    { what: 'growth for each further Deployment', goal: 'below 15 KiB', measured: `${shown(kib)} KiB`, met: kib < 15 },
    { what: 'calls a minute, but for the lease', goal: 'none but watches', measured: shown(calls), met: calls <= 10 },
  ];
}

function startSection({ figures }: IdleData): Section {
  return {
    heading: 'Start',
    text: [
      'From the start of the process until `/readyz` succeeds. CPU time includes the reconciliation of each Rollout, ten seconds later.',
    ],
    table: {
      head: ['Deployments', 'ready (s)', 'CPU (s)', 'lists', 'all calls'],
      rows: figures.map((figure) => [
        figure.deployments,
        figure.readyMs / 1000,
        figure.startCpuMs / 1000,
        count(figure.startCalls, (call) => call.startsWith('LIST')),
        count(figure.startCalls, () => true),
      ]),
    },
    plots: [
      {
        file: 'operator-start',
        title: 'From the start to ready',
        x: { name: 'enrolled Deployments', min: 0 },
        y: { name: 'seconds', min: 0 },
        series: [
          { name: 'ready', points: figures.map(({ deployments, readyMs }) => [deployments, readyMs / 1000]) },
          { name: 'CPU', points: figures.map(({ deployments, startCpuMs }) => [deployments, startCpuMs / 1000]) },
        ],
      },
    ],
    after: [
      'The time grows linearly: each byte is read once, in pages of 500, and only one object at a time is in memory in full. The time includes that of the embedded cluster, which writes the pages.',
    ],
  };
}

const pace = ({ perSecond }: ReleaseFigure): string => (perSecond > 0 ? `${perSecond} a second` : 'all at once');

function releasesSection(all: readonly ReleaseFigure[]): Section {
  // Excludes the burst, whose costs do not depend on the size.
  const figures = all.filter(({ perSecond }) => perSecond > 0);
  const bySize = (title: string, file: string, name: string, series: Plot['series']): Plot => ({
    file,
    title,
    x: { name: 'releases in motion', log: true },
    y: { name, min: 0 },
    series,
  });
  const [low, high] = all[0]!.jitter;
  return {
    heading: 'Many releases at once',
    text: [
      `Each release has three steps of 10 Pods, without pauses. The time until a Pod is Ready is random, from ${low} to ${high} times the mean. The reaction is the time from the moment when the last Pod of a batch is Ready until the status reports it, both observed in the store of the cluster. In this time, the native controllers count the Pod and delete an old one. The table also shows the time until the ReplicaSet counts the Pod.`,
      'Releases start at a rate, and then all of them are active. In the last row, all releases start at the same moment with quick Pods, so that all batches end within seconds. This row shows the effect of a burst. It mainly measures the embedded cluster, which is a single process (see below). For the same reason, the Pods are slower in rows with more releases: one core of this machine can process about seven batches per second. A thousand releases with Pods of 90 s need this rate, and both processes then use all of their cores: the reaction p95 was 5.1 s. With Pods of 180 s, where only the cluster was at its limit in its worst seconds, it was 1.4 s (each measured once, on 2026-11-27 and the day after).',
    ],
    table: {
      head: [
        'releases',
        'begin',
        'done',
        'a Pod (s)',
        'all done (s)',
        'one release, median (s)',
        'of which Pods (s)',
        'reaction p50 / p95 / p99 (ms)',
        'ReplicaSet counts, p95 (ms)',
        'CPU a batch (ms)',
        'watches',
        'highest RSS (MiB)',
        'event loop delay, p99 of the worst 2 s (ms)',
      ],
      rows: all.map((figure) => [
        figure.releases,
        pace(figure),
        figure.finished,
        figure.readyMs / 1000,
        figure.wallMs / 1000,
        figure.eachMs.p50 / 1000,
        figure.podsOwnMs.p50 / 1000,
        `${shown(figure.reactionMs.p50)} / ${shown(figure.reactionMs.p95)} / ${shown(figure.reactionMs.p99)}`,
        figure.clustersPartMs.p95,
        figure.cpuMsPerBatch,
        figure.mostWatches,
        figure.rssBytes.most / MIB,
        figure.operatorDelayMs.p99,
      ]),
    },
    goals: figures.flatMap(reactionGoal),
    plots: [
      bySize('Reaction: last Pod Ready → status reports it', 'operator-reaction', 'milliseconds', [
        { name: 'p50', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p50]) },
        { name: 'p95', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p95]) },
        { name: 'p99', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p99]) },
      ]),
      bySize('CPU time of the operator per batch', 'operator-batch-cpu', 'milliseconds', [
        { name: 'CPU', points: figures.map(({ releases, cpuMsPerBatch }) => [releases, cpuMsPerBatch]) },
      ]),
      bySize('Memory with active releases', 'operator-release-memory', 'MiB', [
        { name: 'highest RSS', points: figures.map(({ releases, rssBytes }) => [releases, rssBytes.most / MIB]) },
      ]),
    ],
    after: [
      'The costs of a batch hardly depend on the number of releases, because one reconciliation handles all events of a release since the last one. With a thousand releases the costs are higher because their Pods are slower here: while a batch takes minutes, its progress is written each minute, its watches are reopened, and there is more garbage to collect in more memory. The reaction time grows with the number of batches that end in the same second, not with the number of releases. Memory grows because each active release has two watches with a connection each, and its Pods are cached.',
    ],
  };
}

function reactionGoal({ releases, finished, reactionMs }: ReleaseFigure): Goal[] {
  const goalMs = { 100: 250, 1_000: 1_000 }[releases];
  if (goalMs === undefined) return [];
  const measured = `${shown(reactionMs.p95)} ms${finished < releases ? `, ${finished} releases done before the timeout` : ''}`;
  const met = reactionMs.p95 < goalMs && finished === releases;
  return [{ what: `reaction p95, ${shown(releases)} releases`, goal: `below ${shown(goalMs)} ms`, measured, met }];
}

function callsSection(figures: readonly ReleaseFigure[]): Section {
  const most = (call: string): number => Math.max(...figures.map(({ callsPerBatch }) => callsPerBatch[call] ?? 0));
  const all = [...new Set(figures.flatMap(({ callsPerBatch }) => Object.keys(callsPerBatch)))].toSorted();
  // Excludes calls that occur once per run, such as lists and bookmarks.
  const calls = all.filter((call) => most(call) >= 0.1);
  return {
    heading: 'Calls per batch',
    text: [
      'All calls of the program to the API server, and all watch events, divided by the number of batches. The labels of the Pods need one patch per Pod. Lists and watches are opened once per release.',
    ],
    table: {
      head: ['call', ...figures.map((figure) => `${shown(figure.releases)} releases, ${pace(figure)}`)],
      rows: calls.map((call) => [call, ...figures.map(({ callsPerBatch }) => callsPerBatch[call] ?? 0)]),
    },
  };
}

function clusterSection(figures: readonly ReleaseFigure[]): Section {
  return {
    heading: 'Is the cluster the bottleneck?',
    text: [
      'The embedded cluster and the program are two processes on separate cores. For the same run, the table shows the utilization of their event loops, also in the busiest two seconds, the delay of timers, and the duration of requests. The cluster is not the bottleneck if the utilization of its event loop is clearly below one core, and if its requests take a small part of the reaction time. Two cores of a virtual machine may be one physical core: each is then slower while the other one works.',
    ],
    table: {
      head: [
        'releases',
        'begin',
        'cluster busy, mean',
        'cluster busy, most',
        'late p99 (ms)',
        'request p50 (ms)',
        'request p99 (ms)',
        'program busy, median',
        'program busy, most',
      ],
      rows: figures.map((figure) => [
        figure.releases,
        pace(figure),
        `${shown(figure.clusterBusy.mean * 100)} %`,
        `${shown(figure.clusterBusy.most * 100)} %`,
        figure.clusterDelayMs.p99,
        figure.clusterRequestMs.p50,
        figure.clusterRequestMs.p99,
        `${shown(figure.operatorBusy.median * 100)} %`,
        `${shown(figure.operatorBusy.most * 100)} %`,
      ]),
    },
  };
}
