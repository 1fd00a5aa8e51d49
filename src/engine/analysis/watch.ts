// What one check has seen of a release so far. Looking live, reading the past again after a restart, and replaying a past release are the same fold.
import type { AnalysisCheck, RatioSpec, Verdict } from '../../api/analysis.ts';
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { KubeObject } from '../../api/types.ts';
import { judgeCondition, startCondition } from './condition.ts';
import {
  knownAtStart,
  lookAt,
  type Counters,
  type Counting,
  type Known,
  type PodFacts,
  type Samples,
  type Seen,
} from './counters.ts';
import type { Counts } from './evidence.ts';
import type { Release, Series } from './query.ts';
import { plural } from '../lib/text.ts';
import { judgeRank, startRank, type RankState } from './rank.ts';
import { evidenceOf, judgeRatio, startRatio, type RatioCheck, type RatioState } from './ratio.ts';
import { judgeValue, startValue, type ValueState, type Valued } from './value.ts';
import type { Judgement } from './verdict.ts';

export const INTERVAL_SECONDS = 30;
export const WARM_UP_SECONDS = 60;
/** A source has the samples of a time only some seconds later. */
const LONGEST_LAG_MS = 10_000;

/** What is judged, by the kind of the check. */
type Judged =
  | {
      readonly kind: 'ratio';
      readonly state: RatioState;
      readonly known: Known | undefined;
      /** Bad requests of each Pod of the new version, and of those without any. */
      readonly badByPod: ReadonlyMap<string, number>;
    }
  | { readonly kind: 'value'; readonly state: ValueState }
  | { readonly kind: 'pods'; readonly state: RankState }
  | { readonly kind: 'condition'; readonly state: Judgement; readonly object?: string };

export interface Watch {
  readonly check: AnalysisCheck;
  readonly release: Release;
  /** Time of the last look, or the start of the release before the first, in milliseconds. */
  readonly lastAt: number;
  readonly judged: Judged;
  /** Set while the source does not answer. */
  readonly blind?: { readonly since: number; readonly why: string };
  readonly unseen: readonly Gap[];
}

/** Looks in a row that showed nothing, because there were no usable data: times of the first and of the last one. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

const GAPS_KEPT = 500;

function withGap(gaps: readonly Gap[], { from, to }: Gap, stepMs: number): readonly Gap[] {
  if (to < from) return gaps;
  const last = gaps.at(-1);
  const joins = last !== undefined && last.to + stepMs >= from;
  return [...(joins ? gaps.slice(0, -1) : gaps), { from: joins ? last.from : from, to }].slice(-GAPS_KEPT);
}

export function startWatch(check: AnalysisCheck, release: Release): Watch {
  const at = release.startedAt;
  return { check, release, lastAt: at, judged: judgedAtStart(), unseen: [] };

  function judgedAtStart(): Judged {
    if (check.ratio !== undefined) {
      const state = startRatio(ratioOf(check.ratio), at);
      return { kind: 'ratio', state, known: undefined, badByPod: new Map() };
    }
    if (check.value !== undefined) return { kind: 'value', state: startValue(at) };
    if (check.pods !== undefined) return { kind: 'pods', state: startRank(at) };
    return { kind: 'condition', state: startCondition(at) };
  }
}

export const intervalMs = ({ intervalSeconds = INTERVAL_SECONDS }: AnalysisCheck): number => intervalSeconds * 1000;
export const lagMs = (check: AnalysisCheck): number => Math.min(LONGEST_LAG_MS, intervalMs(check) / 3);

/** When the next look can be read, in milliseconds. */
export const nextReadAt = ({ check, lastAt }: Watch): number => lastAt + intervalMs(check) + lagMs(check);

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

/** The looks that can be read now, `most` of them at a time. A ratio needs the counters at the start of the release, too. Undefined if there are none. */
export function dueRange({ check, release, lastAt, judged }: Watch, now: number, most: number): Range | undefined {
  const stepMs = intervalMs(check);
  const looks = Math.min(most, Math.floor((now - lagMs(check) - lastAt) / stepMs));
  if (looks < 1) return undefined;
  const first = judged.kind === 'ratio' && judged.known === undefined;
  return { fromMs: first ? release.startedAt : lastAt + stepMs, toMs: lastAt + looks * stepMs, stepMs };
}

