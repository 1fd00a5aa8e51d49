// `kubectl tranche analyze`, with a Prometheus of generated counters behind the API server, and its parts by tables.
import assert from 'node:assert/strict';
import type { KubeObject, Rollout } from '../../src/api/types.ts';
import { halve, randomStart, seeded, shareBetween } from '../../src/cli/analyze/halves.ts';
import { quietTimes, releasesOf, stepAt } from '../../src/cli/analyze/past.ts';
import { plotEvidence } from '../../src/cli/analyze/plot.ts';
import { short } from '../../src/cli/render/checks.ts';
import { looksAtOnce, replay } from '../../src/cli/analyze/replay.ts';
import { queriesOf, type Series } from '../../src/engine/analysis/query.ts';
import { dueRange, findingOf, lagMs, see, startWatch } from '../../src/engine/analysis/watch.ts';
import type { MetricSource } from '../../src/metric-sources/source.ts';
import { parseMoment } from '../../src/cli/commands/analyze.ts';
import { formatTime } from '../../src/engine/lib/time.ts';
import { stringify } from 'yaml';
import { rows } from '../engine/build.ts';
import { startFakeCluster, type CountedPod, type FakeCluster } from './fake-cluster.ts';
import { golden, goldenExact, runPlugin, type Result } from './support.ts';

const NOW = Date.UTC(2026, 0, 2, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const time = (ms: number): string => formatTime(ms);

const CHECKS = [
  {
    name: 'errors',
    ratio: { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total', limit: '2%', timesStable: 1.5 },
  },
];

/** Releases r1 (oldest) to r4 (newest), four hours apart; each takes half an hour, and the newest one is bad. */
const started = (release: number): number => NOW - (4 - release) * 4 * HOUR - HOUR;
const HISTORY = [4, 3, 2, 1].map((release) => ({
  rolloutID: `r${release}`,
  revision: `v${release}`,
  startTime: time(started(release)),
  endTime: time(started(release) + 30 * MINUTE),
  outcome: release === 4 ? 'RolledBack' : 'Completed',
  analysis: { errors: release === 4 ? 'Worse' : 'Fine' },
  steps: [
    { step: 1, time: time(started(release)) },
    { step: 2, time: time(started(release) + 10 * MINUTE) },
  ],
}));

const rolloutOf = (analysis: readonly object[] = CHECKS, history: readonly object[] = HISTORY): Rollout =>
  ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: { canary: { analysis, steps: [{ replicas: 1, analysis: { seconds: 600 } }, { replicas: '100%' }] } },
    },
    status: { phase: 'Healthy', currentStepIndex: 0, currentStepState: '', history },
  }) as unknown as Rollout;

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', uid: 'd' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image: 'web:v3' }] } },
  },
} as KubeObject;

const source = (spec: object): KubeObject =>
  ({ apiVersion: 'tranche.dev/v1alpha1', kind: 'MetricSource', metadata: { name: 'main' }, spec }) as KubeObject;
const BEHIND = { prometheus: { service: { namespace: 'monitoring', name: 'prometheus', port: 9090 } } };

/** Four Pods of each version from its release to the next; the first sample of all is of r1. */
const PODS: readonly CountedPod[] = [1, 2, 3, 4].flatMap((version) =>
  ['aaaaa', 'bbbbb', 'ccccc', 'ddddd'].map((end, index): CountedPod => {
    const from = started(version) + (index === 0 ? MINUTE : 12 * MINUTE);
    const failed = version === 4;
    return {
      name: `web-v${version}-${end}`,
      from,
      to: failed ? started(4) + 30 * MINUTE : version === 3 ? NOW : started(version + 1) + 12 * MINUTE,
      perSecond: 10,
      bad: () => (failed ? 0.2 : 0.01),
    };
  }),
);

