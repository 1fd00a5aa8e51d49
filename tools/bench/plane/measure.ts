// Measures a program on a real control plane: releases, memory, and the costs of doing nothing.
import { median } from '../stats.ts';
import { keepAwake } from '../awake.ts';
import { sample, wakeUpsOf, watch, type Sample } from '../watch.ts';
import { allWrites, ownRequests, type Requests } from './audit.ts';
import { REPLICAS } from './objects.ts';
import type { ReleaseTimes } from './releases.ts';
import { openSite, type Site } from './site.ts';
import type { Subject } from './subject.ts';

type Say = (line: string) => void;

/** One release, or several at once. Medians of the rounds; the times of batches are medians of all batches. */
export interface RunFigure {
  readonly releases: number;
  readonly rounds: number;
  readonly wallMs: number;
  /** What the slowest Pods of the batches did not take. */
  readonly ownMs: number;
  readonly shownMs: number;
  readonly nextMs: number;
  /** Per release, as the others below. */
  readonly ownRequests: number;
  readonly writes: number;
  readonly cpuMs: number;
  readonly requests: Requests;
  /** Highest, of the program. */
  readonly rssBytes: number;
}

/** All per minute. */
export interface IdleFigures {
  readonly cpuMs: number;
  /** The same while other processes of the lowest priority are busy. */
  readonly awakeCpuMs: number;
  /** Of the main thread, if it does most of the work. */
  readonly wakeUps?: number;
}

export interface MainFigures {
  readonly rssNothing: number;
  readonly rssEnrolled: number;
  readonly enrolled: number;
  readonly idle: IdleFigures;
  readonly runs: readonly RunFigure[];
}

/** After enrolling many living Deployments at once. */
export interface EnrolFigures {
  readonly deployments: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly seconds: number;
  /** Requests of the program for each. */
  readonly ownRequests: number;
}

export interface RunOptions {
  readonly releases: number;
  readonly rounds: number;
}

export interface Options {
  readonly bin: string;
  readonly subject: Subject;
  readonly say: Say;
}

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
/** After the start, and after all Rollouts are Healthy. */
const SETTLE_SECONDS = 35;
/** After a release: Events, and what the controllers still do. */
const AFTER_SECONDS = 3;
/** The same times of Pods for each program. */
const SEED = 18;

export interface MainOptions extends Options {
  readonly enrolled: number;
  readonly idleSeconds: number;
  readonly runs: readonly RunOptions[];
}

export async function measureMain(options: MainOptions): Promise<MainFigures> {
  const { bin, subject, say, enrolled, idleSeconds } = options;
  const site = await openSite(bin, subject, SEED);
  try {
    const { pid } = site.program;
    await sleep(SETTLE_SECONDS);
    const rssNothing = sample(pid).rssBytes;
    await site.makeDeployments('app', 0, enrolled, REPLICAS);
    await site.enroll('app', 0, enrolled, REPLICAS);
    say(`nothing: RSS ${mib(rssNothing)}; ${enrolled} Deployments are enrolled`);
    await sleep(SETTLE_SECONDS);
    const perMinute = 60 / idleSeconds;
    const cpuMs = async (): Promise<number> => {
      const before = sample(pid);
      await sleep(idleSeconds);
      return cpuMsBetween(before, sample(pid)) * perMinute;
    };
    const before = wakeUpsOf(pid);
    const alone = await cpuMs();
    const wakeUps = (wakeUpsOf(pid) - before) * perMinute;
    const rssEnrolled = sample(pid).rssBytes;
    const sleepAgain = keepAwake();
    const awakeCpuMs = await cpuMs().finally(sleepAgain);
    const idle: IdleFigures = { cpuMs: alone, awakeCpuMs, ...(subject.hasMainThread && { wakeUps }) };
    const wakeUpsText = idle.wakeUps === undefined ? '' : `${idle.wakeUps.toFixed(0)} wake-ups a minute, `;
    say(
      `idle: RSS ${mib(rssEnrolled)}, ${wakeUpsText}CPU ${alone.toFixed(0)} ms a minute, ` +
        `beside busy processes ${awakeCpuMs.toFixed(0)} ms`,
    );
    const runs: RunFigure[] = [];
    const places = new Places(enrolled);
    for (const run of options.runs) runs.push(await measureRun(site, subject, run, places, say));
    return { rssNothing, rssEnrolled, enrolled, idle, runs };
  } finally {
    await site.stop();
  }
}

