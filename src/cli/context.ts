// What every command gets: where it runs, the flags that all have, and the cluster once it asks for it.
import type { Api } from '../kube/api.ts';
import type { Overrides } from '../kube/kubeconfig.ts';
import { CliError, EXIT, usageError } from './exit.ts';
import type { Io } from './io.ts';
import { oneLine, painter, type Paint } from './paint.ts';

export interface GlobalFlags extends Overrides {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly requestTimeout?: string;
  /** False with --no-color. */
  readonly color: boolean;
}

export interface Cluster {
  readonly api: Api;
  /** From -n, the context, or `default`. */
  readonly namespace: string;
}

export interface Context {
  readonly io: Io;
  readonly flags: GlobalFlags;
  readonly paint: Paint;
  readonly version: string;
  /** Connects on first use: only then the Kubernetes client is loaded. Throws ConnectionError. */
  cluster(): Promise<Cluster>;
  close(): void;
}

/** Not `tranche`: by that name the webhooks know the operator. */
export const FIELD_MANAGER = 'kubectl-tranche';

export function createContext(io: Io, flags: GlobalFlags, version: string): Context {
  let connected: Promise<Cluster> | undefined;
  let close = (): void => undefined;
  const warned = new Set<string>();

  async function open(): Promise<Cluster> {
    const { connect, findSource } = await import('../kube/connection.ts');
    const { createApi } = await import('../kube/client.ts');
    const source = findSource(flags.kubeconfig, io.env);
    const connection = await connect(source, overridesOf(flags));
    const timeoutMs =
      flags.requestTimeout === undefined ? undefined : parseDuration(flags.requestTimeout, '--request-timeout');
    const api = createApi({
      connection,
      // As kubectl: 0 is no limit.
      ...(timeoutMs === undefined ? {} : { timeoutMs: timeoutMs === 0 ? LONGEST_TIMER_MS : timeoutMs }),
      userAgent: `kubectl-tranche/${version}`,
      fieldManager: FIELD_MANAGER,
      onWarning: (text) => {
        // A write that is tried again is warned of again.
        if (!warned.has(text)) io.err(`Warning: ${text}\n`);
        warned.add(text);
      },
    });
    close = () => api.close();
    return { api, namespace: flags.namespace ?? connection.namespace ?? 'default' };
  }

  return {
    io,
    flags,
    version,
    paint: painter(io.terminal && flags.color && !io.env['NO_COLOR']),
    cluster: () => (connected ??= open()),
    close: () => close(),
  };
}

/** A longer one ends at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function overridesOf(flags: GlobalFlags): Overrides {
  // Commander puts the flags of the command beside them.
  const { context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority } = flags;
  const { clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName } = flags;
  const all = {
    ...{ context, cluster, user, server, token, as, asGroup, asUid, certificateAuthority },
    ...{ clientCertificate, clientKey, insecureSkipTlsVerify, tlsServerName },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

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

/** What a failure is in words and as an exit code. */
export async function explainFailure(error: unknown): Promise<{ message: string; exitCode: number }> {
  if (error instanceof CliError) return { message: oneLine(error.message), exitCode: error.exitCode };
  const { ApiError, NetworkError } = await import('../kube/errors.ts');
  if (error instanceof Error && error.name === 'ConnectionError')
    return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof Error && error.name === 'PathError') return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof Error && error.name === 'WrongObjectError')
    return { message: error.message, exitCode: EXIT.failed };
  if (error instanceof NetworkError) return { message: error.message, exitCode: EXIT.failed };
  if (error instanceof ApiError) {
    const denied = /^admission webhook "[^"]*" denied the request: /.exec(error.message);
    const message = denied ? error.message.slice(denied[0].length) : error.message;
    // A ValidatingAdmissionPolicy answers 422.
    const byPolicy = message.includes("ValidatingAdmissionPolicy '") && message.includes('denied request');
    if (denied || byPolicy || error.code === 403) return { message, exitCode: EXIT.refused };
    if (error.code === 401) return { message: `${message}: log in to the cluster again`, exitCode: EXIT.usage };
    if (message.includes('failed calling webhook')) {
      return { message: `${message}; see what is wrong with: kubectl tranche doctor`, exitCode: EXIT.failed };
    }
    return { message, exitCode: EXIT.failed };
  }
  throw error;
}
