// Describes the results of the admission bench. Pure.
import type { Goal, Plot, Section } from '../bench.ts';
import { median } from '../stats.ts';
import { MIB, shown } from '../text.ts';
import { FLOOD_RATE } from './floods.ts';
import type { AdmissionData, Mix, RateRun, ServerName } from './bench.ts';

const BARE: ServerName = 'bare express';
const OURS: readonly ServerName[] = ['tranche', 'tranche, policies'];
const ALL: readonly ServerName[] = [BARE, ...OURS];
const MIXES: readonly Mix[] = ['mix', 'pass', 'hold', 'refuse'];
/** Throughput relative to bare express. `hold`: new templates. */
const SHARES: readonly (readonly [server: ServerName, body: Mix, share: number])[] = [
  ['tranche', 'mix', 0.8],
  ['tranche', 'hold', 0.7],
  ['tranche, policies', 'mix', 0.7],
];
const WITHIN_MS = 2;

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

export function describeAdmission(data: AdmissionData): Section[] {
  return [
    setting(data),
    throughput(data),
    latency(data),
    time(data),
    growth(data),
    growthWithRollouts(data),
    ...floods(data),
  ];
}

function setting({
  bodies,
  deployments,
  rollouts,
  policies,
  connections,
  pinned,
  secondsEach,
  rounds,
  rateRounds,
  rssBytes,
  byRollouts,
}: AdmissionData): Section {
  const sizes = bodies.map(({ kind, bytes }) => `${kind} ${shown(bytes)} bytes`).join(', ');
  const mib = (bytes: number): string => `${shown(bytes / MIB)} MiB`;
  return {
    heading: 'Method',
    text: [
      `The reviews are recorded on the embedded cluster (\`test/admission/fixtures\`) and filled with environment variables to a typical size
(${sizes}). One third each are edits that pass, edits that start a release, and edits that are refused. They alternate between ${deployments}
Deployments, which are enrolled and therefore in the program's caches. A separate process sends them over ${connections} persistent TLS
connections with HTTP/1.1. The server does not offer HTTP/2, so the API server also uses HTTP/1.1.`,
      `The program is compiled as in the image, and is the leader. It has ${shown(rollouts)} Rollouts in its caches, and writes its log and metrics. _policies_ means that
${policies} ReleasePolicies exist, and that one with all kinds of rules applies to the Deployment. For comparison, a bare express handler parses the same bodies
with \`express.json()\` and answers \`allowed: true\`, with as many bytes as the program. ${pinned ? 'Server and load run on separate cores.' : '**No process was pinned to a core.**'} Each number is the median of
${rounds} runs of ${secondsEach} s after a warm-up, or of ${rateRounds} runs at a fixed rate. For throughput and latency, the load alternates between the program and the bare handler every quarter of a second, because the speed of the machine varies. All answers are checked.`,
      `Memory (RSS): ${mib(rssBytes.before)} before the load (with ${byRollouts[0]!.rollouts} Rollouts) and ${mib(rssBytes.after)} after it; bare express ${mib(rssBytes.bareBefore)} and ${mib(rssBytes.bareAfter)}.`,
    ],
  };
}

function throughput(data: AdmissionData): Section {
  const of = (
    server: ServerName,
    body: Mix,
    field: 'perSecond' | 'ofBare' | 'cpuMicros' | 'cores' | 'serverCores',
  ): number =>
    median(data.throughput.filter((run) => run.server === server && run.body === body).map((run) => run[field]));
  const p99 = (server: ServerName, body: Mix): number =>
    median(
      data.throughput.filter((run) => run.server === server && run.body === body).map(({ latencyMs }) => latencyMs.p99),
    );
  const rows = MIXES.flatMap((body) =>
    ALL.map((server) => [
      body,
      server,
      of(server, body, 'perSecond'),
      percent(of(server, body, 'ofBare')),
      of(server, body, 'cpuMicros'),
      p99(server, body),
      of(server, body, 'serverCores'),
      of(server, body, 'cores'),
    ]),
  );
  const goals = SHARES.map(([server, body, goal]): Goal => {
    const share = of(server, body, 'ofBare');
    return {
      what: `throughput of ${server}, relative to bare express: ${body}`,
      goal: `at least ${percent(goal)}`,
      measured: percent(share),
      met: share >= goal,
    };
  });
  return {
    heading: 'Throughput on one core',
    text: ['Each connection sends the next request as soon as it gets an answer.'],
    table: {
      head: [
        'reviews',
        'server',
        'per second',
        'of bare express',
        'CPU each (µs)',
        'p99 (ms)',
        'server cores',
        'load cores',
      ],
      rows,
    },
    goals,
    after: ['If _load cores_ is close to 1, the load was the bottleneck, and the server could do more.'],
  };
}

