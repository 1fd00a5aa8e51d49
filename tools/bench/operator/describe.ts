// What the operator's numbers mean: tables, goals and plots.
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
      `The compiled program with the flags of its image, in a process of its own that sees a service account as in a Pod. Each Deployment has a Rollout and is healthy; as the API server sends them they are ${shown((bytes['Deployment'] ?? 0) / 1000)} and ${shown((bytes['Rollout'] ?? 0) / 1000)} kB of JSON (two containers, probes, environment, managedFields, kubectl's copy of the manifest). RSS is read after half a minute of rest, with no collection forced; calls are counted by the server.`,
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
      'Linear: what is kept of a Deployment and its Rollout is a fixed number of bytes, and nothing is kept of a pair of them. The template is kept as text until a release begins. Apart from this, every ten minutes each replica lists what it watches at the very version that its watch has reached (pages of 500), to find events that never came.',
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
      'From the start of the process until `/readyz` says yes; CPU until every Rollout was looked at once, ten seconds later.',
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
      'Linear: every byte is read once, in pages of 500, and each object is dropped but for what is kept before the next is looked at. The time includes that of the embedded cluster, which writes the pages.',
    ],
  };
}

const pace = ({ perSecond }: ReleaseFigure): string => (perSecond > 0 ? `${perSecond} a second` : 'all at once');

function releasesSection(all: readonly ReleaseFigure[]): Section {
  // What a burst costs is not what size costs.
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
      `Three steps of 10 Pods each, without waits between them. A Pod takes a time of its own until it is Ready, drawn from ${low} to ${high} of the mean. Reaction: from the moment in which the last Pod of a batch is Ready to the status that says so, both seen in the store of the cluster. Between them the native controllers count that Pod and take an old one away; of this, the table shows the time until the ReplicaSet counts it.`,
      'Releases begin at a pace, and soon all are in motion. In the last row all begin in the same moment, with quick Pods: their batches end within seconds, and what is measured then is how fast the embedded cluster, one process, gets through its own work (see below); the row shows what a burst does, not what the program can do. For the same reason the Pods are slower where there are more releases: what one core of this machine gets through is about seven batches a second. A thousand releases with Pods of 90 s ask for just that, and then each process needs all of its core: reaction p95 was 5.1 s, and with Pods of 180 s, with which the cluster had no time left in its worst seconds, 1.4 s (each measured once, on 2026-11-27 and the day after).',
    ],
    table: {
      head: [
        'releases',
        'begin',
        'done',
        'a Pod (s)',
        'all done (s)',
        'one release, median (s)',
        'of it its Pods (s)',
        'reaction p50 / p95 / p99 (ms)',
        'ReplicaSet counts, p95 (ms)',
        'CPU a batch (ms)',
        'watches',
        'highest RSS (MiB)',
        'event loop late, p99 of the worst 2 s (ms)',
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
      bySize('Reaction: last Pod Ready → the status says so', 'operator-reaction', 'milliseconds', [
        { name: 'p50', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p50]) },
        { name: 'p95', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p95]) },
        { name: 'p99', points: figures.map(({ releases, reactionMs }) => [releases, reactionMs.p99]) },
      ]),
      bySize('CPU of the operator for one batch', 'operator-batch-cpu', 'milliseconds', [
        { name: 'CPU', points: figures.map(({ releases, cpuMsPerBatch }) => [releases, cpuMsPerBatch]) },
      ]),
      bySize('Memory with releases in motion', 'operator-release-memory', 'MiB', [
        { name: 'highest RSS', points: figures.map(({ releases, rssBytes }) => [releases, rssBytes.most / MIB]) },
      ]),
    ],
    after: [
      'A batch costs about the same whatever else is released: a release is looked at once for all that happened to it while it waited for its turn. What costs more with a thousand is that their Pods are slow here: while a batch takes minutes, its progress is written each minute and its watches are opened again, and there is more garbage to collect in more memory. Reaction grows with the batches that end in the same second, not with the number of releases. Each release in motion has two watches, each a connection of its own, and its Pods are kept as long; that is what memory grows by.',
    ],
  };
}

function reactionGoal({ releases, finished, reactionMs }: ReleaseFigure): Goal[] {
  const goalMs = { 100: 250, 1_000: 1_000 }[releases];
  if (goalMs === undefined) return [];
  const measured = `${shown(reactionMs.p95)} ms${finished < releases ? `, ${finished} releases done in the time there was` : ''}`;
  const met = reactionMs.p95 < goalMs && finished === releases;
  return [{ what: `reaction p95, ${shown(releases)} releases`, goal: `below ${shown(goalMs)} ms`, measured, met }];
}

function callsSection(figures: readonly ReleaseFigure[]): Section {
  const most = (call: string): number => Math.max(...figures.map(({ callsPerBatch }) => callsPerBatch[call] ?? 0));
  const all = [...new Set(figures.flatMap(({ callsPerBatch }) => Object.keys(callsPerBatch)))].toSorted();
  // What comes once in a run, a list or a bookmark, is no part of a batch.
  const calls = all.filter((call) => most(call) >= 0.1);
  return {
    heading: 'Calls for one batch',
    text: [
      'Everything that the program asked of the API server, divided by the batches, and the events of watches that it was sent. The labels of the Pods are one patch for each; lists and watches are opened once for a release.',
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
      'The embedded cluster is one process on a core of its own, the program another on another core. It says of the same run how busy its event loop was, also in the busiest two seconds, how late it came to its timers, and how long it took for a request of ours. It is no bottleneck where its event loop is clearly less busy than one core, and its requests take a small part of the reaction. Two cores of a virtual machine may be one core of the real one: each is then slower while the other works.',
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
