// What the answers to many requests say: how many failed, and which share one version had, with its confidence interval. Pure.

/** How a request is sent: HTTP/1.1 on a connection that is kept, on a new one, or gRPC. */
export type Manner = 'kept' | 'new' | 'grpc';

export interface Answer {
  /** When the request was sent, in milliseconds since the start of the client. */
  readonly sentMs: number;
  readonly manner: Manner;
  /** It had the headers that mark a tester. */
  readonly marked: boolean;
  /** "" if nothing that knows its version has answered. */
  readonly version: string;
  readonly pod: string;
  /** The value that a header had at the Pod, if the client asks for one and the Pod got it. */
  readonly echoed?: string;
  /** Why it failed: a status, or what became of the connection. Undefined: it is the answer of a Pod. */
  readonly problem?: string;
}

/** A part of the answers. */
export interface Selection {
  /** When the requests were sent: from this time on, and before that one. */
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly marked?: boolean;
  readonly manner?: Manner;
}

export const select = (
  answers: readonly Answer[],
  { fromMs = 0, toMs = Infinity, marked, manner }: Selection,
): readonly Answer[] =>
  answers.filter(
    (answer) =>
      answer.sentMs >= fromMs &&
      answer.sentMs < toMs &&
      (marked === undefined || answer.marked === marked) &&
      (manner === undefined || answer.manner === manner),
  );

export const failed = (answers: readonly Answer[]): readonly Answer[] =>
  answers.filter(({ problem }) => problem !== undefined);

/** By version, of the requests that did not fail. */
export function byVersion(answers: readonly Answer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { version, problem } of answers) if (problem === undefined) counts[version] = (counts[version] ?? 0) + 1;
  return counts;
}

/** Shares from 0 to 1. */
export interface Share {
  readonly requests: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** In how many standard deviations the interval ends: 1 in 10,000 is outside of it by chance. */
const WIDTH = 3.89;

/** Of the requests that did not fail, those that this version answered; the interval is Wilson's. Without requests: 0 to 1. */
export function shareOf(answers: readonly Answer[], version: string): Share {
  const counts = byVersion(answers);
  const requests = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (requests === 0) return { requests, share: 0, low: 0, high: 1 };
  const share = (counts[version] ?? 0) / requests;
  const square = WIDTH ** 2;
  const middle = (share + square / (2 * requests)) / (1 + square / requests);
  const half =
    (WIDTH / (1 + square / requests)) *
    Math.sqrt((share * (1 - share)) / requests + square / (4 * requests * requests));
  // At the ends the interval touches 0 and 1, whatever rounding makes of it.
  const low = share === 0 ? 0 : Math.max(0, middle - half);
  const high = share === 1 ? 1 : Math.min(1, middle + half);
  return { requests, share, low, high };
}

export const inPercent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const sayShare = ({ requests, share, low, high }: Share): string =>
  `${inPercent(share)} of ${requests} requests (${inPercent(low)} to ${inPercent(high)})`;

/** Failures by what they were, the most frequent first: `503 × 12 (kept), from 1.2 s to 3.4 s`. */
export function sayFailures(answers: readonly Answer[]): string {
  const groups = Map.groupBy(failed(answers), ({ problem, manner }) => `${problem} (${manner})`);
  return [...groups]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([what, of]) => `${what} × ${of.length}, from ${seconds(of[0]!)} to ${seconds(of.at(-1)!)}`)
    .join('; ');
}

const seconds = ({ sentMs }: Answer): string => `${(sentMs / 1000).toFixed(1)} s`;
