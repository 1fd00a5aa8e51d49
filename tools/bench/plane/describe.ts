// Describes the figures of a real control plane: one row for each goal, and what the requests of a release are.
import type { Section, Table } from '../bench.ts';
import { MIB, shown } from '../text.ts';
import type { Figures, Measured, MeasuredPeer, PlaneData } from './bench.ts';
import type { IdleFigures, MainFigures, RunFigure } from './measure.ts';

interface Row {
  readonly what: string;
  /** At most. */
  readonly goal?: number;
  readonly of: (figures: Figures) => number | undefined;
}

const run =
  (releases: number, of: (run: RunFigure) => number): Row['of'] =>
  ({ main }) => {
    const found = main?.runs.find((one) => one.releases === releases);
    return found && of(found);
  };
const idle =
  (of: (idle: IdleFigures) => number | undefined): Row['of'] =>
  ({ main }) =>
    main?.enrolled === 100 ? of(main.idle) : undefined;
const mib = (bytes: number | undefined): number | undefined => (bytes === undefined ? undefined : bytes / MIB);

const ROWS: readonly Row[] = [
  { what: '1 release: wall, s', of: run(1, ({ wallMs }) => wallMs / 1000) },
  { what: '1 release: not the Pods’ own time, s', goal: 0.19, of: run(1, ({ ownMs }) => ownMs / 1000) },
  { what: '1 release: last Pod Ready → next step shown, ms', goal: 15, of: run(1, ({ shownMs }) => shownMs) },
  { what: '1 release: last Pod Ready → next batch’s first Pod, ms', goal: 42, of: run(1, ({ nextMs }) => nextMs) },
  { what: '20 at once: wall, s', goal: 9, of: run(20, ({ wallMs }) => wallMs / 1000) },
  { what: '100 at once: wall, s', goal: 30, of: run(100, ({ wallMs }) => wallMs / 1000) },
  ...[1, 20, 100].map((n) => ({
    what: `own API requests per release, ${n} at once`,
    goal: 25,
    of: run(n, (of) => of.ownRequests),
  })),
  ...[1, 20, 100].map((n) => ({
    what: `writes of all controllers per release, ${n} at once`,
    goal: 120,
    of: run(n, (of) => of.writes),
  })),
  ...[1, 20].map((n) => ({
    what: `CPU per release, s, ${n} at once`,
    goal: 0.08,
    of: run(n, ({ cpuMs }) => cpuMs / 1000),
  })),
  { what: 'RSS, nothing enrolled, MiB', goal: 110, of: ({ main }) => mib(main?.rssNothing) },
  {
    what: 'RSS, 100 enrolled, MiB',
    goal: 115,
    of: ({ main }) => (main?.enrolled === 100 ? mib(main.rssEnrolled) : undefined),
  },
  { what: 'RSS, 100 releasing, the most, MiB', goal: 150, of: run(100, ({ rssBytes }) => rssBytes / MIB) },
  {
    what: 'RSS after enrolling 1,000 living Deployments at once, MiB',
    goal: 150,
    of: ({ enrolment }) => (enrolment?.deployments === 1_000 ? mib(enrolment.rssBytes) : undefined),
  },
  { what: 'CPU while idle with 100 enrolled, ms a minute', goal: 67, of: idle(({ cpuMs }) => cpuMs) },
  { what: 'the same, beside busy processes', goal: 67, of: idle(({ awakeCpuMs }) => awakeCpuMs) },
  { what: 'wake-ups of the main thread meanwhile, a minute', of: idle(({ wakeUps }) => wakeUps) },
];

