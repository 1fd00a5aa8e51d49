// `kubectl tranche analyze`: judges past releases with the checks of a Rollout. It changes nothing.
import type { Rollout } from '../../api/types.ts';
import type { JudgedRelease } from '../analyze/judge.ts';
import { covering, releasesOf, type PastRelease } from '../analyze/past.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { ADDRESS, DATA_OUTPUT, parseDuration, TOKEN_FILE } from '../flags.ts';
import { isTable, parseFormat, printData } from '../output.ts';
import { gather, getRollout, getStored } from '../resources.ts';

interface AnalyzeFlags {
  readonly at?: string;
  readonly from?: string;
  readonly to?: string;
  readonly releases?: string;
  readonly aa?: string;
  readonly seed?: string;
  readonly filename?: string;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly output?: string;
}

export const analyze = defineCommand({
  description:
    'Judges a past release with the checks of the Rollout, as the operator would have judged it, and changes nothing. Without options, it judges the ' +
    'release in progress, or the last one. Reads metrics with your permissions: through the API server if the MetricSource names a Service (the ' +
    'permission to get services/proxy), otherwise at --address. Checks without a past, such as those of the metrics APIs, are not judged. The exit code ' +
    'is 1 if a check is Worse, or if nothing could be judged.',
  arguments: [['[rollout]', 'Name of the Rollout, or deployment/NAME; not needed if -f contains the Rollout']],
  options: [
    ['--at <time>', 'Judge the release that was in progress at this time, such as 24h (ago) or 2026-01-02T03:04:05Z'],
    ['--from <time>', 'With --to: judge only this interval of a release'],
    ['--to <time>', 'End of the interval'],
    ['--releases <number>', 'Judge the last releases, at most 10'],
    [
      '--aa <number>',
      'Measure false alarms: compare random halves of the Pods of one version this many times, at random times without a release',
    ],
    ['--seed <number>', 'With --aa: repeat the same choice of times and Pods'],
    [
      '-f, --filename <file>',
      'Use the checks of the Rollout in this file, before it is applied; "-" is standard input',
    ],
    ADDRESS,
    TOKEN_FILE,
    DATA_OUTPUT,
  ],
  examples: [
    'kubectl tranche analyze web --releases 10',
    'kubectl tranche analyze web -f rollout.yaml --releases 10   # before it is applied',
    'kubectl tranche analyze web --aa 200',
  ],
  run: analyzeRollout,
});

const MOST_RELEASES = 10;
const MOST_TRIALS = 10_000;

async function analyzeRollout(context: Context, flags: AnalyzeFlags, name: string | undefined): Promise<number> {
  const { io } = context;
  const format = parseFormat(flags.output, ['table', 'json', 'yaml']);
  const mode = modeOf(flags, io.now());
  const { createSources } = await import('../analyze/sources.ts');
  const cluster = await context.cluster();
  const rollout = await subjectOf(context, cluster, flags.filename, name);
  const checks = rollout.spec.strategy.canary?.analysis ?? [];
  if (checks.length === 0)
    throw new CliError(
      `${rollout.metadata.name} has no checks: write spec.strategy.canary.analysis, or try some with -f rollout.yaml`,
    );
  const facts = await gather(cluster, rollout, io.now());
  const releases = releasesOf(rollout, facts.deployment, checks);
  const sources = createSources(cluster, flags);
  const bench = { ...facts, checks, sources, now: io.now(), signal: io.signal };
  const options = { paint: context.paint, columns: io.columns, now: io.now() };
  try {
    if (mode.kind === 'Halves') {
      const { judgeHalves } = await import('../analyze/judge.ts');
      const { WANTED } = await import('../analyze/halves.ts');
      const { renderHalves } = await import('../analyze/render.ts');
      const trial = { ...mode, lengthMs: lengthOf(rollout) };
      const judged = [];
      for (const check of checks) judged.push(await judgeHalves(bench, check, releases, trial));
      if (isTable(format)) io.out(renderHalves(judged, trial, options));
      else
        await printData(context, format, {
          rollout: rollout.metadata.name,
          seed: mode.seed,
          seconds: trial.lengthMs / 1000,
          checks: judged,
        });
      const measured = judged.filter(({ unknown }) => unknown === undefined);
      return measured.length === 0 || measured.some(({ low }) => low > WANTED) ? EXIT.failed : EXIT.done;
    }
    const { judgeRelease } = await import('../analyze/judge.ts');
    const { isBlind, renderRelease, renderReleases } = await import('../analyze/render.ts');
    const chosen = choose(rollout, releases, mode);
    const judged = [];
    for (const past of chosen) judged.push(await judgeRelease(bench, past));
    if (!isTable(format)) await printData(context, format, await dataOf(rollout, judged, mode.kind !== 'Last'));
    else if (mode.kind === 'Last') io.out(renderReleases(judged, options));
    else io.out(renderRelease(rollout.metadata.name, judged[0]!, options));
    const bad = judged.every(isBlind) || judged.some(({ stoppedBy }) => stoppedBy !== undefined);
    return bad ? EXIT.failed : EXIT.done;
  } catch (error) {
    if (io.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    sources.close();
  }
}

type Mode =
  | { readonly kind: 'Current' }
  | { readonly kind: 'At'; readonly at: number; readonly text: string }
  | { readonly kind: 'Interval'; readonly from: number; readonly to: number }
  | { readonly kind: 'Last'; readonly count: number }
  | { readonly kind: 'Halves'; readonly trials: number; readonly seed: number };

function modeOf(flags: AnalyzeFlags, now: number): Mode {
  const { at, from, to, releases, aa, seed } = flags;
  const given = [at, from ?? to, releases, aa].filter((value) => value !== undefined);
  if (given.length > 1) throw usageError('write only one of --at, --from with --to, --releases and --aa');
  if (seed !== undefined && aa === undefined) throw usageError('--seed requires --aa');
  if (at !== undefined) return { kind: 'At', at: parseMoment(at, now, '--at'), text: at };
  if (releases !== undefined) return { kind: 'Last', count: parseCount(releases, '--releases', MOST_RELEASES) };
  if (aa !== undefined)
    return {
      kind: 'Halves',
      trials: parseCount(aa, '--aa', MOST_TRIALS),
      seed: seed === undefined ? now % 1_000_000 : parseCount(seed, '--seed', 2 ** 31),
    };
  if (from === undefined && to === undefined) return { kind: 'Current' };
  if (from === undefined || to === undefined) throw usageError('--from and --to require each other');
  const interval = { from: parseMoment(from, now, '--from'), to: parseMoment(to, now, '--to') };
  if (interval.from >= interval.to) throw usageError(`--from ${from} is not before --to ${to}`);
  return { kind: 'Interval', ...interval };
}

/** A time such as `2026-01-02T03:04:05Z`, or how long ago, such as `90m` or `2d12h`. Milliseconds since the epoch. Throws CliError. */
export function parseMoment(text: string, now: number, flag: string): number {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(at)) {
    if (at > now) throw usageError(`invalid ${flag} "${text}": must be in the past`);
    return at;
  }
  const [, days, rest] = /^(?:(\d{1,4})d)?(.*)$/s.exec(text)!;
  if (text === '' || !/^[\dhms]*$/.test(rest!))
    throw usageError(
      `invalid ${flag} "${text}": write a time such as 2026-01-02T03:04:05Z, or how long ago, such as 24h`,
    );
  return now - Number(days ?? 0) * 86_400_000 - (rest === '' ? 0 : parseDuration(rest!, flag));
}

