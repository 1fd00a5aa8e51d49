// Judges releases and halves of the past for `kubectl tranche analyze`, as plain data.
import type { AnalysisCheck, Verdict } from '../../api/analysis.ts';
import { CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH } from '../../api/keys.ts';
import type { Deployment, Pod, Rollout } from '../../api/types.ts';
import type { Counts } from '../../engine/analysis/evidence.ts';
import type { PodFacts } from '../../engine/analysis/counters.ts';
import type { Release } from '../../engine/analysis/query.ts';
import { lagMs } from '../../engine/analysis/watch.ts';
import { replicasOf } from '../../engine/lib/replicas.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { alarms, halve, randomStart, seeded, shareBetween, tolerating, TOLERANCES, WANTED } from './halves.ts';
import { quietTimes, stepAt, type PastRelease } from './past.ts';
import { firstSample, readInterval, replay, type Moment } from './replay.ts';
import type { Sources } from './sources.ts';

/** What is judged, and with what. */
export interface Bench {
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
  readonly pods: readonly Pod[];
  readonly checks: readonly AnalysisCheck[];
  readonly sources: Sources;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** All times are in milliseconds since the epoch. */
export interface JudgedCheck {
  readonly name: string;
  readonly verdict: Verdict;
  readonly since: number;
  readonly message: string;
  readonly source: string | undefined;
  /** What the check said in the release itself. Undefined if it is not recorded. */
  readonly said: Verdict | undefined;
  /** The step in which it became Worse. */
  readonly step: number | undefined;
  readonly fresh?: Counts;
  readonly stable?: Counts;
  readonly evidence?: number;
  readonly alarm?: number;
  readonly onePod?: string;
  /** About the first sample that the source has. Only if it is later than the start of the release. */
  readonly firstSample?: number;
  readonly moments: readonly Moment[];
}

export interface JudgedRelease {
  readonly past: PastRelease;
  readonly checks: readonly JudgedCheck[];
  /** The first check that was Worse. */
  readonly stoppedBy: JudgedCheck | undefined;
}

/** Rejects if the signal is aborted. */
export async function judgeRelease(bench: Bench, past: PastRelease): Promise<JudgedRelease> {
  const checks: JudgedCheck[] = [];
  for (const check of bench.checks) checks.push(await judgeCheck(bench, past, check));
  const worse = checks.filter(({ verdict }) => verdict === 'Worse').toSorted((a, b) => a.since - b.since);
  return { past, checks, stoppedBy: worse[0] };
}

async function judgeCheck(bench: Bench, past: PastRelease, check: AnalysisCheck): Promise<JudgedCheck> {
  const { release, endedAt = Infinity } = past;
  const { now, signal } = bench;
  const reached = await bench.sources.of(check, release.namespace);
  const said = Object.hasOwn(past.said, check.name) ? past.said[check.name] : undefined;
  const unknown = {
    name: check.name,
    verdict: 'Unknown',
    since: release.startedAt,
    said,
    step: undefined,
    moments: [],
  } as const;
  if ('unknown' in reached) return { ...unknown, source: undefined, message: reached.unknown };
  const { source, title, podLabel } = reached;
  const until = Math.min(endedAt, now - lagMs(check));
  const pods = podFactsOf(bench.pods, release);
  const asked = { source, check, release, until, pods, podsAtOnce: podsAtOnce(bench), signal };
  const { finding, moments, hadSamples } = await replay(asked);
  const { lastAt: _, unseen: __, check: ___, release: ____, ...found } = finding;
  const message = finding.message + cutNames(release);
  const judged = { ...found, message, said, source: title, moments };
  const first = moments.length === 0 ? undefined : await firstSample(asked, podLabel, now);
  const late = first !== undefined && first > release.startedAt + A_STEP_OF_REACH ? { firstSample: first } : {};
  if (moments.length > 0 && !hadSamples)
    return {
      ...judged,
      ...late,
      verdict: 'Unknown',
      step: undefined,
      message: `the source has no samples of this time`,
    };
  return { ...judged, ...late, step: finding.verdict === 'Worse' ? stepAt(past, finding.since) : undefined };
}

/** Longer names are cut before their random end, so that they do not tell the version. */
const LONGEST_PREFIX = 58;

/** A revision with the name of the workload is that of a StatefulSet or a similar kind, whose Pods have no hash in their names. */
const cutNames = ({ workload, revision, stableRevision }: Release): string =>
  revision.startsWith(`${workload}-`) ||
  `${workload}-${revision.length > stableRevision.length ? revision : stableRevision}-`.length > LONGEST_PREFIX
    ? '; only Pods that still exist count, because the names of others do not tell their version'
    : '';

/** The time of the first sample is known to a quarter of an hour. */
const A_STEP_OF_REACH = 15 * 60_000;

const podsAtOnce = ({ deployment }: Bench): number => 2 * (deployment === undefined ? 10 : replicasOf(deployment)) + 10;

/** The Pods that exist now and are of one of both versions. */
export function podFactsOf(pods: readonly Pod[], { revision, stableRevision }: Release): PodFacts[] {
  return pods.flatMap(({ metadata }): PodFacts[] => {
    const hash = metadata.labels?.[POD_TEMPLATE_HASH] ?? metadata.labels?.[CONTROLLER_REVISION_HASH];
    const createdAt = parseTime(metadata.creationTimestamp);
    if (!hash || createdAt === undefined || (hash !== revision && hash !== stableRevision)) return [];
    return [{ name: metadata.name, arm: hash === revision ? 'fresh' : 'stable', createdAt }];
  });
}

export interface HalvesOptions {
  readonly trials: number;
  readonly seed: number;
  readonly lengthMs: number;
}

/** The false alarms of one check. */
export interface JudgedHalves {
  readonly name: string;
  /** Why there is no result. */
  readonly unknown?: string;
  readonly source?: string;
  readonly firstSample?: number;
  /** Trials with samples of at least two Pods, and all trials. */
  readonly trials: number;
  readonly asked: number;
  readonly alarms: number;
  /** 95 % interval of the share of alarms, from 0 to 1. */
  readonly low: number;
  readonly high: number;
  /** Alarms with other values of timesStable. Empty for a check that does not compare. */
  readonly tolerances: readonly { readonly timesStable: number; readonly alarms: number }[];
  /** The smallest of these values with few enough alarms. */
  readonly enough?: number;
}

/** Trials at the same time. */
const AT_ONCE = 4;

export async function judgeHalves(
  bench: Bench,
  check: AnalysisCheck,
  releases: readonly PastRelease[],
  { trials, seed, lengthMs }: HalvesOptions,
): Promise<JudgedHalves> {
  const { now, signal, rollout } = bench;
  const none = { name: check.name, trials: 0, asked: trials, alarms: 0, low: 0, high: 1, tolerances: [] };
  if (check.ratio === undefined) return { ...none, unknown: 'only a check with ratio compares versions by counts' };
  const { namespace = 'default' } = rollout.metadata;
  const reached = await bench.sources.of(check, namespace);
  if ('unknown' in reached) return { ...none, unknown: reached.unknown };
  const { source, title, podLabel } = reached;
  const anywhere: Release = {
    namespace,
    workload: rollout.spec.workloadRef.name,
    pods: '',
    rolloutID: '',
    revision: '',
    stableRevision: '',
    startedAt: now,
    ratioChecks: Math.max(1, bench.checks.filter(({ ratio }) => ratio !== undefined).length),
  };
  const first = await firstSample({ source, check, release: anywhere, signal }, podLabel, now);
  const found = { ...none, source: title, ...(first !== undefined && { firstSample: first }) };
  if (first === undefined) return { ...found, unknown: 'the source has no samples of Pods of this workload' };
  const quiet = quietTimes(releases, first, now - lagMs(check));
  const random = seeded(seed);
  const starts = Array.from({ length: trials }, () => randomStart(quiet, lengthMs, random));
  if (starts.includes(undefined))
    return {
      ...found,
      unknown: `there is no time of ${lengthMs / 60_000} minutes without a release since the first sample`,
    };
  const compares = check.ratio.timesStable !== undefined;
  const variants = [check, ...(compares ? TOLERANCES.map((times) => tolerating(check, times)) : [])];
  const hits = variants.map(() => 0);
  let counted = 0;
  let unknown: string | undefined;
  const trial = async (index: number): Promise<void> => {
    const { startedAt, revision } = starts[index]!;
    const release = { ...anywhere, startedAt };
    const until = startedAt + lengthMs;
    const answers = await readInterval({ source, check, release, until, podsAtOnce: podsAtOnce(bench), signal });
    if ('unknown' in answers) return void (unknown = answers.unknown);
    // Each trial has random numbers of its own: answers come in any order.
    const pods = halve(answers[0] ?? [], release, revision, seeded(seed + index + 1));
    if (pods === undefined) return;
    counted += 1;
    variants.forEach((variant, at) => (hits[at]! += alarms(variant, release, answers, pods, until) ? 1 : 0));
  };
  for (let index = 0; index < trials && unknown === undefined; index += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, trials - index) }, (_, one) => trial(index + one)));
  if (unknown !== undefined) return { ...found, unknown };
  if (counted === 0) return { ...found, unknown: 'no trial had samples of two Pods' };
  const tolerances = variants
    .slice(1)
    .map(({ ratio }, at) => ({ timesStable: ratio!.timesStable!, alarms: hits[at + 1]! }));
  const enough = tolerances.find((one) => one.alarms / counted <= WANTED)?.timesStable;
  return {
    ...found,
    trials: counted,
    alarms: hits[0]!,
    ...shareBetween(hits[0]!, counted),
    tolerances,
    ...(enough !== undefined && { enough }),
  };
}
