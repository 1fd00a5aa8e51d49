// What `kubectl tranche analyze` prints: words with counts, and plots.
import { plural } from '../../engine/lib/text.ts';
import { formatTime } from '../../engine/lib/time.ts';
import { oneLine, type Paint } from '../paint.ts';
import { paintVerdict, short } from '../render/checks.ts';
import { ago, duration, table } from '../text.ts';
import { WANTED } from './halves.ts';
import type { HalvesOptions, JudgedCheck, JudgedHalves, JudgedRelease } from './judge.ts';
import { plotEvidence, plotRates } from './plot.ts';

export interface RenderOptions {
  readonly paint: Paint;
  readonly columns: number;
  readonly now: number;
}

/** `release r7 (2 in the history)` */
const titleOf = ({ past }: JudgedRelease): string =>
  `release ${past.number} (id ${oneLine(past.release.rolloutID) || 'unknown'})`;

/** One release with all checks and plots. */
export function renderRelease(name: string, judged: JudgedRelease, options: RenderOptions): string {
  const { past, checks } = judged;
  const { release, endedAt, outcome } = past;
  const { paint, now } = options;
  const took = duration((endedAt ?? now) - release.startedAt);
  const head =
    `${paint('bold', name)}   ${titleOf(judged)}, began ${formatTime(release.startedAt)}, ` +
    `${endedAt === undefined ? `in progress for ${took}` : `took ${took}, ${oneLine(outcome ?? 'unknown')}`}\n` +
    `  new version ${oneLine(release.revision) || 'unknown'}, stable version ${oneLine(release.stableRevision) || 'unknown'}\n`;
  return (
    head + checks.map((check) => `\n${renderCheck(judged, check, options)}`).join('') + `\n${resultOf([judged])}\n`
  );
}

