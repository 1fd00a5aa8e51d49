// Counts the requests of one container, and writes them in Prometheus' text format.

export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The rate of requests is that of the last full window. */
const WINDOW_MS = 15_000;

export class Requests {
  private readonly codes = new Map<number, number>();
  /** Not cumulative. The last one is for slower requests. */
  private readonly buckets = new Array<number>(BUCKETS.length + 1).fill(0);
  private seconds = 0;
  private total = 0;
  private window = { startedAt: 0, before: 0, now: 0 };

  add(code: number, ms: number, nowMs: number): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    const seconds = ms / 1000;
    const found = BUCKETS.findIndex((bucket) => seconds <= bucket);
    this.buckets[found < 0 ? BUCKETS.length : found]! += 1;
    this.seconds += seconds;
    this.total += 1;
    this.turn(nowMs);
    this.window.now += 1;
  }

  perSecond(nowMs: number): number {
    this.turn(nowMs);
    return this.window.before / (WINDOW_MS / 1000);
  }

  private turn(nowMs: number): void {
    const passed = Math.floor((nowMs - this.window.startedAt) / WINDOW_MS);
    if (passed <= 0) return;
    const startedAt = this.window.startedAt + passed * WINDOW_MS;
    this.window = { startedAt, before: passed === 1 ? this.window.now : 0, now: 0 };
  }

  text(memoryBytes: number): string {
    let count = 0;
    const cumulative = this.buckets.map((each) => (count += each));
    return [
      '# HELP http_requests_total Requests by status code.',
      '# TYPE http_requests_total counter',
      ...[...this.codes].sort().map(([code, value]) => `http_requests_total{code="${code}"} ${value}`),
      '# HELP http_request_duration_seconds Time to answer a request.',
      '# TYPE http_request_duration_seconds histogram',
      ...cumulative.map((value, i) => `http_request_duration_seconds_bucket{le="${BUCKETS[i] ?? '+Inf'}"} ${value}`),
      `http_request_duration_seconds_sum ${this.seconds}`,
      `http_request_duration_seconds_count ${this.total}`,
      '# HELP process_resident_memory_bytes Resident memory.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${memoryBytes}`,
      '',
    ].join('\n');
  }
}
