// A real Prometheus over Pods that serve: it finds them, each of its counters has the name of the Pod, and a kill costs it nothing.
// And the judge on it, while two releases run.
import assert from 'node:assert/strict';
import type { PodFacts } from '../../src/engine/analysis/counters.ts';
import { judgeRatio, startRatio, type RatioCheck, type RatioState } from '../../src/engine/analysis/ratio.ts';
import { Prometheus } from '../../src/metric-sources/prometheus.ts';
import type { Query } from '../../src/metric-sources/source.ts';
import { looksOf } from '../engine/analysis/looks.ts';
import { until } from '../main/cluster.ts';
import { Load } from '../support/load.ts';
import { findPrometheus, startScraping, type ScrapingPrometheus } from '../support/prometheus.ts';
import { createService, deploy, NAMESPACE, podsOf, startLiveCluster, type LiveCluster } from './stage.ts';

/** Requests in a second, for all Pods. */
const RATE = 120;
const LOOK_MS = 2000;
/** A look asks for samples that are at least this old, so that all have arrived. */
const LAG_MS = 3000;
const STABLE = 'web-stable';

describe('a real Prometheus over Pods that serve', function () {
  this.timeout(240_000);
  let cluster: LiveCluster | undefined;
  let server: ScrapingPrometheus | undefined;
  let source: Prometheus | undefined;
  let load: Load | undefined;

  before(async function () {
    const programs = await findPrometheus();
    if ('missing' in programs) {
      process.stderr.write(`    skipped: ${programs.missing}\n`);
      return this.skip();
    }
    cluster = await startLiveCluster();
    await createService(cluster);
    await deploy(cluster, STABLE, 'web:v1', 3);
    server = await startScraping(programs, { kubeconfig: cluster.kubeconfig });
    source = new Prometheus({ url: server.url, guarded: false });
    load = await Load.start({ api: cluster.api, namespace: NAMESPACE, service: 'web', perSecond: RATE });
  });
  after(async () => {
    await load?.stop();
    source?.close();
    await server?.stop();
    await cluster?.close();
  });

  /** The time of the newest look. */
  const newest = (): number => Math.floor((Date.now() - LAG_MS) / LOOK_MS) * LOOK_MS;

  /** By Pod: the values at each look. Undefined while the source does not answer. */
  async function countersOf(selector: string, fromMs: number, toMs: number) {
    const query: Query = { kind: 'Counters', namespace: NAMESPACE, workload: 'web', selector };
    const answer = await source!.range(query, fromMs, toMs, LOOK_MS, new AbortController().signal);
    return 'unknown' in answer ? undefined : new Map(answer.map(({ pod, samples }) => [pod ?? '', samples]));
  }

  /** The newest value of each Pod. */
  async function lastOf(selector: string): Promise<Map<string, number>> {
    const at = newest();
    const counters = (await countersOf(selector, at, at)) ?? new Map<string, ReadonlyMap<number, number>>();
    return new Map([...counters].flatMap(([pod, samples]) => [...samples.values()].map((value) => [pod, value])));
  }

  const namesOf = async (version: string): Promise<string[]> =>
    (await podsOf(cluster!, version)).map(({ metadata }) => metadata.name!).sort();

  /** The counters of these Pods are there, and no others with this version. */
  async function arrived(version: string, pods: number): Promise<void> {
    let seen: string[] = [];
    await until(
      async () => {
        seen = [...(await lastOf('http_requests_total')).keys()].filter((name) => name.startsWith(`${version}-`));
        return seen.length === pods;
      },
      () => `counters of ${pods} Pods of ${version}: ${seen.join(', ')}`,
      60,
    );
    assert.deepEqual(seen.sort(), await namesOf(version));
  }

  it('has the counters of two versions, by Pod', async () => {
    await arrived(STABLE, 3);
    await deploy(cluster!, 'web-other', 'web:v2-errors-50', 2);
    await arrived('web-other', 2);
    await until(
      async () => (await lastOf('http_requests_total{code="500"}')).size === 2,
      () => 'errors of both Pods',
    );
    assert.deepEqual(
      [...(await lastOf('http_requests_total{code="500"}')).keys()].sort(),
      await namesOf('web-other'),
      'no Pod of the stable version fails',
    );
    const slow = await lastOf('http_request_duration_seconds_bucket{le="10"}');
    assert.equal(slow.size, 5);
    assert.ok([...(await lastOf('process_resident_memory_bytes')).values()].every((bytes) => bytes > 2 ** 20));
  });

  it('has kept its samples after a kill, and goes on at the same address', async () => {
    const [pod] = await namesOf(STABLE);
    const at = newest();
    const before = (await countersOf('http_requests_total', at, at))!.get(pod!)!.get(at)!;
    assert.ok(before > 0);
    await server!.kill();
    const unknown = await source!.range(
      { kind: 'Counters', namespace: NAMESPACE, workload: 'web', selector: 'http_requests_total' },
      at,
      at,
      LOOK_MS,
      new AbortController().signal,
    );
    assert.deepEqual(unknown, { unknown: 'connection refused' });
    await server!.restart();
    assert.equal((await countersOf('http_requests_total', at, at))!.get(pod!)!.get(at), before);
    await until(
      async () => ((await lastOf('http_requests_total')).get(pod!) ?? 0) > before,
      () => 'newer samples',
    );
  });

  /** Releases a version beside the stable one, and judges it at each look until there is a verdict. */
  async function judged(version: string, image: string, check: RatioCheck): Promise<RatioState> {
    const startedAt = newest();
    await deploy(cluster!, version, image, 1);
    const pods: PodFacts[] = [];
    for (const [arm, name] of [
      ['fresh', version],
      ['stable', STABLE],
    ] as const)
      for (const { metadata } of await podsOf(cluster!, name))
        pods.push({ name: metadata.name!, arm, createdAt: Date.parse(metadata.creationTimestamp!) });
    let state = startRatio(check, startedAt);
    await until(
      async () => {
        const to = newest();
        const total = await countersOf('http_requests_total', startedAt, to);
        const bad = await countersOf('http_requests_total{code=~"5.."}', startedAt, to);
        if (!total || !bad) return false;
        const times = Array.from({ length: (to - startedAt) / LOOK_MS + 1 }, (_, index) => startedAt + index * LOOK_MS);
        const looks = looksOf({ counters: { total, bad }, pods, times, warmUpMs: 0, comparesStable: true });
        state = judgeRatio(check, 1, startRatio(check, startedAt), looks);
        return state.verdict === 'Fine' || state.verdict === 'Worse';
      },
      () => JSON.stringify(state),
      120,
    );
    return state;
  }

  it('shows the judge that a good version is Fine', async () => {
    const state = await judged('web-good', 'web:v3', { limit: 0.05 });
    assert.equal(state.verdict, 'Fine');
    assert.equal(state.fresh.bad, 0);
    assert.ok(state.stable.total > state.fresh.total);
  });

  it('shows the judge that a version with 20 % errors is Worse', async () => {
    const state = await judged('web-bad', 'web:v4-errors-20', { limit: 0.05, timesStable: 1.5 });
    assert.equal(state.verdict, 'Worse');
    assert.ok(state.fresh.bad > 0);
    assert.equal(state.stable.bad, 0);
  });
});
