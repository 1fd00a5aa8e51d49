// Describes the results of the soak. Pure.
import type { Goal, Plot, Section } from '../bench.ts';
import { MIB, shown } from '../text.ts';
import type { SoakData, What } from './bench.ts';

const NAMES: Readonly<Record<What, { readonly name: string; readonly unit: string; readonly per: number }>> = {
  rssBytes: { name: 'RSS', unit: 'MiB', per: MIB },
  heapBytes: { name: 'heap and buffers', unit: 'MiB', per: MIB },
  handles: { name: 'open files and sockets', unit: '', per: 1 },
  sockets: { name: 'sockets', unit: '', per: 1 },
  resources: { name: 'timers, sockets and requests of the event loop', unit: '', per: 1 },
};
const WHATS = Object.keys(NAMES) as What[];

const lengthOf = (seconds: number): string =>
  seconds < 120 ? `${shown(seconds)} seconds` : `${shown(seconds / 60)} minutes`;

export function describeSoak({
  workloads,
  seconds,
  warmSeconds,
  planted,
  points,
  verdicts,
  clusterRssBytes,
}: SoakData): Section[] {
  const judged = points.filter((point) => point.seconds > warmSeconds);
  const releases = (judged.at(-1)?.releases ?? 0) - (judged[0]?.releases ?? 0);
  const amount = (what: What, value: number): string => `${shown(value / NAMES[what].per)} ${NAMES[what].unit}`.trim();
  const rows = WHATS.map((what) => {
    const { growth, steadiness, allowed } = verdicts[what];
    const values = judged.map((point) => point[what]);
    return [
      NAMES[what].name,
      amount(what, values[0] ?? NaN),
      amount(what, values.at(-1) ?? NaN),
      amount(what, growth),
      Number(steadiness.toFixed(2)),
      amount(what, allowed),
    ];
  });
  const goals = WHATS.map((what): Goal => {
    const { growth, leaks } = verdicts[what];
    return {
      what: `${NAMES[what].name} does not grow`,
      goal: 'flat',
      measured: leaks ? `grows: ${amount(what, growth)}` : 'flat',
      met: !leaks,
    };
  });
  const plot = (file: string, title: string, unit: string, whats: readonly What[]): Plot => ({
    file,
    title,
    x: { name: 'minutes', min: 0 },
    y: { name: unit, min: 0 },
    series: whats.map((what) => ({
      name: NAMES[what].name,
      points: points.map((point) => [
        Number((point.seconds / 60).toFixed(3)),
        Number((point[what] / NAMES[what].per).toFixed(2)),
      ]),
    })),
  });
  const finds = verdicts.heapBytes.allowed / Math.max(releases, 1) / 1024;
  return [
    {
      heading: `${lengthOf(seconds)} of releases`,
      text: [
        `${planted ? '**A leak was planted in this run.** ' : ''}${workloads} Deployments are released continuously, in three steps. Releases are approved, rolled back, or replaced by a
newer version, and Rollouts are deleted and created again: ${shown(points.at(-1)?.releases ?? 0)} releases. Each point is taken after a garbage collection. The first ${lengthOf(warmSeconds)} do not count,
because caches, connections and compiled code grow to their final size. _Growth_ is the median slope between all pairs of the other points. Growth is a leak, and the run fails, if it is
more than _allowed_ and steady (1 = each point is above the previous one, 0 = half of them are below).`,
        `A run of this length finds a leak of ${shown(finds)} KiB per release in the heap. A longer run finds smaller leaks (\`make bench ONLY=soak SECONDS=3600\` takes an hour). To test that leaks are found,
plant one of 1 MB per release: \`PLANT_LEAK=1 make bench ONLY=soak QUICK=1\` must fail. The embedded cluster, which is not judged, had ${shown(clusterRssBytes / MIB)} MiB at the end. \`make soak\` is another test: random histories with crashes and
faults.`,
      ],
      table: { head: ['what', 'first', 'last', 'growth', 'steadiness', 'allowed'], rows },
      goals,
      plots: [
        plot('soak-memory', 'Soak: memory', 'MiB', ['rssBytes', 'heapBytes']),
        plot('soak-handles', 'Soak: open files, sockets, and handles of the event loop', 'number', [
          'handles',
          'sockets',
          'resources',
        ]),
      ],
    },
  ];
}