/** The source did not answer. The looks are read when it answers again, or they are lost if it has no past. */
export function miss(watch: Watch, why: string, at: number, lostUntil?: number): Watch {
  const { blind, lastAt, unseen } = watch;
  const stepMs = intervalMs(watch.check);
  const lost = { from: lastAt + stepMs, to: lostUntil ?? lastAt };
  return {
    ...watch,
    lastAt: lost.to,
    blind: { since: blind?.since ?? at, why },
    unseen: withGap(unseen, lost, stepMs),
  };
}

/**
 * The watch after these looks. Looks before the range are lost: a source without a past has only the last one. `answers`: in the order of the queries. `pods`: the Pods of both versions that exist now.
 */
export function see(
  watch: Watch,
  range: Range,
  answers: readonly (readonly Series[])[],
  pods: readonly PodFacts[],
): Watch {
  const { blind: _, ...rest } = watch;
  const times: number[] = [];
  for (let at = Math.max(range.fromMs, watch.lastAt + range.stepMs); at <= range.toMs; at += range.stepMs)
    times.push(at);
  const { stepMs } = range;
  const unseen: number[] = [];
  const judged = judgedAt();
  const lost = { from: watch.lastAt + stepMs, to: range.fromMs - stepMs };
  const gaps = [lost, ...unseen.map((at) => ({ from: at, to: at }))];
  return {
    ...rest,
    lastAt: range.toMs,
    judged,
    unseen: gaps.reduce((all, gap) => withGap(all, gap, stepMs), watch.unseen),
  };

  function judgedAt(): Judged {
    const { judged, check } = watch;
    switch (judged.kind) {
      case 'ratio':
        return judgeCounters(watch, judged, answers, pods, times, unseen);
      case 'value':
        return {
          kind: 'value',
          state: times.reduce((state, at) => {
            const value = valueAt(answers[0] ?? [], at);
            if ('unknown' in value) unseen.push(at);
            return judgeValue(check.value!, state, value);
          }, judged.state),
        };
      case 'pods': {
        const old = olderThan(pods, range.toMs - warmUpMs(check));
        const values = (arm: PodFacts['arm']): number[] =>
          (answers[0] ?? []).flatMap(({ pod, samples }) =>
            pod !== undefined && old.get(pod) === arm ? [...samples.values()].slice(-1) : [],
          );
        const [fresh, stable] = [values('fresh'), values('stable')];
        // Pods that are warming up are not missing, and in the end no stable Pod is left.
        const hasOld = (arm: PodFacts['arm']): boolean => pods.some((pod) => pod.arm === arm && old.has(pod.name));
        const waits = (fresh.length === 0 && !hasOld('fresh')) || (stable.length === 0 && !hasOld('stable'));
        const at = { at: range.toMs, fresh, stable };
        return waits ? judged : { kind: 'pods', state: judgeRank(check.pods!.timesStable, judged.state, at) };
      }
      case 'condition':
        return judged;
    }
  }
}

/** The watch of a condition after a look at the newest object of the release. Undefined if there is none. */
export function seeObject(watch: Watch, object: KubeObject | undefined, at: number): Watch {
  const { blind: _, ...rest } = watch;
  const stepMs = intervalMs(watch.check);
  const unseen = withGap(watch.unseen, { from: watch.lastAt + stepMs, to: object ? at - stepMs : at }, stepMs);
  if (watch.judged.kind !== 'condition') return watch;
  const state = judgeCondition(watch.check.condition!, watch.judged.state, object, at);
  const name = object?.metadata.name;
  return {
    ...rest,
    lastAt: at,
    unseen,
    judged: { kind: 'condition', state, ...(name === undefined ? {} : { object: name }) },
  };
}

/** How long a Pod warms up before it counts, in milliseconds. */
export const warmUpMs = ({ ratio, pods, warmUpSeconds = WARM_UP_SECONDS }: AnalysisCheck): number =>
  ratio === undefined && pods === undefined ? 0 : warmUpSeconds * 1000;

const olderThan = (pods: readonly PodFacts[], at: number): ReadonlyMap<string, PodFacts['arm']> =>
  new Map(pods.filter(({ createdAt }) => createdAt <= at).map(({ name, arm }) => [name, arm]));

const percentOf = (text: string): number => Number(text.slice(0, -1)) / 100;

const ratioOf = ({ limit, timesStable, fineBelowTimesStable }: RatioSpec): RatioCheck => ({
  ...(limit === undefined ? {} : { limit: percentOf(limit) }),
  ...(timesStable === undefined ? {} : { timesStable }),
  ...(fineBelowTimesStable === undefined ? {} : { fineBelowTimesStable }),
});

