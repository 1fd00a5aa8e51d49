// DORA figures in words.
import { plural } from '../../engine/lib/text.ts';
import { figuresOf, LEAST, type History, type Measured } from '../figures.ts';
import { duration } from '../words.ts';
import { at } from './text.ts';
import type { Figure, Figures } from './types.ts';

/** `histories`: of one or more Rollouts. `now`: milliseconds since the epoch. */
export function figuresView(histories: readonly History[], now: number): Figures {
  const { ended, since, leadTime, frequency, failureRate, timeToRestore } = figuresOf(histories, now);
  const completed = (over: number): string => plural(over, 'completed release');
  const missing = leadTime === undefined || frequency === undefined || failureRate === undefined;
  return {
    releases: ended,
    ...at('since', since),
    ...(leadTime && { leadTime: seconds(leadTime, `median of ${completed(leadTime.over)}`) }),
    ...(frequency && {
      frequency: {
        ...rounded(frequency),
        unit: 'per week',
        text: `${short(frequency.value)} per week`,
        says: completed(frequency.over),
      },
    }),
    ...(failureRate && {
      failureRate: {
        ...rounded(failureRate),
        unit: 'percent',
        text: `${Math.round(failureRate.value)} %`,
        says: `of ${plural(failureRate.over, 'release')} that were completed, rolled back or failed`,
      },
    }),
    ...(timeToRestore && {
      timeToRestore: seconds(
        timeToRestore,
        `median of ${plural(timeToRestore.over, 'release')} that ${timeToRestore.over === 1 ? 'was' : 'were'} rolled back`,
      ),
    }),
    ...(missing && {
      missing:
        ended === 0
          ? `no release has ended yet: figures need at least ${LEAST}`
          : `${plural(ended, 'release')} ${ended === 1 ? 'has' : 'have'} ended: each figure needs at least ${LEAST} with known times`,
    }),
  };
}

const seconds = (measured: Measured, says: string): Figure => ({
  ...rounded(measured),
  unit: 'seconds',
  text: duration(measured.value * 1000),
  says,
});

/** Two digits after the point. */
const rounded = ({ value, over }: Measured): Measured => ({ value: Math.round(100 * value) / 100, over });

/** `0.25`, `3.5`, `12` */
const short = (value: number): string => `${value >= 10 ? Math.round(value) : Number(value.toPrecision(2))}`;