function parseCount(text: string, flag: string, most: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > most)
    throw usageError(`invalid ${flag} "${text}": write a number from 1 to ${most}`);
  return count;
}

/** The Rollout with its history, and with the checks of the file if there is one. */
async function subjectOf(
  context: Context,
  cluster: Cluster,
  file: string | undefined,
  name: string | undefined,
): Promise<Rollout> {
  if (file === undefined) {
    if (name === undefined) throw usageError('specify a Rollout: write its name, or -f with a file that contains one');
    return getRollout(cluster, name);
  }
  const { rolloutIn } = await import('../files/rollout.ts');
  const written = await rolloutIn(context.io, file);
  if (name !== undefined && written.metadata.name !== name)
    throw usageError(`${file} contains Rollout "${written.metadata.name}", not "${name}": remove the name or the file`);
  return getStored(cluster, written);
}

function choose(
  rollout: Rollout,
  releases: readonly PastRelease[],
  mode: Exclude<Mode, { kind: 'Halves' }>,
): readonly PastRelease[] {
  const { name } = rollout.metadata;
  const [newest] = releases;
  if (newest === undefined)
    throw new CliError(`${name} has no releases in its history yet: to measure false alarms without one: --aa 200`);
  switch (mode.kind) {
    case 'Current':
      return [newest];
    case 'Last':
      return releases.slice(0, mode.count);
    case 'At': {
      const found = covering(releases, mode.at);
      if (found) return [found];
      const before = releases.find(({ release }) => release.startedAt <= mode.at);
      const last = before
        ? `; the last one before began at ${new Date(before.release.startedAt).toISOString()}: write a time within it`
        : `; the history of ${name} begins later`;
      throw new CliError(`no release of ${name} was in progress at ${new Date(mode.at).toISOString()}${last}`);
    }
    case 'Interval': {
      const found = releases.find(({ release }) => release.startedAt < mode.to);
      if (found === undefined) throw new CliError(`the history of ${name} has no release before --to`);
      const release = { ...found.release, startedAt: mode.from };
      return [{ ...found, release, endedAt: mode.to }];
    }
  }
}

const SHORTEST_TRIAL_MS = 10 * 60_000;
const USUAL_TRIAL_MS = 30 * 60_000;

/** About how long a release is watched: the sum of the times of its steps. */
function lengthOf({ spec }: Rollout): number {
  const steps = spec.strategy.canary?.steps ?? [];
  const seconds = steps.reduce(
    (sum, { analysis, pause }) => sum + (analysis?.seconds ?? 0) + (pause?.duration ?? 0),
    0,
  );
  return seconds === 0 ? USUAL_TRIAL_MS : Math.max(SHORTEST_TRIAL_MS, seconds * 1000);
}

async function dataOf(rollout: Rollout, judged: readonly JudgedRelease[], withMoments: boolean): Promise<object> {
  const { formatTime } = await import('../../engine/lib/time.ts');
  const time = (at: number | undefined): string | undefined => (at === undefined ? undefined : formatTime(at));
  return {
    rollout: rollout.metadata.name,
    namespace: rollout.metadata.namespace,
    releases: judged.map(({ past, checks, stoppedBy }) => ({
      number: past.number,
      rolloutID: past.release.rolloutID,
      revision: past.release.revision,
      stableRevision: past.release.stableRevision,
      startTime: time(past.release.startedAt),
      endTime: time(past.endedAt),
      outcome: past.outcome,
      stoppedBy: stoppedBy?.name,
      checks: checks.map(({ since, firstSample, moments, ...check }) => ({
        ...check,
        since: time(since),
        firstSample: time(firstSample),
        ...(withMoments && { looks: moments.map(({ at, ...moment }) => ({ time: time(at), ...moment })) }),
      })),
    })),
  };
}
