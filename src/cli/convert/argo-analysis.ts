// Converts the analysis of Argo Rollouts: the metrics of the templates that a Rollout names become checks.
import type { Json } from '../../api/json.ts';
import {
  checkOf,
  excludedBy,
  failureBounds,
  intervalOf,
  shown,
  sourceAt,
  successBounds,
  watchSeconds,
  type Bounds,
  type CheckList,
  type Source,
} from './checks.ts';
import { asList, asObject, lost, note, secondsOf, type Remark } from './types.ts';

export interface ArgoContext {
  readonly metadata: Json;
  /** All objects of the files. */
  readonly all: readonly Json[];
  readonly checks: CheckList;
  readonly remarks: Remark[];
}

export interface ArgoAnalysis {
  /** True if each metric has become a check. */
  readonly complete: boolean;
  /** How long a step must be watched. */
  readonly seconds: number;
}

const DEFAULT_INTERVAL = 30;

/** Adds the checks of an `analysis` with templates and args. */
export function convertAnalysis(analysis: Json, context: ArgoContext): ArgoAnalysis {
  const { remarks } = context;
  const named = asList(analysis['templates']).map((one) => asObject(one) ?? {});
  const templates = named.flatMap((ref) => templatesOf(ref, context, 0));
  let complete = named.length > 0 && templates.length > 0 && templates.every((one) => one !== undefined);
  let seconds = 0;
  const dryRun = asList(analysis['dryRun']);
  for (const template of templates) {
    if (template === undefined) continue;
    const spec = asObject(template['spec']) ?? {};
    const title = `${String(template['kind'])} ${String(asObject(template['metadata'])?.['name'])}`;
    const args = argsOf([...asList(spec['args']), ...asList(analysis['args'])], context.metadata);
    for (const raw of asList(spec['metrics'])) {
      const metric = asObject(raw) ?? {};
      const at = `${title}, metric ${shown(metric['name'])}`;
      if ([...dryRun, ...asList(spec['dryRun'])].some((one) => covers(one, metric['name']))) {
        remarks.push(lost(`${at}: dryRun has no counterpart: the metric is left out`));
        continue;
      }
      const made = convertMetric(at, metric, args, remarks);
      const name = made && context.checks.add(String(metric['name']), made.check, made.source);
      if (made && name === undefined) remarks.push(lost(`${at}: a Rollout has at most 10 checks`));
      if (made === undefined || name === undefined) complete = false;
      else seconds = Math.max(seconds, made.seconds);
    }
  }
  return { complete, seconds };
}

/** The name of a metric in dryRun is a regular expression in Argo Rollouts. Only names and `.*` are read. */
const covers = (dry: unknown, name: unknown): boolean => {
  const pattern = asObject(dry)?.['metricName'];
  return pattern === '.*' || pattern === name;
};

const MAX_DEPTH = 5;

/** The template and those that it includes. Undefined for one that is not in the files. */
function templatesOf(ref: Json, context: ArgoContext, depth: number): (Json | undefined)[] {
  const kind = ref['clusterScope'] === true ? 'ClusterAnalysisTemplate' : 'AnalysisTemplate';
  const found = context.all.find((one) => {
    const { name, namespace } = asObject(one['metadata']) ?? {};
    const own = context.metadata['namespace'];
    return (
      one['kind'] === kind &&
      name === ref['templateName'] &&
      (kind === 'ClusterAnalysisTemplate' || namespace === undefined || own === undefined || namespace === own)
    );
  });
  if (!found || depth >= MAX_DEPTH) {
    context.remarks.push(
      lost(`${kind} ${shown(ref['templateName'])}: is not among the files: add its file to the command`),
    );
    return [undefined];
  }
  const included = asList(asObject(found['spec'])?.['templates']).map((one) => asObject(one) ?? {});
  return [found, ...included.flatMap((one) => templatesOf(one, context, depth + 1))];
}

/** Values of args. Undefined for a Secret, and for what is known only when Argo Rollouts runs. */
type Args = ReadonlyMap<string, string | undefined>;

function argsOf(args: readonly unknown[], metadata: Json): Args {
  const values = new Map<string, string | undefined>();
  for (const raw of args) {
    const { name, value, valueFrom } = asObject(raw) ?? {};
    const key = String(name);
    if (value !== undefined) values.set(key, String(value));
    else if (valueFrom !== undefined || !values.has(key)) values.set(key, fromField(asObject(valueFrom), metadata));
  }
  return values;
}

function fromField(from: Json | undefined, metadata: Json): string | undefined {
  const hash = from?.['podTemplateHashValue'];
  if (hash === 'Latest') return '{{revision}}';
  if (hash === 'Stable') return '{{stableRevision}}';
  const path = String(asObject(from?.['fieldRef'])?.['fieldPath'] ?? '');
  if (path === 'metadata.name') return String(metadata['name']);
  if (path === 'metadata.namespace') return '{{namespace}}';
  const label = /^metadata\.labels\['([^']+)'\]$/.exec(path)?.[1];
  const value = label === undefined ? undefined : asObject(metadata['labels'])?.[label];
  return typeof value === 'string' ? value : undefined;
}

interface MadeMetric {
  readonly check: Json;
  readonly source: Source | undefined;
  readonly seconds: number;
}

const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  initialDelay:
    'values are read from the start of the release; requests in the first warmUpSeconds of a Pod do not count',
  consecutiveSuccessLimit: 'has no counterpart',
  inconclusiveLimit: 'has no counterpart: a value is good or bad',
  consecutiveErrorLimit: 'has no counterpart: a source that does not answer holds the release, and never rolls it back',
};

