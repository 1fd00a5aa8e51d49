// Measures the operator on a real control plane (BIN), of this checkout and, to compare, of another one (SRC), in turns.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../bench.ts';
import { builtProgram } from '../plain.ts';
import { describePlane } from './describe.ts';
import { measureEnrolment, measureMain, type EnrolFigures, type MainFigures, type RunOptions } from './measure.ts';

/** The figures of one checkout. Parts that were not chosen are absent. */
export interface Measured {
  /** `before` is the checkout in SRC. */
  readonly which: 'before' | 'now';
  readonly commit: string;
  readonly main?: MainFigures;
  readonly enrolment?: EnrolFigures;
}

export interface PlaneData {
  readonly measured: readonly Measured[];
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
  /** Comma-separated: 1, 20, 100 (releases at once), enrol. Empty: all. */
  readonly parts: string;
}

export class ChoiceError extends Error {}

/** Throws ChoiceError. */
export function planeBench({ bin, src, parts }: PlaneChoice): Bench<PlaneData> {
  const checkouts = checkoutsOf(src);
  const chosen = partsOf(parts);
  const program = path.resolve(bin);
  if (bin !== '' && !existsSync(program))
    throw new ChoiceError(`BIN: Invalid value: ${JSON.stringify(bin)}: no such file`);
  return {
    name: 'plane',
    title: 'Operator, on a real control plane',
    async run({ quick, progress }) {
      for (const { folder } of checkouts) await builtProgram(folder);
      const common = ({ which, folder }: Checkout) => ({
        ...{ bin: program, checkout: folder },
        say: (line: string) => progress(`${which}: ${line}`),
      });
      const wanted = (part: Part): boolean =>
        chosen.size > 0 ? chosen.has(part) : !quick || part === '1' || part === '20';
      const all: RunOptions[] = [
        { releases: 1, rounds: quick ? 3 : 5 },
        { releases: 20, rounds: quick ? 1 : 2 },
        { releases: 100, rounds: 1 },
      ];
      const runs = all.filter(({ releases }) => wanted(String(releases) as Part));
      const mains = new Map<Checkout, MainFigures>();
      const enrolments = new Map<Checkout, EnrolFigures>();
      for (const checkout of checkouts) {
        if (runs.length === 0) continue;
        const enrolled = wanted('100') || !quick ? 100 : 20;
        mains.set(checkout, await measureMain({ ...common(checkout), enrolled, idleSeconds: quick ? 15 : 45, runs }));
      }
      for (const checkout of checkouts) {
        if (!wanted('enrol')) continue;
        const [deployments, waitSeconds] = quick ? [300, 45] : [1_000, 60];
        enrolments.set(checkout, await measureEnrolment({ ...common(checkout), deployments, waitSeconds }));
      }
      return {
        measured: checkouts.map((checkout): Measured => {
          const [main, enrolment] = [mains.get(checkout), enrolments.get(checkout)];
          const { which, folder } = checkout;
          return { which, commit: commitOf(folder), ...(main && { main }), ...(enrolment && { enrolment }) };
        }),
      };
    },
    describe: describePlane,
  };
}

function checkoutsOf(src: string | undefined): Checkout[] {
  const now: Checkout = { which: 'now', folder: fileURLToPath(new URL('../../../', import.meta.url)) };
  if (!src) return [now];
  const folder = `${path.resolve(src)}/`;
  if (!existsSync(path.join(folder, 'charts/tranche')) || !existsSync(path.join(folder, 'node_modules')))
    throw new ChoiceError(`SRC: Invalid value: ${JSON.stringify(src)}: must be a checkout after npm ci`);
  return [{ which: 'before', folder }, now];
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
