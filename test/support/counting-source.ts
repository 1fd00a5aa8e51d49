// A stand-in for Prometheus: it answers query_range with counters of the Pods of one namespace, as if each had served requests since it was Ready.
// It knows the two queries of the tests, and no PromQL. The real one is in test/analysis-live and test/metric-sources.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../../src/api/types.ts';

interface Seen {
  readonly from: number;
  readonly bad: number;
  until: number | undefined;
}

const PER_SECOND = 20;

export class CountingSource {
  private readonly pods = new Map<string, Seen>();
  private readonly stopped = new AbortController();
  private server: Server | undefined;
  private port = 0;
  /** Number of requests. */
  asked = 0;

  /** `list`: the Pods now. `badOf`: share of bad requests of a Pod. */
  static async start(list: () => Promise<readonly Pod[]>, badOf: (pod: Pod) => number): Promise<CountingSource> {
    const source = new CountingSource();
    await source.listen();
    void source.follow(list, badOf);
    return source;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As if the process was killed: connections are refused. */
  async down(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        this.asked += 1;
        response.setHeader('content-type', 'application/json').end(this.answer(new URLSearchParams(body)));
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await this.down();
  }

  private async follow(list: () => Promise<readonly Pod[]>, badOf: (pod: Pod) => number): Promise<void> {
    while (!this.stopped.signal.aborted) {
      const pods = await list().catch(() => undefined);
      const names = new Set(pods?.map(({ metadata }) => metadata.name));
      for (const pod of pods ?? []) {
        const ready =
          pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
        if (ready && !this.pods.has(pod.metadata.name))
          this.pods.set(pod.metadata.name, { from: Date.now(), bad: badOf(pod), until: undefined });
      }
      if (pods) for (const [name, seen] of this.pods) if (!names.has(name)) seen.until ??= Date.now();
      await sleep(250, undefined, { signal: this.stopped.signal }).catch(() => undefined);
    }
  }

  private answer(query: URLSearchParams): string {
    const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(query.get(name)) * 1000) as [
      number,
      number,
      number,
    ];
    const onlyBad = query.get('query')?.includes('code=~') === true;
    const result = [...this.pods].flatMap(([pod, { from, bad, until = Infinity }]) => {
      const values: (readonly [number, string])[] = [];
      for (let at = start; at <= end; at += step) {
        if (at < from || at > until + 5_000) continue;
        const requests = Math.floor((PER_SECOND * (Math.min(at, until) - from)) / 1000);
        const value = onlyBad ? Math.floor(requests * bad) : requests;
        if (!onlyBad || value > 0) values.push([at / 1000, String(value)]);
      }
      return values.length > 0 ? [{ metric: { pod }, values }] : [];
    });
    return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
  }
}
