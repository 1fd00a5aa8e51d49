// The evidence of the checks of releases in motion: asks the sources at each look, and wakes the release. No source delays a decision.
import type { AnalysisCheck, ConditionSpec } from '../api/analysis.ts';
import type { KubeObject } from '../api/types.ts';
import type { PodFacts } from '../engine/analysis/counters.ts';
import { queriesOf, type Query, type Release, type Series, type Unknown } from '../engine/analysis/query.ts';
import {
  dueRange,
  findingOf,
  intervalMs,
  miss,
  nextReadAt,
  see,
  seeObject,
  startWatch,
  type Finding,
  type Range,
  type Watch,
} from '../engine/analysis/watch.ts';
import type { EvidenceAsk } from '../engine/decision.ts';
import type { Clock } from '../kube/api.ts';
import { KUBERNETES_SOURCE, type MetricSources } from '../metric-sources/source.ts';

/** An object that a pipeline made for a release. */
export interface ReleaseObject extends Pick<ConditionSpec, 'apiVersion' | 'kind'> {
  readonly namespace: string;
  readonly rolloutID: string;
}

export interface EvidenceDeps {
  readonly sources: MetricSources;
  /** The newest object of a release. Rejects only if the signal is aborted. */
  readonly findObject: (of: ReleaseObject, signal: AbortSignal) => Promise<KubeObject | undefined | Unknown>;
  readonly clock: Clock;
  readonly wake: (key: string) => void;
  readonly metrics?: {
    /** A check looked at its source. Results: seen, unknown. */
    look(result: string): void;
  };
}

/** One check of one release. */
interface CheckWatch {
  /** The check as text. A changed check starts again. */
  readonly text: string;
  watch: Watch;
  finding: Finding | undefined;
  cancel: () => void;
  readonly abort: AbortController;
  /** Looks that are asked for at a time. Fewer after a failure: the answer may have been too long, or may have taken too long. */
  most: number;
}

interface OpenRelease {
  readonly text: string;
  readonly checks: Map<string, CheckWatch>;
  pods: readonly PodFacts[];
}

/** Sizes in an answer, in bytes: of a series without its samples (the name of a Pod has up to 63), and of a sample. An answer has at most 1 MiB. */
const SERIES_BYTES = 100;
const SAMPLE_BYTES = 24;
/** Half of it is for Pods that are gone. Judging so much takes some 25 ms, in which the program does nothing else. */
const ANSWER_BYTES = 500_000;
const MOST_LOOKS = 500;

/** How many looks one question can be about if the workload has so many Pods. The first answer also has the start of the release. */
export function mostLooks(pods: number): number {
  const samples = (ANSWER_BYTES / Math.max(1, pods) - SERIES_BYTES) / SAMPLE_BYTES;
  return Math.min(MOST_LOOKS, Math.max(1, Math.floor(samples) - 1));
}

export class EvidenceWatches {
  private readonly deps: EvidenceDeps;
  private readonly releases = new Map<string, OpenRelease>();

  constructor(deps: EvidenceDeps) {
    this.deps = deps;
  }

  /** Watches these checks of this release, and nothing else for the key. */
  open(key: string, { release, checks, pods }: EvidenceAsk): void {
    const text = JSON.stringify(release);
    if (this.releases.get(key)?.text !== text) this.close(key);
    const open = this.releases.get(key) ?? { text, checks: new Map<string, CheckWatch>(), pods };
    open.pods = pods;
    this.releases.set(key, open);
    const wanted = new Map(checks.map((check) => [check.name, check]));
    for (const [name, { text: known }] of open.checks)
      if (known !== JSON.stringify(wanted.get(name))) this.end(open, name);
    for (const check of wanted.values()) if (!open.checks.has(check.name)) this.begin(key, open, check, release);
  }

  /** What the checks that were read say. Undefined if nothing is watched for the key. */
  get(key: string): readonly Finding[] | undefined {
    const open = this.releases.get(key);
    return open && [...open.checks.values()].map(({ finding }) => finding).filter((one) => one !== undefined);
  }