function renderCheck({ past }: JudgedRelease, check: JudgedCheck, options: RenderOptions): string {
  const { paint, columns } = options;
  const { name, verdict, message, said, source, evidence, alarm, onePod, firstSample, moments } = check;
  const { steps, release } = past;
  const when = verdict === 'Worse' ? ` ${placeOf(past, check)}` : '';
  const lines = [`${paint('bold', oneLine(name))}   ${paintVerdict(verdict, paint)}${when}`, `  ${oneLine(message)}`];
  const counted = moments.some(({ fresh, stable }) => (fresh?.total ?? 0) + (stable?.total ?? 0) > 0);
  if (counted && evidence !== undefined && alarm !== undefined)
    lines.push(
      `  evidence ${short(evidence)}, alarm at ${short(alarm)}${source === undefined ? '' : `; from ${oneLine(source)}`}`,
    );
  if (said !== undefined) lines.push(`  in the release itself, it was ${paintVerdict(said, paint)}`);
  if (onePod !== undefined) lines.push(`  nearly all bad requests were in one Pod: ${oneLine(onePod)}`);
  if (firstSample !== undefined) lines.push(`  the source has no samples before about ${formatTime(firstSample)}`);
  const last = moments.at(-1)?.at ?? release.startedAt;
  const plot = { from: release.startedAt, to: last, steps, columns: columns - 2 };
  if (counted && alarm !== undefined) {
    lines.push('', '  evidence that the new version is worse (logarithmic); the line is the alarm; digits are steps');
    lines.push(...plotEvidence(moments, alarm, plot).map((line) => `  ${line}`));
    lines.push('', '  share of bad requests: n = new version, s = stable version');
    lines.push(...plotRates(moments, plot).map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

/** `at step 1 after 4m` */
const placeOf = ({ release }: JudgedRelease['past'], { step, since }: JudgedCheck): string =>
  `${step === undefined ? '' : `at step ${step} `}after ${duration(since - release.startedAt)}`;

/** Several releases, one line each. */
export function renderReleases(all: readonly JudgedRelease[], { paint, now }: RenderOptions): string {
  const names = all[0]?.checks.map(({ name }) => name) ?? [];
  const rows = all.map(({ past, checks }) => [
    `${past.number}`,
    past.release.rolloutID || '-',
    ago(now - past.release.startedAt),
    past.outcome ?? 'in progress',
    ...checks.map(
      (check) => `${paintVerdict(check.verdict, paint)}${check.verdict === 'Worse' ? ` ${placeOf(past, check)}` : ''}`,
    ),
  ]);
  const notes = all.flatMap((judged) =>
    judged.checks
      .filter(({ verdict }) => verdict === 'Unknown' || verdict === 'Worse')
      .map(({ name, message }) => `- release ${judged.past.number}, ${oneLine(name)}: ${oneLine(message)}\n`),
  );
  const firsts = all.flatMap(({ checks }) => checks.flatMap(({ firstSample }) => firstSample ?? []));
  if (firsts.length > 0) notes.push(`- the source has no samples before about ${formatTime(Math.min(...firsts))}\n`);
  return `${table([['NUMBER', 'RELEASE', 'BEGAN', 'OUTCOME', ...names.map((name) => name.toUpperCase())], ...rows])}${notes.length > 0 ? `\n${notes.join('')}` : ''}\n${resultOf(all)}\n`;
}

export const isBlind = ({ checks }: JudgedRelease): boolean => checks.every(({ verdict }) => verdict === 'Unknown');

/** `would have stopped release 7 (id r7) at step 1 after 4m: check errors; 9 pass` */
export function resultOf(all: readonly JudgedRelease[]): string {
  const stopped = all.flatMap((judged) =>
    judged.stoppedBy === undefined
      ? []
      : [
          `would have stopped ${titleOf(judged)} ${placeOf(judged.past, judged.stoppedBy)}: check ${oneLine(judged.stoppedBy.name)} is Worse`,
        ],
  );
  const blind = all.filter((judged) => judged.stoppedBy === undefined && isBlind(judged)).length;
  const pass = all.length - stopped.length - blind;
  const rest = [
    ...(pass > 0
      ? [all.length === 1 ? 'would not have stopped this release' : `${pass} ${pass === 1 ? 'passes' : 'pass'}`]
      : []),
    ...(blind > 0 ? [all.length === 1 ? 'nothing could be judged' : `${blind} could not be judged`] : []),
  ];
  return [...stopped, ...rest].join('; ');
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/** The false alarms of all checks. */
export function renderHalves(
  all: readonly JudgedHalves[],
  { seed, lengthMs }: HalvesOptions,
  { paint }: RenderOptions,
): string {
  const parts = all.map((one) => {
    const title = paint('bold', oneLine(one.name));
    if (one.unknown !== undefined) return `${title}   not measured: ${oneLine(one.unknown)}\n`;
    const share = one.alarms / one.trials;
    const lines = [
      `${title}   ${plural(one.alarms, 'false alarm')} in ${plural(one.trials, 'trial')}: ${percent(share)} (95 % interval: ${percent(one.low)} to ${percent(one.high)})`,
    ];
    if (one.trials < one.asked)
      lines.push(
        `  ${plural(one.asked - one.trials, 'trial')} without samples of two Pods ${one.asked - one.trials === 1 ? 'does' : 'do'} not count`,
      );
    if (one.tolerances.length > 0) {
      const tried = one.tolerances.map(({ timesStable, alarms }) => `${timesStable}: ${percent(alarms / one.trials)}`);
      lines.push(`  with timesStable ${tried.join(', ')}`);
      lines.push(
        one.enough === undefined
          ? `  none of these makes it at most ${percent(WANTED)}: ${reasonOf(one)}`
          : `  smallest of these with at most ${percent(WANTED)}: timesStable ${one.enough}`,
      );
    }
    if (one.firstSample !== undefined)
      lines.push(`  the source has no samples before about ${formatTime(one.firstSample)}`);
    return `${lines.join('\n')}\n`;
  });
  return (
    `${parts.join('\n')}\nEach trial compares random halves of the Pods of one version for ${duration(lengthMs)} at a random time without a release. ` +
    `To repeat it: --seed ${seed}\n`
  );
}

const reasonOf = ({ trials, high }: JudgedHalves): string =>
  trials < 100
    ? `with ${trials} trials, a single alarm is ${percent(1 / trials)}: try more`
    : `bad requests come in bursts (up to ${percent(high)} false alarms): count them differently, or use onFailure Hold`;
