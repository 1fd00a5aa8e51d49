// Tries the checks of a Rollout on the cluster: whether each of their queries returns anything now, of the right Pods.
import type { AnalysisCheck } from '../../api/analysis.ts';
import type { Rollout } from '../../api/types.ts';
import { queriesOf, type Query, type Release, type Series, type Unknown } from '../../engine/analysis/query.ts';
import { selectorText } from '../../engine/lib/selector.ts';
import { plural, pods as countPods } from '../../engine/lib/text.ts';
import { KubernetesMetrics } from '../../metric-sources/kubernetes.ts';
import { findReleaseObject } from '../../metric-sources/objects.ts';
import type { MetricSource } from '../../metric-sources/source.ts';
import type { Cluster } from '../cluster.ts';
import type { Finding } from '../files/check.ts';
import { gather } from '../resources.ts';
import type { Reached, Sources } from './sources.ts';

/** A finding and the field that it is about. */
export interface Tried extends Pick<Finding, 'level' | 'message'> {
  readonly field: string;
}

interface Trial {
  readonly cluster: Cluster;
  readonly sources: Sources;
  readonly check: AnalysisCheck;
  readonly release: Release;
  /** Names of the Pods that exist. */
  readonly pods: readonly string[];
  readonly now: number;
  readonly signal: AbortSignal;
}

