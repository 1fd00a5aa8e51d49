// The judge on a real Prometheus: past releases, written as samples, are judged again.
import assert from 'node:assert/strict';
import type { PodFacts } from '../../src/engine/analysis/counters.ts';
import { judgeRatio, startRatio, type RatioCheck, type RatioState } from '../../src/engine/analysis/ratio.ts';
import type { Query } from '../../src/metric-sources/source.ts';
import { Prometheus } from '../../src/metric-sources/prometheus.ts';
import { checkSelector } from '../../src/schema/promql.ts';
import { looksOf } from '../engine/analysis/looks.ts';
import { findPrometheus, startPrometheus, type RunningPrometheus } from '../support/prometheus.ts';

const MINUTE = 60_000;
/** An hour of samples that ended two hours ago, so that Prometheus takes them for its past. */
const START = Math.floor((Date.now() - 3 * 60 * MINUTE) / MINUTE) * MINUTE;
const SCRAPE_MS = 10_000;
const LOOK_MS = 30_000;
const CHECK: RatioCheck = { limit: 0.02, timesStable: 1.5 };

interface Pod {
  readonly name: string;
  readonly arm: PodFacts['arm'];
  /** Minute of its creation. */
  readonly from: number;
  /** Share of bad requests, by minute. */
  readonly bad: (minute: number) => number;
}

/** Ten requests a second for each Pod; a counter of bad ones exists only from the first bad one on. */
function samplesOf(namespace: string, pods: readonly Pod[]): { readonly total: string[]; readonly bad: string[] } {
  const lines = { total: [] as string[], bad: [] as string[] };
  for (const pod of pods) {
    let [total, bad] = [0, 0];
    for (let at = pod.from * MINUTE; at <= 30 * MINUTE; at += SCRAPE_MS) {
      const failed = Math.round(100 * pod.bad(at / MINUTE));
      if (at > pod.from * MINUTE) [total, bad] = [total + 100, bad + failed];
      const labels = (code: number): string => `{namespace="${namespace}",pod="${pod.name}",code="${code}"}`;
      const time = (START + at) / 1000;
      lines.total.push(`http_requests_total${labels(200)} ${total - bad} ${time}`);
      if (bad > 0) lines.bad.push(`http_requests_total${labels(500)} ${bad} ${time}`);
    }
  }
  return lines;
}

const stable = (bad: Pod['bad']): Pod[] =>
  Array.from({ length: 9 }, (_, index) => ({ name: `web-old-${index}`, arm: 'stable', from: -20, bad }));
/** The release starts at minute 0, and its first Pod is there at minute 1. */
const fresh = (bad: Pod['bad']): Pod => ({ name: 'web-new-1', arm: 'fresh', from: 1, bad });

const outage = (minute: number): number => (minute > 5 && minute < 10 ? 0.3 : 0);
const releases: Readonly<Record<string, readonly Pod[]>> = {
  good: [...stable(() => 0), fresh(() => 0)],
  bad: [...stable(() => 0), fresh(() => 0.2)],
  late: [...stable(() => 0), fresh((minute) => (minute > 20 ? 0.2 : 0))],
  outage: [...stable(outage), fresh(outage)],
};

describe('past releases in a real Prometheus', function () {
  this.timeout(180_000);
  let server: RunningPrometheus;
  let source: Prometheus;

  before(async function () {
    const programs = await findPrometheus();
    if ('missing' in programs) {
      process.stderr.write(`    skipped: ${programs.missing}\n`);
      return this.skip();
    }
    const lines = Object.entries(releases).map(([namespace, pods]) => samplesOf(namespace, pods));
    const all = [...lines.flatMap(({ total }) => total), ...lines.flatMap(({ bad }) => bad)];
    server = await startPrometheus(programs, `# TYPE http_requests_total gauge\n${all.join('\n')}\n# EOF\n`);
    source = new Prometheus({ url: server.url, guarded: false });
  });
  after(async () => {
    source?.close();
    await server?.stop();
  });

  async function countersOf(namespace: string, selector: string, toMs: number) {
    checkSelector(selector);
    const query: Query = { kind: 'Counters', namespace, workload: 'web', selector };
    const answer = await source.range(query, START, toMs, LOOK_MS, new AbortController().signal);
    assert.ok(!('unknown' in answer), JSON.stringify(answer));
    return new Map(answer.map(({ pod, samples }) => [pod ?? '', samples]));
  }

  /** Judges the release as it would have been judged at this minute. */
  async function judged(namespace: string, minute: number, check = CHECK): Promise<RatioState> {
    const to = START + minute * MINUTE;
    const total = await countersOf(namespace, 'http_requests_total', to);
    const bad = await countersOf(namespace, 'http_requests_total{code=~"5.."}', to);
    const pods = releases[namespace]!.map(({ name, arm, from }) => ({ name, arm, createdAt: START + from * MINUTE }));
    const times = Array.from({ length: (minute * MINUTE) / LOOK_MS + 1 }, (_, index) => START + index * LOOK_MS);
    const looks = looksOf({ counters: { total, bad }, pods, times, warmUpMs: 0, comparesStable: true });
    return judgeRatio(check, 1, startRatio(check, START), looks);
  }
  const minuteOf = ({ since }: RatioState): number => (since - START) / MINUTE;

  it('a good one is Fine', async () => {
    const state = await judged('good', 30, { limit: 0.02 });
    assert.equal(state.verdict, 'Fine');
    assert.equal(state.fresh.total, 29 * 600);
    assert.equal(state.fresh.bad, 0);
  });

  it('a bad one is Worse within three minutes of its first Pod', async () => {
    const state = await judged('bad', 30);
    assert.equal(state.verdict, 'Worse');
    assert.ok(minuteOf(state) <= 4, `${minuteOf(state)}`);
  });

  it('is Worse within three minutes too if it breaks after twenty', async () => {
    assert.notEqual((await judged('late', 20)).verdict, 'Worse');
    const state = await judged('late', 30);
    assert.equal(state.verdict, 'Worse');
    assert.ok(minuteOf(state) > 20 && minuteOf(state) <= 23, `${minuteOf(state)}`);
  });

  it('an outage of both versions is not held against the new one', async () => {
    const state = await judged('outage', 30, { timesStable: 1.5 });
    assert.equal(state.verdict, 'Fine');
    assert.ok(state.fresh.bad > 0 && state.stable.bad > 0);
  });

  it('the verdict of an earlier minute does not depend on what came later', async () => {
    const [then, now] = [await judged('late', 15), await judged('late', 30)];
    assert.ok(then.since < now.since);
    assert.deepEqual((await judged('late', 15)).worse, then.worse);
  });

  it('reads no other namespace', async () => {
    const mine = await countersOf('good', 'http_requests_total{namespace=~"good|bad"}', START + 30 * MINUTE);
    const bad = await countersOf('good', '{code="500",namespace="bad"}', START + 30 * MINUTE);
    assert.equal(mine.get('web-new-1')?.get(START + 30 * MINUTE), 29 * 600);
    assert.equal(bad.size, 0);
  });
});