function judgeCounters(
  { check, release, lastAt }: Watch,
  judged: Judged & { readonly kind: 'ratio' },
  answers: readonly (readonly Series[])[],
  pods: readonly PodFacts[],
  times: readonly number[],
  unseen: number[],
): Judged {
  const counters = countersOf(check.ratio!, answers);
  const counting: Counting = {
    startedAt: release.startedAt,
    warmUpMs: warmUpMs(check),
    comparesStable: check.ratio!.timesStable !== undefined,
  };
  const all = [...pods, ...gonePods(counters, pods, judged.known ?? new Map(), release, lastAt)];
  let known = judged.known ?? knownAtStart(counting, counters, all);
  const badByPod = new Map(judged.badByPod);
  const looks = times.map((at): Seen => {
    const look = lookAt(counting, known, counters, all, at);
    known = look.known;
    if ('unknown' in look.seen) unseen.push(at);
    if ('byPod' in look.seen)
      for (const [name, { bad }] of look.seen.byPod) badByPod.set(name, (badByPod.get(name) ?? 0) + bad);
    return look.seen;
  });
  return {
    kind: 'ratio',
    state: judgeRatio(ratioOf(check.ratio!), release.ratioChecks, judged.state, looks),
    known,
    badByPod,
  };
}

/** Pods that are gone and that a check keeps. Their names come from the source, so anybody who writes series can invent more. */
const MOST_GONE = 2_000;

/**
 * Pods that are gone and that this process has never seen. The name of a Pod begins with its ReplicaSet's, unless that is long. They are taken as
 * created just before their first sample; for a Pod of the stable version, that is the start of the release.
 */
function gonePods(
  { total }: Counters,
  pods: readonly PodFacts[],
  known: Known,
  { workload, revision, stableRevision, startedAt }: Release,
  lastAt: number,
): PodFacts[] {
  const names = new Set(pods.map(({ name }) => name));
  const prefixOf = (hash: string): string => `${workload}-${hash}-`;
  const [fresh, stable] = [prefixOf(revision), prefixOf(stableRevision)];
  // The API server cuts generated names before their random end.
  if (Math.max(fresh.length, stable.length) > 58) return [];
  const gone = [...total].flatMap(([name, samples]): PodFacts[] => {
    if (names.has(name) || known.has(name) || !isName(SUBDOMAIN_NAME, name)) return [];
    // The same version may have been released before. What its Pods did then does not count.
    const bornAt = samples.has(startedAt) ? startedAt - 1 : Math.max(startedAt, earliest(samples, lastAt));
    if (name.startsWith(fresh)) return [{ name, arm: 'fresh', createdAt: bornAt }];
    return name.startsWith(stable) ? [{ name, arm: 'stable', createdAt: startedAt - 1 }] : [];
  });
  return gone.slice(0, Math.max(0, MOST_GONE - known.size));
}

const earliest = (samples: Samples, lastAt: number): number =>
  Math.max(lastAt, [...samples.keys()].reduce((first, at) => Math.min(first, at), Infinity) - 1);

/** Counters of all and of bad requests. With slowerThan, the second answer has the fast ones. */
function countersOf({ slowerThan }: RatioSpec, [total = [], other = []]: readonly (readonly Series[])[]): Counters {
  const all = byPod(total);
  const second = byPod(other);
  if (slowerThan === undefined) return { total: all, bad: second };
  const bad = new Map(
    [...all].map(([name, samples]) => [
      name,
      // Without the bucket, NaN: the look is Unknown.
      new Map([...samples].map(([at, count]) => [at, count - (second.get(name)?.get(at) ?? (count === 0 ? 0 : NaN))])),
    ]),
  );
  return { total: all, bad };
}

const byPod = (series: readonly Series[]): ReadonlyMap<string, Samples> =>
  new Map(series.flatMap(({ pod, samples }) => (pod === undefined ? [] : [[pod, samples] as const])));

function valueAt(series: readonly Series[], at: number): Valued {
  const [one, another] = series;
  if (another !== undefined)
    return { at, unknown: `the query returned ${series.length} series, and a check needs one: use sum() or max()` };
  const value = one?.samples.get(at);
  return value === undefined ? { at, unknown: 'the query returned nothing' } : { at, value };
}

