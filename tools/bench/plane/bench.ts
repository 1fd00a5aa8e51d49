// Measures the operator on a real control plane (BIN), of this checkout and, to compare, of another one (SRC) and of other programs, in turns.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { endAll } from '../../../test/support/processes.ts';
import type { Bench, BenchContext } from '../bench.ts';
import { builtProgram } from '../plain.ts';
import { ChoiceError, folderOf } from './choice.ts';
import { describePlane, failureOf } from './describe.ts';
import { inTurns } from './in-turns.ts';
import { measureEnrolment, measureMain, type EnrolFigures, type MainFigures, type RunOptions } from './measure.ts';
import { argo } from './subject-argo.ts';
import { kruise } from './subject-kruise.ts';
import { tranche } from './subject-tranche.ts';
import type { Peer, Subject } from './subject.ts';

/** The figures of one program. Parts that were not chosen are absent. */
export interface Figures {
  readonly main?: MainFigures;
  readonly enrolment?: EnrolFigures;
  /** Why the program could not be measured to the end. The figures from before are kept. */
  readonly failed?: string;
}

/** Of one checkout. */
export interface Measured extends Figures {
  /** `before` is the checkout in SRC. */
  readonly which: 'before' | 'now';
  readonly commit: string;
}

export interface MeasuredPeer extends Figures, Pick<Peer, 'name' | 'how'> {}

export interface PlaneData {
  readonly measured: readonly Measured[];
  /** Absent in older reports. */
  readonly peers?: readonly MeasuredPeer[];
}

const PARTS = ['1', '20', '100', 'enrol'] as const;
type Part = (typeof PARTS)[number];

interface Checkout {
  readonly which: Measured['which'];
  readonly folder: string;
}

export interface PlaneChoice {
  /** The program with the sub-commands etcd, kube-apiserver and kube-controller-manager. */
  readonly bin: string;
  /** Another checkout, with its dependencies installed. */
  readonly src?: string | undefined;
  /** Checkouts of Argo Rollouts and of OpenKruise Rollouts, with their built programs. */
  readonly argo?: string | undefined;
  readonly kruise?: string | undefined;
  /** Comma-separated: 1, 20, 100 (releases at once), enrol. Empty: all. */
  readonly parts: string;
}

/** Throws ChoiceError. */
export function planeBench(choice: PlaneChoice): Bench<PlaneData> {
  const { bin, src } = choice;
  const checkouts = checkoutsOf(src);
  const chosen = partsOf(choice.parts);
  const program = path.resolve(bin);
  if (bin !== '' && !existsSync(program))
    throw new ChoiceError(`BIN: Invalid value: ${JSON.stringify(bin)}: no such file`);
  const peers = [...(choice.argo ? [argo(choice.argo)] : []), ...(choice.kruise ? [kruise(choice.kruise)] : [])];
  return {
    name: 'plane',
    title: 'Operator, on a real control plane',
    async run(context) {
      for (const { folder } of checkouts) await builtProgram(folder);
      const subjects = [
        ...checkouts.map(({ which, folder }) => ({ name: which, subject: tranche(folder) })),
        ...peers.map((peer) => ({ name: peer.name, subject: peer })),
      ];
      const figures = await measureAll(program, subjects, chosen, context);
      return {
        measured: checkouts.map(({ which, folder }, i) => ({ which, commit: commitOf(folder), ...figures[i] })),
        ...(peers.length > 0 && {
          peers: peers.map(({ name, how }, i) => ({ name, how, ...figures[checkouts.length + i] })),
        }),
      };
    },
    describe: describePlane,
    failure: failureOf,
  };
}

/** In the order of `subjects`. */
async function measureAll(
  bin: string,
  subjects: readonly { readonly name: string; readonly subject: Subject }[],
  chosen: ReadonlySet<Part>,
  { quick, progress }: BenchContext,
): Promise<Figures[]> {
  const wanted = (part: Part): boolean =>
    chosen.size > 0 ? chosen.has(part) : !quick || part === '1' || part === '20';
  const all: RunOptions[] = [
    { releases: 1, rounds: quick ? 3 : 5 },
    { releases: 20, rounds: quick ? 1 : 2 },
    { releases: 100, rounds: 1 },
  ];
  const runs = all.filter(({ releases }) => wanted(String(releases) as Part));
  const optionsOf = ({ name, subject }: (typeof subjects)[number]) => ({
    ...{ bin, subject },
    say: (line: string) => progress(`${name}: ${line}`),
  });
  const enrolled = wanted('100') || !quick ? 100 : 20;
  const [deployments, waitSeconds] = quick ? [300, 45] : [1_000, 60];
  return inTurns(
    subjects,
    {
      ...(runs.length > 0 && {
        main: (one) => measureMain({ ...optionsOf(one), enrolled, idleSeconds: quick ? 15 : 45, runs }),
      }),
      ...(wanted('enrol') && {
        enrolment: (one) => measureEnrolment({ ...optionsOf(one), deployments, waitSeconds }),
      }),
    },
    async ({ name }, error) => {
      progress(`${name} failed: ${(error as Error).stack ?? String(error)}`);
      // Nothing of it may run beside the next program.
      await endAll();
    },
  );
}

function checkoutsOf(src: string | undefined): Checkout[] {
  const now: Checkout = { which: 'now', folder: fileURLToPath(new URL('../../../', import.meta.url)) };
  if (!src) return [now];
  return [
    { which: 'before', folder: folderOf('SRC', src, ['charts/tranche', 'node_modules'], 'a checkout after npm ci') },
    now,
  ];
}

function partsOf(parts: string): ReadonlySet<Part> {
  const names = parts.split(',').filter((name) => name !== '');
  const unknown = names.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined)
    throw new ChoiceError(`PARTS: Unsupported value: ${JSON.stringify(unknown)}: write some of ${PARTS.join(',')}`);
  return new Set(names as Part[]);
}

function commitOf(cwd: string): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { cwd, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
