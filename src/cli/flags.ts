// Flags and arguments that several commands share: their help and their parsers.
import type { Overrides } from '../kube/kubeconfig.ts';
import { usageError } from './exit.ts';

/** The options of all commands. */
export interface GlobalFlags extends Overrides {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly requestTimeout?: string;
  /** False with --no-color. */
  readonly color: boolean;
}

/** A flag or an argument in the syntax of commander, and its help. */
export type Described = readonly [syntax: string, help: string];

export const ROLLOUT: Described = [
  '<rollout>',
  'Name of the Rollout, or KIND/NAME of its workload, such as deployment/web or statefulset/db',
];
export const ADDRESS: Described = [
  '--address <url>',
  'Address of Prometheus from this machine, such as http://localhost:9090; default: as in the MetricSource, through the API server',
];
export const TOKEN_FILE: Described = ['--token-file <file>', 'File with a bearer token for --address'];
export const WORKLOAD: Described = ['<workload>', 'Name of the Deployment, or KIND/NAME, such as statefulset/db'];
export const FILES: Described = ['<file...>', 'YAML or JSON files; "-" is standard input'];
export const ALL_NAMESPACES: Described = ['-A, --all-namespaces', 'All namespaces'];
export const WATCH_TIMEOUT: Described = [
  '--timeout <time>',
  'With --watch: stop after this time, such as 90s or 10m, with exit code 3',
];
export const OUTPUT: Described = [
  '-o, --output <format>',
  "Output format: table, wide, json, yaml, name, or jsonpath='{...}'",
];
/** For commands whose output is not Kubernetes objects. */
export const DATA_OUTPUT: Described = [
  '-o, --output <format>',
  "Output format: table, json, yaml, or jsonpath='{...}'",
];
export const DRY_RUN: Described = [
  '--dry-run <mode>',
  'client: print the change without sending it; server: send it without storing it',
];

/** Parses `10m`, `90s`, `1h30m` and `500ms`; a number without a unit is seconds. Returns milliseconds. Throws CliError. */
export function parseDuration(text: string, flag: string): number {
  const parts = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s?)?(?:(\d+)ms)?$/.exec(text);
  if (text === '' || !parts) throw usageError(`invalid ${flag} "${text}": write a duration such as 90s, 10m or 1h30m`);
  const [hours, minutes, seconds, ms] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

export interface Timeout {
  /** As the user wrote it. */
  readonly text: string;
  readonly ms: number;
}

export const parseTimeout = (text: string | undefined): Timeout | undefined =>
  text === undefined ? undefined : { text, ms: parseDuration(text, '--timeout') };

export type DryRun = 'none' | 'client' | 'server';

export function parseDryRun(value: string | undefined): DryRun {
  if (value === undefined || value === 'none') return 'none';
  if (value === 'client' || value === 'server') return value;
  throw usageError(`invalid --dry-run "${value}": write client or server`);
}

/** The end of a message about a change that a dry run did not make. */
export const dryRunNote = (dryRun: DryRun): string => (dryRun === 'none' ? '' : ` (${dryRun} dry run)`);

/** Returns the number of a step, from 1. `what`: the name of the flag or argument. Throws CliError. */
export function parseStep(text: string, what: string): number {
  const step = Number(text);
  if (!/^\d+$/.test(text) || step < 1)
    throw usageError(`invalid ${what} "${text}": write the number of a step, starting at 1`);
  return step;
}

/** Collects the values of a flag that may be repeated. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
