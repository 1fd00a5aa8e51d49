// A source of metrics in virtual time: the requests of all Pods of a world, and what can go wrong with a source.
import type { Query, Series, Unknown } from '../../src/engine/analysis/query.ts';
import { parseTime } from '../../src/engine/lib/time.ts';
import type { MetricSource, MetricSources } from '../../src/metric-sources/source.ts';
import { NAME, type World } from './world.ts';

interface Traffic {
  readonly pod: string;
  readonly createdAt: number;
  /** Share of bad requests. */
  readonly share: number;
  endedAt: number | undefined;
}

/** What a source does with one question. `lie`: numbers that cannot be. */
export type Trouble = 'down' | 'hang' | 'lie' | 'empty' | 'nan';

const PER_SECOND = 10;
/** A Pod has no series before its first scrape, and its series ends a while after it. */
const SCRAPE_MS = 5_000;
const STALE_MS = 10_000;
const GIVE_UP_MS = 10_000;

/** `v2-bad20` fails 20 % of its requests; other versions fail one in a thousand. */
const shareOf = (image: string): number => Number(/-bad(\d+)/.exec(image)?.[1] ?? 0.1) / 100;

export class SimulatedMetrics implements MetricSource, MetricSources {
  readonly hasHistory = true;
  /** Number of questions. */
  asked = 0;
  /** Questions at the moment. */
  trouble: (at: number) => Trouble | undefined = () => undefined;
  private readonly world: World;
  /** By uid: a Pod of a StatefulSet has the name of the one before it. */
  private readonly pods = new Map<string, Traffic>();
  readonly end: () => void;

  constructor(world: World) {
    this.world = world;
    this.end = world.virtual.observe(() => this.notice());
  }

  get(): MetricSource {
    return this;
  }
  close(): void {}

  async range(
    query: Query,
    fromMs: number,
    toMs: number,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly Series[] | Unknown> {
    this.asked += 1;
    const { clock } = this.world.virtual;
    const trouble = this.trouble(clock.now());
    await new Promise<void>((resolve) => clock.after(trouble === 'hang' ? GIVE_UP_MS : 20, resolve));
    signal.throwIfAborted();
    if (trouble === 'down') return { unknown: 'connection refused' };
    if (trouble === 'hang') return { unknown: 'no answer within 10 seconds' };
    if (trouble === 'empty' || query.kind !== 'Counters') return [];
    const bad = query.selector.includes('bad');
    const named = new Map<string, Map<number, number>>();
    for (const traffic of this.pods.values()) {
      const samples = named.get(traffic.pod) ?? new Map<number, number>();
      named.set(traffic.pod, samples);
      for (let at = fromMs; at <= toMs; at += stepMs) {
        const { createdAt, endedAt = Infinity, share } = traffic;
        if (at < createdAt + SCRAPE_MS || at > endedAt + STALE_MS) continue;
        const requests = Math.floor((PER_SECOND * (Math.min(at, endedAt) - createdAt)) / 1000);
        const value = bad ? Math.floor(requests * share) : requests;
        // A counter of bad requests exists from the first one on.
        if (bad && value === 0) continue;
        samples.set(at, trouble === 'nan' ? NaN : trouble === 'lie' ? (bad ? value + 1e6 : -value) : value);
      }
    }
    return [...named].flatMap(([pod, samples]) => (samples.size > 0 ? [{ pod, samples }] : []));
  }

  private notice(): void {
    const living = new Set<string>();
    for (const pod of this.world.virtual.pods()) {
      const { name, uid = '', creationTimestamp } = pod.metadata;
      living.add(uid);
      if (this.pods.has(uid) || !name.startsWith(`${NAME}-`)) continue;
      const [container] = (pod['spec'] as { containers: { image: string }[] }).containers;
      const createdAt = parseTime(creationTimestamp) ?? this.world.now;
      this.pods.set(uid, { pod: name, createdAt, share: shareOf(container?.image ?? ''), endedAt: undefined });
    }
    for (const [uid, traffic] of this.pods) if (!living.has(uid)) traffic.endedAt ??= this.world.now;
  }
}