interface Rated {
  readonly server: ServerName;
  readonly rate: number;
  readonly perSecond: number;
  readonly latencyMs: Readonly<Record<'p50' | 'p95' | 'p99' | 'max', number>>;
  readonly p99BehindBare: number;
  readonly lateness: number;
  readonly serverCores: number;
}

/** Medians of all rounds. */
function rated({ rates }: AdmissionData): Rated[] {
  const all = [...new Set(rates.map(({ rate }) => rate))].flatMap((rate) => ALL.map((server) => ({ rate, server })));
  return all.flatMap(({ rate, server }) => {
    const runs = rates.filter((run) => run.rate === rate && run.server === server);
    if (runs.length === 0) return [];
    const of = (pick: (run: RateRun) => number): number => median(runs.map(pick));
    const latencyMs = {
      p50: of((run) => run.latencyMs.p50),
      p95: of((run) => run.latencyMs.p95),
      p99: of((run) => run.latencyMs.p99),
      max: Math.max(...runs.map((run) => run.latencyMs.max)),
    };
    const lateness = of((run) => run.latenessMs.p99);
    const p99BehindBare = of((run) => run.p99BehindBare);
    const [perSecond, serverCores] = [of((run) => run.perSecond), of((run) => run.serverCores)];
    return [{ server, rate, perSecond, latencyMs, p99BehindBare, lateness, serverCores }];
  });
}

/** Rates at which the server is busy for at most this share of the time. At higher rates, requests wait for each other. */
const BUSY = 0.6;

function latency(data: AdmissionData): Section {
  const rates = rated(data);
  const rows = rates.map(({ server, rate, perSecond, latencyMs, p99BehindBare, lateness, serverCores }) => [
    rate,
    server,
    perSecond,
    latencyMs.p50,
    latencyMs.p95,
    latencyMs.p99,
    server === BARE ? '' : p99BehindBare,
    latencyMs.max,
    serverCores,
    lateness,
  ]);
  const goals = OURS.map((server): Goal => {
    const slow = rates.filter((run) => run.server === server && run.serverCores <= BUSY);
    const worst = Math.max(...slow.map(({ p99BehindBare }) => p99BehindBare));
    return {
      what: `p99 of ${server}, difference to bare express, at rates that keep it busy for at most ${percent(BUSY)} of the time`,
      goal: `at most ${WITHIN_MS} ms`,
      measured: slow.length > 0 ? `${shown(worst)} ms` : 'no such rate',
      met: worst <= WITHIN_MS,
    };
  });
  const plot = (file: string, title: string, pick: (run: Rated) => number): Plot => ({
    file,
    title,
    x: { name: 'requests per second', min: 0 },
    y: { name: 'ms', log: true },
    series: ALL.map((server) => ({
      name: server,
      points: rates.filter((run) => run.server === server).map((run) => [run.rate, pick(run)]),
    })),
  });
  return {
    heading: 'Latency at a rate',
    text: [
      `Requests are sent at fixed times, even if earlier ones have no answer yet. The latency counts from the scheduled time of a request.
_Behind bare_ is the median difference between its p99 and that of the bare handler in the same seconds. _Late_ is the part of the\nlatency that the load itself causes (p99). If the program cannot keep up with a rate, higher rates are not measured.`,
    ],
    table: {
      head: [
        'rate (1/s)',
        'server',
        'answered (1/s)',
        'p50 (ms)',
        'p95',
        'p99',
        'behind bare',
        'max',
        'server cores',
        'late (ms)',
      ],
      rows,
    },
    goals,
    plots: [
      plot('admission-p50', 'Admission: median latency by rate', ({ latencyMs }) => latencyMs.p50),
      plot('admission-p99', 'Admission: p99 of the latency by rate', ({ latencyMs }) => latencyMs.p99),
    ],
  };
}

function time({ shares, throughput: runs }: AdmissionData): Section {
  const cpu = median(
    runs.filter(({ server, body }) => server === 'tranche, policies' && body === 'mix').map((run) => run.cpuMicros),
  );
  return {
    heading: 'Where the time goes',
    text: [
      "From V8's CPU profile of the whole process under full load, with policies. Microseconds are the share of the CPU time of a request without the profiler.",
    ],
    table: {
      head: ['part', 'share', 'µs'],
      rows: shares
        .filter(({ share }) => share >= 0.002)
        .map(({ part, share }) => [part, `${(share * 100).toFixed(1)} %`, share * cpu]),
    },
  };
}