export interface LiveOptions {
  readonly sources: Sources;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** Samples of the last seconds may not be there yet. */
const LAG_MS = 30_000;
const SHOWN = 3;

/** Rejects if the signal is aborted. */
export async function tryChecks(
  cluster: Cluster,
  rollout: Rollout,
  { sources, now, signal }: LiveOptions,
): Promise<Tried[]> {
  const { namespace = cluster.namespace } = rollout.metadata;
  const { deployment, pods, view } = await gather(cluster, rollout, now);
  if (deployment === undefined)
    return [
      {
        level: 'error',
        field: 'spec.workloadRef.name',
        message: `the checks cannot be tried: there is no ${rollout.spec.workloadRef.kind} ${rollout.spec.workloadRef.name} in namespace ${namespace}`,
      },
    ];
  const checks = rollout.spec.strategy.canary?.analysis ?? [];
  const { canaryRevision, stableRevision, observedRolloutID = '' } = rollout.status?.canaryStatus ?? {};
  const current = view?.newVersion?.revision ?? '';
  const release: Release = {
    namespace,
    workload: deployment.metadata.name,
    pods: selectorText(deployment.spec.selector),
    rolloutID: observedRolloutID,
    revision: canaryRevision || current,
    stableRevision: stableRevision || current,
    startedAt: now,
    ratioChecks: 1,
  };
  const found: Tried[] = [];
  for (const [index, check] of checks.entries()) {
    const at = `spec.strategy.canary.analysis[${index}]`;
    const tried = await tryCheck({
      cluster,
      sources,
      check,
      release,
      pods: pods.map(({ metadata }) => metadata.name),
      now,
      signal,
    });
    found.push(
      ...tried.map(({ field, message, level }) => ({
        level,
        field: `${at}${field}`,
        message: `check ${check.name}: ${message}`,
      })),
    );
  }
  return found;
}

async function tryCheck(trial: Trial): Promise<Tried[]> {
  const { check, cluster, sources, release, signal } = trial;
  const { ratio, value, pods, condition } = check;
  if (condition !== undefined) {
    const object = await findReleaseObject(cluster.api, { ...condition, ...release }, signal);
    if (object === undefined) return [note('.condition', `no ${condition.kind} has the id of the release at present`)];
    if ('unknown' in object) return [error('.condition', object.unknown)];
    return [note('.condition', `${condition.kind} ${object.metadata.name} has the id of the release`)];
  }
  if (pods !== undefined || value?.external !== undefined) {
    const source = new KubernetesMetrics({ api: cluster.api });
    return pods === undefined ? tryNumber(trial, source, '.value.external') : tryPods(trial, source);
  }
  if (value?.web !== undefined)
    return [note('.value.web', 'it is not tried: only Tranche may reach a source of type web')];
  const reached = await sources.of(check, release.namespace);
  if ('unknown' in reached) return [error('.source', reached.unknown)];
  return ratio === undefined ? tryNumber(trial, reached.source, '.value.query') : tryRatio(trial, reached);
}

const error = (field: string, message: string): Tried => ({ level: 'error', field, message });
const warning = (field: string, message: string): Tried => ({ level: 'warning', field, message });
const note = (field: string, message: string): Tried => ({ level: 'note', field, message });

const askNow = ({ now, signal }: Trial, source: MetricSource, query: Query): Promise<readonly Series[] | Unknown> => {
  const at = Math.floor((now - LAG_MS) / 1000) * 1000;
  return source.range(query, at, at, 1000, signal);
};

const lastOf = ({ samples }: Series): number => [...samples.values()].at(-1) ?? NaN;

async function tryNumber(trial: Trial, source: MetricSource, field: string): Promise<Tried[]> {
  const { check, release } = trial;
  const [query] = queriesOf(check, release);
  const answer = await askNow(trial, source, query!);
  if ('unknown' in answer) return [error(field, answer.unknown)];
  const [one, another] = answer;
  if (one === undefined) return [warning(field, 'the query returns nothing now')];
  if (another !== undefined)
    return [error(field, `the query returns ${answer.length} series, and a check needs one: use sum() or max()`)];
  const number = lastOf(one);
  if (!Number.isFinite(number)) return [warning(field, `the query returns ${number} now`)];
  const { min = -Infinity, max = Infinity } = check.value!;
  const limits = [min === -Infinity ? '' : `at least ${min}`, max === Infinity ? '' : `at most ${max}`];
  const said = `the query returns ${Number(number.toPrecision(6))} now, and must return ${limits.filter((text) => text !== '').join(' and ')}`;
  return [number < min || number > max ? warning(field, said) : note(field, said)];
}

async function tryPods(trial: Trial, source: MetricSource): Promise<Tried[]> {
  const { check, release, pods } = trial;
  const [query] = queriesOf(check, release);
  const answer = await askNow(trial, source, query!);
  if ('unknown' in answer) return [error('.pods', answer.unknown)];
  return [ofPods('.pods', 'the metric', answer, pods)];
}

/** How many of the Pods have a value. */
function ofPods(field: string, what: string, answer: readonly Series[], pods: readonly string[]): Tried {
  const named = answer.map(({ pod }) => pod).filter((pod) => pod !== undefined);
  const known = named.filter((pod) => pods.includes(pod)).length;
  const said = `${what} has values of ${known} of ${countPods(pods.length)} now`;
  if (known > 0 || pods.length === 0) return note(field, said);
  return named.length === 0
    ? warning(field, `${said}: the query returns nothing`)
    : warning(field, `${said}: it names ${some(named)}, and the Pods are ${some(pods)}`);
}

const some = (names: readonly string[]): string =>
  `${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''}`;

async function tryRatio(trial: Trial, reached: Reached): Promise<Tried[]> {
  const { check, release, pods } = trial;
  const [all, second] = queriesOf(check, release) as Extract<Query, { kind: 'Counters' }>[];
  const { slowerThan } = check.ratio!;
  const totalField = slowerThan === undefined ? '.ratio.total' : '.ratio.slowerThan.histogram';
  const total = await askNow(trial, reached.source, all!);
  if ('unknown' in total) return [error(totalField, total.unknown)];
  if (total.length === 0) return [await whyNothing(trial, reached, totalField, all!.selector)];
  const found = ofPods(totalField, all!.selector, total, pods);
  const other = await askNow(trial, reached.source, second!);
  if (slowerThan !== undefined) return [found, ...(await tryBucket(trial, reached, other, second!.selector))];
  if ('unknown' in other) return [found, error('.ratio.bad', other.unknown)];
  if (other.length > 0)
    return [found, note('.ratio.bad', `${second!.selector} has values of ${countPods(other.length)} now`)];
  const before = await expression(trial, reached.source, `count(last_over_time(${second!.selector}[1d]))`);
  return [
    found,
    !('unknown' in before) && before.length > 0
      ? note('.ratio.bad', `${second!.selector} returns nothing now, and had values in the last day`)
      : warning(
          '.ratio.bad',
          `${second!.selector} has returned nothing in the last day: either no request was bad, or the selector matches nothing`,
        ),
  ];
}

const expression = (trial: Trial, source: MetricSource, text: string): Promise<readonly Series[] | Unknown> =>
  askNow(trial, source, { kind: 'Expression', namespace: trial.release.namespace, expression: text });

/** Why no series belongs to a Pod of the workload. */
async function whyNothing(
  trial: Trial,
  { source, podLabel }: Reached,
  field: string,
  selector: string,
): Promise<Tried> {
  const { namespace, workload } = trial.release;
  const answer = await expression(trial, source, `topk(${SHOWN}, count by (${podLabel}) (${selector}))`);
  if ('unknown' in answer) return error(field, answer.unknown);
  if (answer.length === 0) return error(field, `${selector} returns nothing in namespace ${namespace} now`);
  const named = answer.map(({ pod }) => pod).filter((pod) => pod !== undefined && pod !== '');
  return named.length === 0
    ? error(
        field,
        `${selector} has no label ${podLabel}: write podLabel in the MetricSource, or add the label when Prometheus scrapes`,
      )
    : error(
        field,
        `${selector} has values, but not of Pods of ${workload}: its label ${podLabel} names ${named.join(', ')}`,
      );
}

async function tryBucket(
  trial: Trial,
  reached: Reached,
  answer: readonly Series[] | Unknown,
  selector: string,
): Promise<Tried[]> {
  const field = '.ratio.slowerThan.seconds';
  const { seconds } = trial.check.ratio!.slowerThan!;
  if ('unknown' in answer) return [error(field, answer.unknown)];
  if (answer.length > 0) return [note(field, `the histogram has a bucket of ${plural(seconds, 'second')}`)];
  const all = selector.replace(/le=~"[^"]*",?/, '');
  const buckets = await expression(trial, reached.byLabel('le'), `count by (le) (${all})`);
  if ('unknown' in buckets) return [error(field, buckets.unknown)];
  const bounds = buckets
    .flatMap(({ pod }) => (pod === undefined || pod === '+Inf' ? [] : [Number(pod)]))
    .toSorted((a, b) => a - b);
  return [
    error(
      field,
      bounds.length === 0
        ? `${all} returns nothing: it is not a histogram with buckets`
        : `the histogram has no bucket of ${plural(seconds, 'second')}; its buckets are ${bounds.join(', ')}`,
    ),
  ];
}