describe('kubectl tranche analyze', () => {
  let fake: FakeCluster;

  beforeEach(async () => {
    fake = await startFakeCluster();
    fake.pods = PODS;
    set(rolloutOf());
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [DEPLOYMENT]);
    fake.objects.set('/apis/apps/v1/namespaces/shop/replicasets', []);
    fake.objects.set('/api/v1/namespaces/shop/pods', []);
    fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [source(BEHIND)]);
    fake.objects.set('/api/v1/namespaces', [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { team: 'a' } } } as KubeObject,
    ]);
  });
  afterEach(() => fake.close());

  const set = (rollout: Rollout): void =>
    void fake.objects.set('/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts', [rollout]);
  const run = (...args: readonly string[]): Promise<Result> =>
    runPlugin(['analyze', ...args], { env: { KUBECONFIG: fake.kubeconfig }, now: NOW });

  it('judges the last release, says at which step it would have stopped, and draws it', async () => {
    const result = await run('web');
    assert.equal(result.code, 1);
    goldenExact('analyze', ['analyze web', result]);
  });

  it('judges the last releases, each with its own versions and times', async () => {
    const result = await run('web', '--releases', '10');
    assert.equal(result.code, 1);
    goldenExact('analyze-releases', ['analyze web --releases 10', result]);
  });

  it('asks the API server for the Service, only reads, and only the namespace', async () => {
    await run('web');
    const queries = fake.asked.filter((one) => one.includes('/proxy/'));
    assert.ok(queries.length >= 2);
    for (const query of queries) {
      assert.match(
        query,
        /^GET \/api\/v1\/namespaces\/monitoring\/services\/http:prometheus:9090\/proxy\/api\/v1\/query_range /,
      );
      assert.match(query, /namespace="shop"/);
    }
    assert.deepEqual(
      fake.asked.filter((one) => !one.startsWith('GET ')),
      [],
    );
  });

  it('judges a good release with exit code 0', async () => {
    const { code, out } = await run('web', '--at', '4h30m');
    assert.equal(code, 0, out);
    assert.match(out, /release 2 \(id r3\)/);
    assert.match(out, /would not have stopped this release\n$/);
  });

  it('judges an interval', async () => {
    const { out } = await run('web', '--from', time(started(4) + 5 * MINUTE), '--to', '40m', '-o', 'json');
    const [release] = (JSON.parse(out) as { releases: { endTime: string; startTime: string; rolloutID: string }[] })
      .releases;
    assert.deepEqual(
      [release!.rolloutID, release!.startTime, release!.endTime],
      ['r4', time(started(4) + 5 * MINUTE), time(NOW - 40 * MINUTE)],
    );
  });

  it('judges with the checks of a file, before it is applied', async () => {
    const written = rolloutOf([{ ...CHECKS[0], ratio: { ...CHECKS[0]!.ratio, limit: '50%', timesStable: 30 } }]);
    const { status: _, ...manifest } = written;
    const { code, out } = await runPlugin(['analyze', '-f', '-'], {
      env: { KUBECONFIG: fake.kubeconfig },
      now: NOW,
      stdin: stringify(manifest),
    });
    assert.equal(code, 0, out);
  });

  it('judges latencies by the bucket of a histogram', async () => {
    set(
      rolloutOf([
        {
          name: 'slow',
          ratio: { slowerThan: { histogram: 'http_request_duration_seconds', seconds: 0.5 }, limit: '2%' },
        },
      ]),
    );
    const { code, out } = await run('web');
    assert.equal(code, 1);
    assert.match(out, /slow {3}Worse at step 1 after \d+/);
  });

  it('says of a long name that only Pods that exist count', async () => {
    const name = 'w'.repeat(60);
    const one = rolloutOf();
    set({ ...one, spec: { ...one.spec, workloadRef: { ...one.spec.workloadRef, name } } });
    fake.pods = PODS.map((pod) => ({ ...pod, name: name.slice(0, 58) + pod.name.slice(-5) }));
    const { out } = await run('web');
    assert.match(out, /only Pods that still exist count/);
  });

  it('says how far back the source reaches, and does not call a release good that it cannot see', async () => {
    fake.pods = PODS.filter(({ name }) => !name.startsWith('web-v1') && !name.startsWith('web-v2'));
    const result = await run('web', '--releases', '10');
    goldenExact('analyze-reach', ['analyze web --releases 10   # samples since the release before the last', result]);
  });

  it('measures false alarms, and names the tolerance that is enough', async () => {
    const result = await run('web', '--aa', '40', '--seed', '7');
    assert.equal(result.code, 0, result.out + result.err);
    goldenExact('analyze-aa', ['analyze web --aa 40 --seed 7', result]);
    assert.deepEqual((await run('web', '--aa', '40', '--seed', '7')).out, result.out, 'the seed decides');
  });

  it('measures false alarms where Pods differ from each other', async () => {
    // One Pod of four fails ten times as often as the others.
    fake.pods = PODS.map((pod) => (pod.name.endsWith('aaaaa') ? { ...pod, bad: () => 0.1 } : pod));
    set(rolloutOf([{ name: 'errors', ratio: { ...CHECKS[0]!.ratio, limit: '90%', timesStable: 1.25 } }]));
    const { code, out } = await run('web', '--aa', '40', '--seed', '7', '-o', 'json');
    const [check] = (JSON.parse(out) as { checks: { alarms: number; trials: number; low: number; enough?: number }[] })
      .checks;
    assert.equal(code, 1);
    // The Pod is in the half that plays the new version in about half of the trials.
    assert.ok(check!.alarms > 10 && check!.alarms < 30, out);
    assert.equal(check!.enough, undefined);
  });

  const SECRET = 'ey.secret';
  it('reads at an address with a token, without a MetricSource', async () => {
    fake.forbidden.add('/apis/tranche.dev/v1alpha1/metricsources');
    const file = `${fake.kubeconfig}.token`;
    const { writeFile } = await import('node:fs/promises');
    await writeFile(file, `${SECRET}\n`);
    const { code, out, err } = await run('web', '--address', fake.address, '--token-file', file);
    assert.equal(code, 1, err);
    assert.match(out, /errors {3}Worse/);
    assert.equal(fake.headers.authorization, `Bearer ${SECRET}`);
    assert.ok(!(out + err).includes(SECRET));
  });

  it('sends the headers of the MetricSource to an address', async () => {
    const headers = { 'X-Scope-OrgID': '{{namespace}}' };
    fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [
      source({ prometheus: { url: 'http://mimir', headers } }),
    ]);
    await run('web', '--address', fake.address);
    assert.equal(fake.headers['x-scope-orgid'], 'shop');
  });

  for (const [what, change, expected] of [
    [
      'no MetricSource',
      () => fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', []),
      /there is no MetricSource: write --address/,
    ],
    [
      'none is served',
      () => fake.objects.delete('/apis/tranche.dev/v1alpha1/metricsources'),
      /does not serve MetricSources: write --address/,
    ],
    [
      'a Service whose name leads elsewhere',
      () =>
        fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [
          source({ prometheus: { service: { namespace: '../..', name: 'x', port: 1 } } }),
        ]),
      /invalid namespace/,
    ],
    [
      'a user who may not read MetricSources',
      () => fake.forbidden.add('/apis/tranche.dev/v1alpha1/metricsources'),
      /you may not read MetricSources and namespaces: write --address/,
    ],
    [
      'another namespace',
      () =>
        fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [
          source({ ...BEHIND, namespaceSelector: { matchLabels: { team: 'b' } } }),
        ]),
      /namespace shop may not use MetricSource main/,
    ],
    [
      'an address',
      () =>
        fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [
          source({ prometheus: { url: 'http://prometheus' } }),
        ]),
      /may not reach: write --address/,
    ],
    [
      'another type',
      () => fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [source({ web: {} })]),
      /is not of type prometheus/,
    ],
    ['an error of the source', () => (fake.status = 422), /the source answered 422 with execution/],
    [
      'a Service that is not there',
      () =>
        fake.objects.set('/apis/tranche.dev/v1alpha1/metricsources', [
          source({ prometheus: { service: { namespace: 'monitoring', name: 'other', port: 1 } } }),
        ]),
      /query_range not found/,
    ],
    [
      'no metric',
      () => set(rolloutOf([{ name: 'errors', ratio: { bad: 'none', total: 'nothing', limit: '1%' } }])),
      /no samples of this time/,
    ],
    [
      'a check without a past',
      () => set(rolloutOf([{ name: 'memory', pods: { resource: 'memory', timesStable: 2 } }])),
      /have no past values/,
    ],
  ] as const)
    it(`is Unknown and exits with 1 if the source is unusable: ${what}`, async () => {
      change();
      const { code, out } = await run('web');
      assert.equal(code, 1);
      assert.match(out, /Unknown/);
      assert.match(out, expected);
      assert.match(out, /nothing could be judged\n$/);
      assert.ok(!out.includes('secret'));
    });

  it('refuses in words', async () => {
    const cases: [string, Result][] = [];
    const refused = async (...args: string[]): Promise<void> =>
      void cases.push([`analyze ${args.join(' ')}`, await run(...args)]);
    await refused();
    await refused('web', '--at', '1h', '--releases', '3');
    await refused('web', '--from', '1h');
    await refused('web', '--from', '1h', '--to', '2h');
    await refused('web', '--at', 'yesterday');
    await refused('web', '--at', '2026-02-01T00:00:00Z');
    await refused('web', '--at', '2h');
    await refused('web', '--releases', '11');
    await refused('web', '--seed', '1');
    await refused('web', '--address', 'prometheus:9090');
    await refused('web', '--address', 'http://me:pass@host');
    await refused('web', '--token-file', 'x');
    set(rolloutOf([]));
    await refused('web');
    set(rolloutOf(CHECKS, []));
    await refused('web');
    golden('analyze-refused', ...cases);
    for (const [asked, { code }] of cases) assert.ok(code === 1 || code === 2, asked);
  });

  it('lets nothing that an object says reach the terminal', async () => {
    const hostile = 'x\x1b[2J\x07\ny';
    set(
      rolloutOf(
        [{ ...CHECKS[0], name: hostile }],
        HISTORY.map((entry) => ({ ...entry, rolloutID: hostile, outcome: hostile })),
      ),
    );
    for (const args of [['web'], ['web', '--releases', '4'], ['web', '--aa', '2', '--seed', '1']]) {
      const { out, err } = await run(...args);
      assert.doesNotMatch(out + err, /[\x1b\x07]/);
      assert.doesNotMatch(out, /^y/m);
    }
  });

  it('ends at Ctrl-C with its exit code', async () => {
    const ending = new AbortController();
    ending.abort();
    const { code } = await runPlugin(['analyze', 'web'], {
      env: { KUBECONFIG: fake.kubeconfig },
      now: NOW,
      signal: ending.signal,
    });
    assert.equal(code, 130);
  });
});