/** What a check says, for the engine. */
export interface Finding {
  readonly name: string;
  /** What was watched: the check and the release as they were then. */
  readonly check: AnalysisCheck;
  readonly release: Release;
  readonly verdict: Verdict;
  /** Milliseconds since the epoch: the first look with this verdict, in a row. */
  readonly since: number;
  /** In words, with numbers. */
  readonly message: string;
  readonly fresh?: Counts;
  readonly stable?: Counts;
  readonly evidence?: number;
  readonly alarm?: number;
  /** The one Pod, of three and more, that had nearly all bad requests. */
  readonly onePod?: string;
  /** Time of the last look. */
  readonly lastAt: number;
  readonly unseen: readonly Gap[];
}

/** Share of the bad requests above which one Pod is the reason, and number of Pods from which on that is said. */
const NEARLY_ALL = 0.8;
const SOME_PODS = 3;

export function findingOf(watch: Watch): Finding {
  const { check, release, judged, blind, lastAt } = watch;
  const { state } = judged;
  const { name } = check;
  const isBlind = blind !== undefined && state.verdict !== 'Worse';
  const verdict = isBlind ? 'Unknown' : state.verdict;
  const said = {
    name,
    check,
    release,
    verdict,
    since: isBlind ? blind.since : state.since,
    message: wordsOf(watch),
    lastAt,
    unseen: watch.unseen,
  };
  if (judged.kind !== 'ratio') return said;
  const { fresh, stable } = judged.state;
  const { evidence, alarm } = evidenceOf(ratioOf(check.ratio!), watch.release.ratioChecks, judged.state);
  const onePod = onePodOf(judged.badByPod);
  return { ...said, fresh, stable, evidence, alarm, ...(onePod === undefined ? {} : { onePod }) };
}

function onePodOf(badByPod: ReadonlyMap<string, number>): string | undefined {
  if (badByPod.size < SOME_PODS) return undefined;
  const all = [...badByPod.values()].reduce((total, bad) => total + bad, 0);
  return [...badByPod].find(([, bad]) => bad > 0 && bad >= NEARLY_ALL * all)?.[0];
}

/** The last look in words, or why there is none. */
function wordsOf({ check, judged, blind }: Watch): string {
  const { state } = judged;
  if (state.verdict !== 'Worse') {
    if (blind !== undefined) return blind.why;
    if (state.why !== undefined) return state.why;
  }
  switch (judged.kind) {
    case 'ratio': {
      const { fresh, stable } = judged.state;
      const compared = check.ratio!.timesStable === undefined ? '' : `; stable version: ${countsOf(stable)}`;
      return `new version: ${countsOf(fresh)}${compared}`;
    }
    case 'value':
      return valueWords(check, judged.state);
    case 'pods': {
      const { resource, metric = resource ?? '', timesStable } = check.pods!;
      const { higher } = judged.state;
      return higher > 0
        ? `${metric} of the new Pods is above ${timesStable} times that of the stable Pods, for ${plural(higher, 'look')}`
        : `no difference shown: ${metric} of the new Pods is not above ${timesStable} times that of the stable Pods`;
    }
    case 'condition': {
      const { kind, ok, failed } = check.condition!;
      const { object } = judged;
      if (object === undefined) return `no ${kind} has been looked for yet`;
      if (state.verdict === 'Worse') return `${kind} ${object} has the condition ${failed}`;
      return state.verdict === 'Fine' ? `${kind} ${object} has the condition ${ok}` : `${kind} ${object} is not done`;
    }
  }
}

/** `12 of 480 requests bad (2.5 %)` */
export function countsOf({ total, bad }: Counts): string {
  if (total === 0) return 'no requests';
  const share = (100 * bad) / total;
  const percent = bad === 0 ? '' : ` (${share < 0.01 ? '<0.01' : Number(share.toPrecision(2))} %)`;
  return `${bad} of ${total === 1 ? '1 request' : `${total} requests`} bad${percent}`;
}

function valueWords({ value }: AnalysisCheck, { last, bad }: ValueState): string {
  if (last === undefined) return 'no value yet';
  const { min, max, failures = 3 } = value!;
  const limits = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`];
  const must = limits.filter((one) => one !== '').join(' and ');
  return `the value is ${Number(last.toPrecision(6))}, and must be ${must}${bad > 0 ? ` (${Math.min(bad, failures)} of ${failures} bad values in a row)` : ''}`;
}