/** Which Deployments are released next, and as which version. */
class Places {
  private readonly count: number;
  private next = 0;
  private version = 1;

  constructor(count: number) {
    this.count = count;
  }

  take(releases: number): { from: number; to: number; version: string } {
    if (this.next + releases > this.count) this.next = 0;
    const from = this.next;
    this.next += releases;
    return { from, to: this.next, version: `v${++this.version}` };
  }
}

interface Round {
  readonly times: ReleaseTimes;
  readonly requests: Requests;
  readonly cpuMs: number;
  readonly samples: readonly Sample[];
}

async function measureRun(
  site: Site,
  { own }: Subject,
  { releases, rounds }: RunOptions,
  places: Places,
  say: Say,
): Promise<RunFigure> {
  const all: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const { from, to, version } = places.take(releases);
    const { pid } = site.program;
    site.requests();
    const before = sample(pid);
    const stop = watch(pid, 250);
    const times = await site.release('app', from, to, version);
    await sleep(AFTER_SECONDS);
    const samples = stop();
    const requests = site.requests();
    all.push({ times, requests, cpuMs: cpuMsBetween(before, sample(pid)) / releases, samples });
  }
  const of = (value: (one: Round) => number): number => median(all.map(value));
  const requests = perRelease(
    all.map((one) => one.requests),
    releases,
  );
  const figure: RunFigure = {
    ...{ releases, rounds, requests },
    wallMs: of(({ times }) => times.wallMs),
    ownMs: median(all.flatMap(({ times }) => times.ownMs)),
    shownMs: median(all.flatMap(({ times }) => times.shownMs)),
    nextMs: median(all.flatMap(({ times }) => times.nextMs)),
    ownRequests: of((one) => ownRequests(one.requests, own)) / releases,
    writes: of((one) => allWrites(one.requests)) / releases,
    cpuMs: of(({ cpuMs }) => cpuMs),
    rssBytes: Math.max(...all.flatMap(({ samples }) => samples.map(({ rssBytes }) => rssBytes))),
  };
  say(
    `${releases} at once: ${(figure.wallMs / 1000).toFixed(2)} s (own ${figure.ownMs.toFixed(0)} ms), shown ${figure.shownMs.toFixed(0)} ms, ` +
      `next ${figure.nextMs.toFixed(0)} ms, ${figure.ownRequests.toFixed(1)} own requests, ${figure.writes.toFixed(1)} writes, ` +
      `CPU ${figure.cpuMs.toFixed(0)} ms, RSS ${mib(figure.rssBytes)}`,
  );
  return figure;
}

function perRelease(all: readonly Requests[], releases: number): Requests {
  const names = [...new Set(all.flatMap((requests) => Object.keys(requests)))].toSorted();
  const mean = (name: string): number =>
    all.reduce((sum, requests) => sum + (requests[name] ?? 0), 0) / all.length / releases;
  return Object.fromEntries(names.map((name) => [name, Math.round(mean(name) * 100) / 100]));
}

const cpuMsBetween = (from: Sample, to: Sample): number => (to.cpuSeconds - from.cpuSeconds) * 1000;

export interface EnrolOptions extends Options {
  readonly deployments: number;
  readonly waitSeconds: number;
}

export async function measureEnrolment(options: EnrolOptions): Promise<EnrolFigures> {
  const { bin, subject, say, deployments, waitSeconds } = options;
  const site = await openSite(bin, subject, SEED);
  try {
    await site.makeDeployments('many', 0, deployments, 1);
    await sleep(SETTLE_SECONDS);
    site.requests();
    const stop = watch(site.program.pid, 250);
    const began = performance.now();
    await site.enroll('many', 0, deployments, 1);
    const seconds = (performance.now() - began) / 1000;
    await sleep(waitSeconds);
    const rss = stop().map(({ rssBytes }) => rssBytes);
    const figure: EnrolFigures = {
      ...{ deployments, seconds },
      rssBytes: rss.at(-1)!,
      peakRssBytes: Math.max(...rss),
      ownRequests: ownRequests(site.requests(), subject.own) / deployments,
    };
    say(
      `${deployments} enrolled in ${seconds.toFixed(1)} s: RSS ${mib(figure.rssBytes)}, most ${mib(figure.peakRssBytes)}, ` +
        `${figure.ownRequests.toFixed(1)} own requests each`,
    );
    return figure;
  } finally {
    await site.stop();
  }
}
