// One source for all checks: identical queries of one moment make one request, and the log says when the source stops to answer.
import type { Clock } from '../kube/api.ts';
import type { Logger } from '../kube/log.ts';
import type { MetricSource, Query, Series, Unknown } from './source.ts';

type Answer = readonly Series[] | Unknown;

/** An answer for others who ask the same. */
interface Kept {
  readonly answer: Promise<Answer>;
  /** Cancels the timer that forgets it. */
  cancel: () => void;
}

const MOMENT_MS = 5_000;
/** Answers that are kept after they came. One has at most 1 MiB of text. */
const MAX_KEPT = 32;
const LOG_EVERY_MS = 60_000;

export class Shared implements MetricSource {
  private readonly source: MetricSource;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly closing = new AbortController();
  private readonly answers = new Map<string, Kept>();
  /** Those of them that came, the oldest first. */
  private readonly came = new Set<string>();
  private isUnknown = false;
  private loggedAt = -Infinity;

  constructor(source: MetricSource, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.source = source;
    this.clock = clock;
    this.logger = logger;
  }

  get hasHistory(): boolean {
    return this.source.hasHistory;
  }

  close(): void {
    this.closing.abort();
    this.source.close();
    for (const key of [...this.answers.keys()]) this.forget(key);
  }

  async range(query: Query, fromMs: number, toMs: number, stepMs: number, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const key = JSON.stringify([query, fromMs, toMs, stepMs]);
    const { answer } = this.answers.get(key) ?? this.keep(key, this.ask(query, fromMs, toMs, stepMs));
    // The request goes on for others who ask the same. Its time is limited.
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', giveUp, { once: true });
      void answer.then((found) => {
        signal.removeEventListener('abort', giveUp);
        resolve(found);
      });
    });
  }

  /** Never rejects. */
  private async ask(query: Query, fromMs: number, toMs: number, stepMs: number): Promise<Answer> {
    try {
      const found = await this.source.range(query, fromMs, toMs, stepMs, this.closing.signal);
      this.log('unknown' in found ? found.unknown : undefined);
      return found;
    } catch (error) {
      if (this.closing.signal.aborted) return { unknown: 'the source was changed or removed' };
      this.logger.error('a metric source failed', { error });
      return { unknown: 'the source failed; the log of Tranche has the error' };
    }
  }

  /**
   * The oldest answer makes room. A request that is on its way does not: the checks of many releases look in the same millisecond, and in any order.
   */
  private keep(key: string, answer: Promise<Answer>): Kept {
    const kept: Kept = { answer, cancel: () => undefined };
    this.answers.set(key, kept);
    void answer.then(() => {
      if (this.answers.get(key) !== kept) return;
      const [oldest] = this.came;
      if (oldest !== undefined && this.came.size >= MAX_KEPT) this.forget(oldest);
      this.came.add(key);
      kept.cancel = this.clock.after(MOMENT_MS, () => this.forget(key));
    });
    return kept;
  }

  private forget(key: string): void {
    this.answers.get(key)?.cancel();
    this.answers.delete(key);
    this.came.delete(key);
  }

  /** At most once a minute, because one query can be Unknown and another one not. */
  private log(why: string | undefined): void {
    const changed = this.isUnknown !== (why !== undefined);
    if (!changed || this.clock.now() - this.loggedAt < LOG_EVERY_MS) return;
    this.isUnknown = why !== undefined;
    this.loggedAt = this.clock.now();
    if (why === undefined) this.logger.info('the metric source answers again');
    else this.logger.warn('the metric source has no answer', { why });
  }
}
