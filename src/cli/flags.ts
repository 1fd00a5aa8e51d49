// Flags and arguments that several commands have: how they stand in the help, and how they are read.
import type { Overrides } from '../kube/kubeconfig.ts';
import { usageError } from './exit.ts';

/** What every command takes. */
export interface GlobalFlags extends Overrides {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly requestTimeout?: string;
  /** False with --no-color. */
  readonly color: boolean;
}

/** A flag or an argument as commander reads it, and what the help says of it. */
export type Described = readonly [syntax: string, help: string];

export const ROLLOUT: Described = ['<rollout>', 'its name; or deployment/NAME for the Rollout of that Deployment'];
export const FILES: Described = ['<file...>', 'YAML or JSON files; "-" is standard input'];
export const ALL_NAMESPACES: Described = ['-A, --all-namespaces', 'of all namespaces'];
export const WATCH_TIMEOUT: Described = [
  '--timeout <time>',
  'with --watch: end with 3 after that time, such as 90s or 10m',
];
export const OUTPUT: Described = ['-o, --output <format>', "table, wide, json, yaml, name, or jsonpath='{...}'"];
/** Of commands that print no Kubernetes objects. */
export const DATA_OUTPUT: Described = ['-o, --output <format>', "table, json, yaml, or jsonpath='{...}'"];
export const DRY_RUN: Described = [
  '--dry-run <mode>',
  'client: say what would be done; server: let the cluster judge it, and change nothing',
];

/** `10m`, `90s`, `1h30m`, `500ms`; a bare number is seconds. In milliseconds. */
export function parseDuration(text: string, flag: string): number {
  const parts = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s?)?(?:(\d+)ms)?$/.exec(text);
  if (text === '' || !parts) throw usageError(`${flag} "${text}" is not a duration: write 90s, 10m or 1h30m`);
  const [hours, minutes, seconds, ms] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

export interface Timeout {
  /** As it was written. */
  readonly text: string;
  readonly ms: number;
}

export const parseTimeout = (text: string | undefined): Timeout | undefined =>
  text === undefined ? undefined : { text, ms: parseDuration(text, '--timeout') };

export type DryRun = 'none' | 'client' | 'server';

export function parseDryRun(value: string | undefined): DryRun {
  if (value === undefined || value === 'none') return 'none';
  if (value === 'client' || value === 'server') return value;
  throw usageError(`--dry-run "${value}" is not a choice: write client or server`);
}

/** What follows a sentence about a change that was not made. */
export const dryRunNote = (dryRun: DryRun): string =>
  dryRun === 'none' ? '' : ` (${dryRun} dry run: nothing was changed)`;

/** The number of a step, from 1. `what`: the flag or the argument. */
export function parseStep(text: string, what: string): number {
  const step = Number(text);
  if (!/^\d+$/.test(text) || step < 1) throw usageError(`${what} "${text}" is not a step: write its number, from 1`);
  return step;
}

/** `web` for `web`, `deployment/web` and `deployments.apps/web`. */
export const deploymentName = (argument: string): string => argument.replace(/^deploy(?:ment)?s?(?:\.apps)?\//, '');

/** For a flag that may be given several times. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