function growth({ sizes }: AdmissionData): Section {
  const servers = [...new Set(sizes.map(({ server }) => server))];
  return {
    heading: 'Growth with the size of a review',
    text: [
      'A new template of a Deployment with an increasing number of environment variables. Costs grow linearly: each byte is read, decoded and parsed once, and each template is serialized once for its digest.',
    ],
    table: {
      head: ['review (kB)', 'server', 'CPU each (µs)', 'CPU per kB (µs)', 'p99 (ms)'],
      rows: sizes.map(({ bytes, server, cpuMicros, latencyMs }) => [
        bytes / 1000,
        server,
        cpuMicros,
        cpuMicros / (bytes / 1000),
        latencyMs.p99,
      ]),
    },
    plots: [
      {
        file: 'admission-size',
        title: 'Admission: CPU by size of a review',
        x: { name: 'size of the review (kB)', log: true },
        y: { name: 'CPU per review (µs)', log: true },
        series: servers.map((server) => ({
          name: server,
          points: sizes.filter((run) => run.server === server).map(({ bytes, cpuMicros }) => [bytes / 1000, cpuMicros]),
        })),
      },
    ],
  };
}

function growthWithRollouts({ byRollouts }: AdmissionData): Section {
  const counts = [...new Set(byRollouts.map(({ rollouts }) => rollouts))];
  const of = (server: ServerName, rollouts: number): number =>
    byRollouts.find((run) => run.server === server && run.rollouts === rollouts)!.cpuMicros;
  return {
    heading: 'Growth with the number of Rollouts',
    text: [
      'The mix of reviews, with an increasing number of Rollouts. The program finds the Rollout in an index by the name of the Deployment, so their number does not matter. The remaining differences come from the machine, as bare express shows, which has no Rollouts. CPU each, in µs:',
    ],
    table: {
      head: ['Rollouts', ...ALL],
      rows: counts.map((rollouts) => [rollouts, ...ALL.map((server) => of(server, rollouts))]),
    },
    plots: [
      {
        file: 'admission-rollouts',
        title: 'Admission: CPU by the number of Rollouts',
        x: { name: 'Rollouts', log: true },
        y: { name: 'CPU per review (µs)', min: 0 },
        series: ALL.map((server) => ({
          name: server,
          points: counts.map((rollouts) => [rollouts, of(server, rollouts)] as const),
        })),
      },
    ],
  };
}

/** The chart's limit. */
const MEMORY_MIB = 1024;
/** The API server cancels a request after 5 s. */
const SERVED_MS = 2_000;

function floods({ floods: runs = [] }: AdmissionData): Section[] {
  if (runs.length === 0) return [];
  const worst = Math.max(...runs.map(({ latencyMs }) => latencyMs.max));
  const rss = Math.max(...runs.map(({ rssBytes }) => rssBytes)) / MIB;
  return [
    {
      heading: 'Under attack',
      text: [
        `An attacker sends large bodies over many connections, and client certificates are not required. Meanwhile there are ${FLOOD_RATE} real edits per second. The bodies are _junk_, or _valid_ reviews that the program must evaluate.`,
      ],
      table: {
        head: [
          'attack',
          'connections',
          'each (kB)',
          'sent (MB)',
          'edits: p50 (ms)',
          'p99',
          'max',
          'RSS (MiB)',
          'answers',
        ],
        rows: runs.map(({ kind, connections, bytes, bytesSent, latencyMs, rssBytes, answers }) => [
          kind,
          connections,
          bytes / 1000,
          bytesSent / 1e6,
          latencyMs.p50,
          latencyMs.p99,
          latencyMs.max,
          rssBytes / MIB,
          Object.entries(answers)
            .map(([what, count]) => `${what}: ${count}`)
            .join(', '),
        ]),
      },
      goals: [
        {
          what: 'a real edit under attack',
          goal: `answered within ${SERVED_MS} ms`,
          measured: `${shown(worst)} ms`,
          met: worst <= SERVED_MS,
        },
        {
          what: 'memory under attack',
          goal: `below the chart's limit of ${MEMORY_MIB} MiB`,
          measured: `${shown(rss)} MiB`,
          met: rss < MEMORY_MIB,
        },
      ],
    },
  ];
}