describe('looks one after the other, in several answers', () => {
  /** Pods of both versions, one that restarts, and one that is created in the middle. */
  const SERIES: Readonly<Record<string, (at: number) => readonly [total: number, bad: number] | undefined>> = {
    'web-v1-aaaaa': (at) => [at * 100 + 1000, at * 2 + 50],
    'web-v1-bbbbb': (at) => (at < 60 ? [at * 100, at * 2] : [(at - 60) * 100, at - 60]),
    'web-v2-ccccc': (at) => (at > 2 ? [(at - 2) * 100, (at - 2) * 3] : undefined),
    'web-v2-ddddd': (at) => (at > 70 ? [(at - 70) * 100, at - 70] : undefined),
  };
  const LOOK = 30_000;
  const source: MetricSource = {
    hasHistory: true,
    close: () => undefined,
    range: async (query, fromMs, toMs, stepMs) =>
      Object.entries(SERIES).map(([name, valueAt]) => {
        const samples = new Map<number, number>();
        for (let at = fromMs; at <= toMs; at += stepMs) {
          const found = valueAt(at / LOOK);
          const isBad = query.kind === 'Counters' && query.selector.includes('code=');
          if (found) samples.set(at, found[isBad ? 1 : 0]);
        }
        return { pod: name, samples };
      }),
  };
  const release = {
    ...{ namespace: 'shop', workload: 'web', pods: '', rolloutID: 'r', revision: 'v2', stableRevision: 'v1' },
    ...{ startedAt: 0, ratioChecks: 1 },
  };
  const until = 120 * LOOK;

  for (const [what, check] of [
    ['counters', { name: 'errors', ratio: { bad: 'a{code="5"}', total: 'a', limit: '20%', timesStable: 3 } }],
    ['a value', { name: 'queue', value: { query: 'a{pod="x"}', max: 5 } }],
  ] as const)
    it(`say what all looks at once say: ${what}`, async () => {
      const asked = { source, check, release, until, pods: [], signal: new AbortController().signal };
      const one = await replay({ ...asked, podsAtOnce: 1 });
      const several = await replay({ ...asked, podsAtOnce: 2000 });
      const watch = startWatch(check, release);
      const range = dueRange(watch, until + lagMs(check), Infinity)!;
      const answers = await Promise.all(
        queriesOf(check, release).map((query) => source.range(query, 0, range.toMs, LOOK, asked.signal)),
      );
      const whole = findingOf(see(watch, range, answers as (readonly Series[])[], []));
      assert.deepEqual(one.finding, whole);
      assert.deepEqual(several, one);
      assert.equal(one.moments.length, 120);
    });
});

