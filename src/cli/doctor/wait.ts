// `kubectl tranche doctor --wait`: checks again until there is no problem, and says on standard error what is still wrong.
import { plural } from '../../engine/lib/text.ts';
import { ApiError, NetworkError } from '../../kube/errors.ts';
import { realClock, sleep } from '../../kube/clock.ts';
import type { Context } from '../context.ts';
import { fit, oneLine } from '../paint.ts';
import { duration } from '../text.ts';
import type { Finding } from './finding.ts';

/** The findings come from many kinds of objects, and from a request that is refused, which nobody can watch. */
const CHECK_EVERY_MS = 2000;

/** Returns the last findings; undefined after Ctrl-C. Throws the error of the last check. */
export async function untilWell(
  { io }: Context,
  waitMs: number,
  check: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[] | undefined> {
  const end = io.now() + waitMs;
  let told: readonly string[] = [];
  for (;;) {
    const result = await check().catch((error: unknown) => {
      if (!mayRecover(error) || io.now() >= end) throw error;
      return error;
    });
    const problems = Array.isArray(result)
      ? (result as readonly Finding[]).filter(({ level }) => level === 'problem').map(({ what }) => what)
      : [(result as Error).message];
    const left = end - io.now();
    if (Array.isArray(result) && (problems.length === 0 || left <= 0)) return result as readonly Finding[];
    const now = problems.map((what) => `  ${oneLine(what).replace(/:$/, '')}`);
    // A time that goes on is no news.
    if (withoutTimes(now) !== withoutTimes(told)) {
      const lines = [`${plural(problems.length, 'problem')}, waiting for ${duration(left)} more:`, ...now];
      io.err(lines.map((line) => `${io.terminal ? fit(line, io.columns) : line}\n`).join(''));
    }
    told = now;
    if (!(await sleep(realClock, Math.max(0, Math.min(CHECK_EVERY_MS, left)), io.signal))) return undefined;
  }
}

const withoutTimes = (lines: readonly string[]): string => lines.join('\n').replace(/\b\d+[smhd](\d+[smhd])?\b/g, '');

/** While the control plane or the webhooks start. */
const mayRecover = (error: unknown): boolean =>
  error instanceof NetworkError || (error instanceof ApiError && (error.code >= 500 || error.code === 429));