  /** All checks that were read, for metrics. */
  *checks(): Generator<{ readonly namespace: string; readonly verdict: string }> {
    for (const { checks } of this.releases.values())
      for (const { watch, finding } of checks.values())
        if (finding) yield { namespace: watch.release.namespace, verdict: finding.verdict };
  }

  close(key: string): void {
    const open = this.releases.get(key);
    this.releases.delete(key);
    for (const name of [...(open?.checks.keys() ?? [])]) this.end(open!, name);
  }

  closeAll(): void {
    for (const key of [...this.releases.keys()]) this.close(key);
  }

  private begin(key: string, open: OpenRelease, check: AnalysisCheck, release: Release): void {
    const one: CheckWatch = {
      text: JSON.stringify(check),
      watch: startWatch(check, release),
      finding: undefined,
      cancel: () => undefined,
      abort: new AbortController(),
      most: MOST_LOOKS,
    };
    open.checks.set(check.name, one);
    void this.look(key, open, one);
  }

  private end({ checks }: OpenRelease, name: string): void {
    const one = checks.get(name);
    checks.delete(name);
    one?.cancel();
    one?.abort.abort();
  }

  /** Reads the looks that are due, and comes back for the next one. */
  private async look(key: string, open: OpenRelease, one: CheckWatch): Promise<void> {
    const { clock, wake } = this.deps;
    const { signal } = one.abort;
    let answered = true;
    for (;;) {
      const range = dueRange(one.watch, clock.now(), Math.min(mostLooks(open.pods.length), one.most));
      if (range === undefined || !answered) break;
      const next = await this.read(one.watch, range, open, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.deps.metrics?.look(next?.blind === undefined ? 'seen' : 'unknown');
      answered = next !== undefined && next.blind === undefined;
      const looks = (range.toMs - one.watch.lastAt) / range.stepMs;
      one.most = answered ? Math.min(2 * one.most, MOST_LOOKS) : Math.max(1, Math.floor(looks / 4));
      if (next !== undefined) one.watch = next;
    }
    one.finding = findingOf(one.watch);
    wake(key);
    const wait = answered ? nextReadAt(one.watch) - clock.now() : intervalMs(one.watch.check);
    one.cancel = clock.after(Math.max(0, wait), () => void this.look(key, open, one));
  }

  private async read(watch: Watch, range: Range, open: OpenRelease, signal: AbortSignal): Promise<Watch> {
    const { sources, findObject, clock } = this.deps;
    const { check, release } = watch;
    // Without a past, there is one look: the same value must not count as several looks in a row.
    const last = dueRange(watch, clock.now(), Infinity) ?? range;
    if (check.condition !== undefined) {
      const object = await findObject({ ...check.condition, ...release }, signal);
      return object !== undefined && 'unknown' in object
        ? miss(watch, object.unknown, clock.now(), last.toMs)
        : seeObject(watch, object, last.toMs);
    }
    const queries = queriesOf(check, release);
    const source = sources.get(sourceOf(check), release.namespace);
    if ('unknown' in source) return miss(watch, source.unknown, clock.now());
    const { hasHistory } = source;
    const asked = hasHistory ? range : { ...last, fromMs: last.toMs };
    const answers = await Promise.all(
      queries.map((query: Query) => source.range(query, asked.fromMs, asked.toMs, asked.stepMs, signal)),
    );
    const unknown = answers.find((answer): answer is Unknown => 'unknown' in answer);
    return unknown === undefined
      ? see(watch, asked, answers as (readonly Series[])[], open.pods)
      : miss(watch, unknown.unknown, clock.now(), hasHistory ? undefined : last.toMs);
  }
}

/** Checks of the APIs of Kubernetes need no name of a source. */
export const sourceOf = ({ source, pods, value }: AnalysisCheck): string | undefined =>
  pods !== undefined || value?.external !== undefined ? KUBERNETES_SOURCE : source;