function convertMetric(at: string, metric: Json, args: Args, remarks: Remark[]): MadeMetric | undefined {
  const missing = new Set<string>();
  const fill = (value: unknown): string =>
    String(value).replaceAll(/\{\{ *args\.([-.\w]+) *\}\}/g, (whole, name: string) => {
      const known = args.get(name);
      if (known === undefined) missing.add(name);
      return known ?? whole;
    });
  const give = (why: string): undefined => {
    remarks.push(lost(`${at}: ${why}`));
    return undefined;
  };
  const provider = asObject(metric['provider']) ?? {};
  const [type = 'none'] = Object.keys(provider);
  const settings = asObject(provider[type]) ?? {};
  const interval = metric['interval'] === undefined ? undefined : secondsOf(fill(metric['interval']));
  const failures = Math.min(100, 1 + (Number(fill(metric['failureLimit'] ?? 0)) || 0));
  const looks = Math.max(failures, Number(fill(metric['count'] ?? 1)) || 1);
  const made = (spec: Json, source?: Source): MadeMetric => {
    for (const [field, why] of Object.entries(WITHOUT_EFFECT))
      if (metric[field] !== undefined) remarks.push(lost(`${at}: ${field}: ${why}`));
    if ('value' in spec && failures > 1)
      remarks.push(note(`${at}: failureLimit: becomes failures: ${failures}, in a row and not in total`));
    const every = interval === undefined ? {} : { intervalSeconds: intervalOf(interval) };
    return {
      check: { ...every, onFailure: 'Rollback', ...spec },
      source,
      seconds: watchSeconds(spec, interval ?? DEFAULT_INTERVAL, looks),
    };
  };
  if (type === 'job') {
    remarks.push(
      lost(
        `${at}: Tranche does not create Jobs: create the Job in the pipeline, with the label rollouts.kruise.io/rollout-id of the release`,
      ),
    );
    return made({ condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete', failed: 'Failed' } });
  }
  if (type !== 'prometheus' && type !== 'web')
    return give(
      `provider ${type} is not supported: let the pipeline run it and create an object with a condition, or write your own check`,
    );
  const limits = limitsOf(metric, fill);
  if ('problem' in limits) return give(limits.problem);
  const { excluded } = limits;
  const noteExcluded = (check: Json): void => {
    if (!('value' in check) || excluded === undefined) return;
    remarks.push(
      lost(
        `${at}: its condition ${shown(limits.condition)} does not accept ${excluded} itself, and min and max accept it: write the next value that is good`,
      ),
    );
  };
  const secrets = (): string | undefined =>
    missing.size === 0
      ? undefined
      : `args ${[...missing].map(shown).join(', ')} are not known: a Secret belongs to the MetricSource, other values into the query`;
  const credentials = ['authentication', 'headers'].filter((field) => settings[field] !== undefined);
  const warn = (): void => {
    if (credentials.length > 0)
      remarks.push(
        lost(
          `${at}: ${credentials.join(', ')}: credentials are not carried: write them into the Secret of the MetricSource`,
        ),
      );
  };
  if (type === 'prometheus') {
    const query = fill(settings['query'] ?? '');
    const address = settings['address'] === undefined ? undefined : fill(settings['address']);
    const problem = secrets();
    if (problem !== undefined) return give(problem);
    const source = sourceAt(address, 'prometheus');
    if (address !== undefined && source === undefined)
      return give(`its address ${shown(address)} is not an address of http or https`);
    const done = checkOf(query, limits.bounds, failures);
    if ('problem' in done) return give(done.problem);
    if (done.remark !== undefined) remarks.push(note(`${at}: ${done.remark}`));
    noteExcluded(done.check);
    warn();
    return made(done.check, source);
  }
  const url = fill(settings['url'] ?? '');
  const problem = secrets();
  if (problem !== undefined) return give(problem);
  const source = sourceAt(url, 'web');
  const jsonPath = settings['jsonPath'];
  if (source === undefined || url.includes('{{'))
    return give(`its url ${shown(url)} must be an address of http or https, without placeholders`);
  if (settings['method'] !== undefined && settings['method'] !== 'GET') return give('only GET is supported');
  if (typeof jsonPath !== 'string') return give('jsonPath is required, and must lead to a number');
  const { pathname, search } = new URL(url);
  warn();
  const path = `${pathname}${search}`;
  const web = { path, jsonPath: jsonPath.replace(/^\{\$/, '{') };
  const check = { value: { web, ...limits.bounds, failures } };
  noteExcluded(check);
  return made(check, source);
}

interface Limits {
  readonly bounds: Bounds;
  readonly condition: string;
  readonly excluded: number | undefined;
}

function limitsOf(metric: Json, fill: (value: unknown) => string): Limits | { readonly problem: string } {
  const [success, failure] = [metric['successCondition'], metric['failureCondition']];
  if (success !== undefined && failure !== undefined)
    return { problem: 'successCondition and failureCondition together are not supported: no value is undecided here' };
  if (success === undefined && failure === undefined)
    return { problem: 'it has no condition, so it decides nothing: write a limit' };
  const condition = fill(success ?? failure);
  const bounds = success === undefined ? failureBounds(condition) : successBounds(condition);
  return bounds === undefined
    ? { problem: `its condition ${shown(condition)} is not a comparison of result with a number` }
    : { bounds, condition, excluded: excludedBy(condition, success === undefined ? 'failure' : 'success') };
}