export function describePlane({ measured, peers = [] }: PlaneData): Section[] {
  return [
    {
      heading: 'Goals',
      text: [
        `etcd, API server, controller manager, a stand-in for scheduler and kubelet, and the compiled program run on one machine. The program has the flags and variables of the chart's Deployment and of its image, one replica, and the rights of the chart. Each Deployment has ten Pods of one container. A Pod is Ready after 1 s ± 30 %. The steps are 1, 50 % and 100 %, without pauses. The numbers are medians.`,
        `Requests are counted in the audit log of the API server, without renewals of Leases. _All controllers_ are the program and the native ones; a Pod of a release takes some of their writes in any case.`,
        `A virtual machine that is idle as a whole may charge a wake-up with much more than its work: on the machine of this page, a Node program that only has a timer of one second took 460 to 1,400 ms a minute, and 20 to 120 ms while other processes were busy. So the CPU time of the idle program is shown twice: on the idle machine, and beside processes of the lowest priority, one for each core, which use memory.`,
        measured.map(({ which, commit }) => `_${which}_ is commit ${commit}.`).join(' '),
        ...peers.map(({ name, how }) => `_${name}_ ${how}`),
        ...(peers.length > 0 ? [PEERS_TEXT] : []),
        ...failuresOf({ measured, peers }).map((failure) => `**${failure}** Its figures end there.`),
      ],
      table: goalTable(measured, peers),
    },
    ...measured.slice(-1).map(({ which, main }) => requestSection(which, main)),
    ...peers.map(({ name, main }) => requestSection(name, main)),
  ];
}

const failuresOf = ({ measured, peers = [] }: PlaneData): string[] =>
  [...measured.map(({ which, failed }) => ({ name: which, failed })), ...peers].flatMap(({ name, failed }) =>
    failed === undefined ? [] : [`${name} failed: ${oneLine(failed)}.`],
  );

/** Its message may be long, and the page is a table. */
const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').slice(0, 300);

/** Which programs could not be measured to the end, and why. */
export function failureOf(data: PlaneData): string | undefined {
  const failures = failuresOf(data);
  return failures.length === 0 ? undefined : failures.join(' ');
}

const PEERS_TEXT =
  'Every program runs on a control plane of its own, one after the other on the same machine, with the same Pods. _Not behind_ says whether _now_ is at most what each other program has in the same run. The goals for times are what Argo Rollouts took on a faster machine, where one release took 0.19 s besides its Pods, and 100 at once 31.8 s. On a slower machine, its own column is the measure.';

function goalTable(measured: readonly Measured[], peers: readonly MeasuredPeer[]): Table {
  return {
    head: [
      ...['', 'goal', ...measured.map(({ which }) => which), 'met'],
      ...(peers.length > 0 ? [...peers.map(({ name }) => name), 'not behind'] : []),
    ],
    rows: ROWS.map(({ what, goal, of }) => {
      const values = measured.map(of);
      const others = peers.map(of);
      const now = values.at(-1);
      return [
        ...[what, goal === undefined ? '' : `at most ${shown(goal)}`, ...values.map(cell), answer(now, [goal])],
        ...(peers.length > 0 ? [...others.map(cell), answer(now, others)] : []),
      ];
    }),
  };
}

const cell = (value: number | undefined): string => (value === undefined ? 'not measured' : shown(value));

/** Is the value at most each of the limits? Empty if there is nothing to compare. A stored null was not a number. */
function answer(value: number | undefined, limits: readonly (number | undefined)[]): string {
  const known = limits.filter((limit) => Number.isFinite(limit)) as number[];
  if (value === undefined || known.length === 0) return '';
  return known.every((limit) => value <= limit) ? 'yes' : '**no**';
}

/** The requests of one release, by who sends them. */
function requestSection(name: string, main: MainFigures | undefined): Section {
  const runs = main?.runs ?? [];
  const names = [...new Set(runs.flatMap(({ requests }) => Object.keys(requests)))];
  const most = (what: string): number => Math.max(...runs.map(({ requests }) => requests[what] ?? 0));
  return {
    heading: `Requests per release (${name})`,
    text: ['All requests of the program, and the writes of the native controllers. Rows below 0.05 are left out.'],
    table: {
      head: ['request', ...runs.map(({ releases }) => `${releases} at once`)],
      rows: names
        .filter((what) => most(what) >= 0.05)
        .toSorted((a, b) => most(b) - most(a))
        .map((what) => [what, ...runs.map(({ requests }) => requests[what] ?? 0)]),
    },
  };
}