describe('a moment in the past', () => {
  rows(
    [
      ['a duration', '90m', NOW - 90 * MINUTE],
      ['days', '2d', NOW - 48 * HOUR],
      ['days and hours', '2d12h', NOW - 60 * HOUR],
      ['a time', '2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
      ['a time of another zone', '2026-01-02T03:04:05+01:00', Date.UTC(2026, 0, 2, 2, 4, 5)],
    ] as const,
    (text: string, expected: number) => assert.equal(parseMoment(text, NOW, '--at'), expected),
  );
  rows(
    [
      ['nothing', ''],
      ['a word', 'now'],
      ['a date', '2026-01-02'],
      ['no date', '2026-99-02T00:00:00Z'],
      ['the future', '2027-01-02T00:00:00Z'],
    ] as const,
    (text: string) => assert.throws(() => parseMoment(text, NOW, '--at'), /invalid --at/),
  );
});

describe('the past of a Rollout', () => {
  const past = releasesOf(rolloutOf(), undefined, CHECKS);

  it('has for each release its version, and as the stable one the version that ran before', () =>
    assert.deepEqual(
      past.map(({ release }) => [release.revision, release.stableRevision]),
      [
        ['v4', 'v3'],
        ['v3', 'v2'],
        ['v2', 'v1'],
        ['v1', ''],
      ],
    ));

  it('has for the release in progress the versions of the status', () => {
    const [current, ...before] = HISTORY.toSpliced(0, 1, { ...HISTORY[0]!, revision: '' }) as object[];
    const { endTime: _, outcome: __, ...open } = current as (typeof HISTORY)[number];
    const one = rolloutOf(CHECKS, [open, ...before]);
    const canaryStatus = { canaryRevision: 'v9', stableRevision: 'v8' };
    const [first] = releasesOf(
      { ...one, status: { ...one.status!, canaryStatus } } as unknown as Rollout,
      undefined,
      CHECKS,
    );
    assert.deepEqual([first!.release.revision, first!.release.stableRevision, first!.endedAt], ['v9', 'v8', undefined]);
  });

  it('a release that was rolled back leaves the version that ran before', () => {
    const [undone, ...before] = HISTORY;
    const next = { ...undone!, rolloutID: 'r5', revision: 'v5' };
    const [first] = releasesOf(rolloutOf(CHECKS, [next, undone!, ...before]), undefined, CHECKS);
    assert.equal(first!.release.stableRevision, 'v3');
  });

  it('has the step at each time', () =>
    assert.deepEqual(
      [-1, 0, 9, 10, 20].map((minute) => stepAt(past[0]!, started(4) + minute * MINUTE)),
      [undefined, 1, 1, 2, 2],
    ));

  it('has quiet times between releases, each with the version that ran', () => {
    const from = started(2) + HOUR;
    assert.deepEqual(
      quietTimes(past, from, NOW).map((span) => [
        (span.from - from) / MINUTE,
        (span.to - span.from) / MINUTE,
        span.revision,
      ]),
      [
        [0, 180, 'v2'],
        [210, 210, 'v3'],
        [450, 30, 'v3'],
      ],
    );
  });
});

describe('random halves', () => {
  it('start only where it stays quiet long enough, and everywhere there', () => {
    const quiet = [
      { from: 0, to: 10_000, revision: 'a' },
      { from: 20_000, to: 21_000, revision: 'b' },
      { from: 30_000, to: 60_000, revision: 'c' },
    ];
    const random = seeded(1);
    const starts = Array.from({ length: 200 }, () => randomStart(quiet, 5_000, random)!);
    for (const { from, to, startedAt } of starts) assert.ok(startedAt >= from && startedAt + 5_000 <= to);
    assert.deepEqual([...new Set(starts.map(({ revision }) => revision))].toSorted(), ['a', 'c']);
    assert.equal(randomStart(quiet, 40_000, random), undefined);
  });

  const series = ['web-v1-aaaaa', 'web-v1-bbbbb', 'web-v1-ccccc', 'web-admin-v1-ddddd', 'web-v2-eeeee'].map((pod) => ({
    pod,
    samples: new Map([[0, 1]]),
  }));
  const release = { workload: 'web', startedAt: 0 } as Parameters<typeof halve>[1];

  it('are of Pods of the version that ran', () => {
    const pods = halve(series, release, 'v1', seeded(1))!;
    assert.deepEqual(pods.map(({ name }) => name).toSorted(), ['web-v1-aaaaa', 'web-v1-bbbbb', 'web-v1-ccccc']);
    assert.equal(pods.filter(({ arm }) => arm === 'fresh').length, 2);
    assert.equal(halve(series, release, 'v2', seeded(1)), undefined, 'one Pod has no halves');
  });

  it('are not of other workloads if the version is not known', () =>
    assert.equal(halve(series, release, undefined, seeded(1))!.length, 4));

  rows(
    [
      ['none of many', 0, 200, '0.000 0.019'],
      ['half', 5, 10, '0.237 0.763'],
      ['all', 10, 10, '0.722 1.000'],
      ['no trial', 0, 0, '0.000 1.000'],
    ] as const,
    (hits: number, trials: number, expected: string) => {
      const { low, high } = shareBetween(hits, trials);
      assert.equal(`${low.toFixed(3)} ${high.toFixed(3)}`, expected);
    },
  );
});

describe('a plot', () => {
  const moments = Array.from({ length: 40 }, (_, look) => ({
    at: look * 30_000,
    verdict: 'Open' as const,
    evidence: 10 ** (look / 10),
  }));

  for (const columns of [10, 40, 80, 300])
    it(`fits into ${columns} columns`, () => {
      const lines = plotEvidence(moments, 200, {
        from: 0,
        to: 40 * 30_000,
        steps: [{ step: 12, at: 40 * 30_000 }],
        columns,
      });
      assert.equal(lines.length, 10);
      for (const line of lines) {
        assert.ok(line.length <= Math.max(columns, 30), `${line.length}: ${line}`);
        assert.match(line, /^[\x20-\x7e]*$/);
      }
    });

  it('has nothing to draw without evidence', () =>
    assert.deepEqual(plotEvidence([{ at: 0, verdict: 'Fine' }], 200, { from: 0, to: 1, steps: [], columns: 80 }), []));

  rows(
    [
      ['1', 1, '1'],
      ['0.0123', 0.0123, '0.012'],
      ['512', 512, '510'],
      ['12345', 12_345, '12k'],
      ['1e7', 1e7, '10M'],
      ['1e300', 1e300, '>1G'],
    ] as const,
    (value: number, expected: string) => assert.equal(short(value), expected),
  );
});

describe('an answer', () => {
  rows(
    [
      ['of one Pod', 1, 10_000],
      ['of 20', 20, 1250],
      ['of more Pods than fit', 100_000, 10],
    ] as const,
    (pods: number, expected: number) => assert.equal(looksAtOnce(pods), expected),
  );
});
