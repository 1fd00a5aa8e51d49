// Times and waits in words, as the plugin and the dashboard write them.
import type { StepAnalysis } from '../api/analysis.ts';
import type { Experience, Wait } from '../engine/steps/plan.ts';

/** `45s`, `12m`, `3h`, `2d`; with a second unit while the first is small, as in kubectl. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return join(`${minutes}m`, seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return join(`${hours}h`, minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 ? join(`${days}d`, hours % 24, 'h') : `${days}d`;
}

const join = (first: string, rest: number, unit: string): string => (rest === 0 ? first : `${first}${rest}${unit}`);

/** The wait after a step, as a verb: `waits for approval`. */
export const describeWait = (wait: Wait): string =>
  wait === 'Approval'
    ? 'waits for approval'
    : wait === 'None'
      ? 'continues immediately'
      : `waits ${duration(wait.seconds * 1000)}${wait.approval ? ' and for approval' : ''}`;

/** `is watched for 10m and 500 requests` */
export const describeWatch = ({ seconds, minTotal = 0 }: StepAnalysis): string =>
  `is watched for ${duration(seconds * 1000)}${minTotal > 0 ? ` and ${minTotal} requests` : ''}`;

/** How long the last releases took, and which: `12m`, `the median of the last 4 completed releases`. */
export const experienceInWords = ({ releases, medianSeconds }: Experience): { took: string; of: string } => ({
  took: duration(medianSeconds * 1000),
  of: releases === 1 ? 'like the last completed release' : `the median of the last ${releases} completed releases`,
});
