// Converts the metrics of a Canary of Flagger to checks.
import type { Json } from '../../api/json.ts';
import {
  checkOf,
  intervalOf,
  shown,
  sourceAt,
  watchSeconds,
  type Bounds,
  type CheckList,
  type Source,
} from './checks.ts';
import { asList, asObject, lost, note, secondsOf, type Remark } from './types.ts';

export interface FlaggerContext {
  readonly metadata: Json;
  readonly spec: Json;
  readonly all: readonly Json[];
  readonly checks: CheckList;
  readonly remarks: Remark[];
}

/** Flagger stays at a weight while a metric is bad, until the threshold. A step that ends before must not need so many bad values. */
const MOST_FAILURES = 3;

/** `complete`: each metric has become a check. `seconds`: how long they must watch a step. */
export function convertMetrics(
  analysis: Json,
  context: FlaggerContext,
): { readonly complete: boolean; readonly seconds: number } {
  const threshold = Math.max(1, Number(analysis['threshold'] ?? 1) || 1);
  const failures = Math.min(MOST_FAILURES, threshold);
  const interval = secondsOf(analysis['interval'] ?? '60s') ?? 60;
  let seconds = 0;
  const done = asList(analysis['metrics'])
    .map((raw) => asObject(raw) ?? {})
    .map((metric) => {
      const at = `spec.analysis.metrics ${shown(metric['name'] ?? '')}`;
      const made = convertMetric(at, metric, failures, context);
      if (typeof made === 'string') {
        context.remarks.push(lost(`${at}: ${made}`));
        return false;
      }
      const check = { intervalSeconds: intervalOf(interval), ...made.check };
      const name = context.checks.add(String(metric['name']), check, made.source);
      if (name === undefined) context.remarks.push(lost(`${at}: a Rollout has at most 10 checks`));
      else seconds = Math.max(seconds, watchSeconds(check, intervalOf(interval), failures));
      return name !== undefined;
    });
  if (seconds > 0 && threshold > 1)
    context.remarks.push(
      note(
        `spec.analysis.threshold: becomes failures: ${failures}, in a row and for each check; each step is watched for ${seconds} seconds`,
      ),
    );
  return { complete: done.every((one) => one), seconds };
}

interface Made {
  readonly check: Json;
  readonly source?: Source | undefined;
}

/** The check, or why there is none. */
function convertMetric(at: string, metric: Json, failures: number, context: FlaggerContext): Made | string {
  const { remarks } = context;
  const range = asObject(metric['thresholdRange']) ?? { max: metric['threshold'] };
  const bounds: Bounds = {
    ...(typeof range['min'] === 'number' && { min: range['min'] }),
    ...(typeof range['max'] === 'number' && { max: range['max'] }),
  };
  if (bounds.min === undefined && bounds.max === undefined) return 'it has no thresholdRange';
  const ref = asObject(metric['templateRef']);
  if (!ref)
    return typeof metric['query'] === 'string'
      ? queried(at, metric, metric['query'], undefined, bounds, failures, context)
      : builtIn(at, metric, bounds, context);
  const template = context.all.find((one) => {
    const { name, namespace } = asObject(one['metadata']) ?? {};
    const wanted = ref['namespace'] ?? context.metadata['namespace'];
    return (
      one['kind'] === 'MetricTemplate' &&
      name === ref['name'] &&
      (namespace === undefined || wanted === undefined || namespace === wanted)
    );
  });
  if (!template) return `MetricTemplate ${shown(ref['name'])} is not among the files: add its file to the command`;
  const spec = asObject(template['spec']) ?? {};
  const provider = asObject(spec['provider']) ?? {};
  if (provider['type'] !== 'prometheus')
    return `provider ${shown(provider['type'])} is not supported: let the pipeline run it and create an object with a condition`;
  const source = sourceAt(provider['address'], 'prometheus');
  if (!source) return `the address ${shown(provider['address'])} is not an address of http or https`;
  if (provider['secretRef'] !== undefined)
    remarks.push(lost(`${at}: secretRef: credentials are not carried: write them into the Secret of the MetricSource`));
  return queried(at, metric, String(spec['query'] ?? ''), source, bounds, failures, context);
}

/** Flagger selects the Pods of the canary Deployment with it. Here, the Pods of both versions have this prefix. */
const POD_MATCHER = /\{\{workload\}\}-(\[0-9a-zA-Z\]\+\(-\[0-9a-zA-Z\]\+\)|\.[*+])/g;

function queried(
  at: string,
  metric: Json,
  written: string,
  source: Source | undefined,
  bounds: Bounds,
  failures: number,
  { metadata, spec, remarks }: FlaggerContext,
): Made | string {
  const target = String(asObject(spec['targetRef'])?.['name'] ?? metadata['name']);
  const variables = asObject(metric['templateVariables']) ?? {};
  const values: Readonly<Record<string, unknown>> = {
    name: metadata['name'],
    namespace: '{{namespace}}',
    target: '{{workload}}',
    service: asObject(spec['service'])?.['name'] ?? target,
    ingress: asObject(spec['ingressRef'])?.['name'],
    interval: metric['interval'] ?? '1m',
    ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [`variables.${name}`, value])),
  };
  const unknown: string[] = [];
  const filled = written.replaceAll(/\{\{ *([.\w]+) *\}\}/g, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) unknown.push(whole);
    return value === undefined ? whole : String(value);
  });
  if (unknown.length > 0) return `its query has ${shown(unknown[0])}, which is not known`;
  const query = filled.replaceAll(POD_MATCHER, '{{workload}}-{{revision}}-.+');
  const made = checkOf(query, bounds, failures);
  if ('problem' in made) return made.problem;
  if (made.remark !== undefined) remarks.push(note(`${at}: ${made.remark}`));
  else if (query !== filled)
    remarks.push(
      note(`${at}: its query selected the Pods of the canary Deployment: it now selects the new Pods by {{revision}}`),
    );
  else if (query.includes('{{workload}}') && !query.includes('{{revision}}'))
    remarks.push(
      lost(
        `${at}: its query selects ${shown(target)}, which here has the Pods of both versions: add a matcher with {{revision}}, or write a ratio check`,
      ),
    );
  return { check: made.check, source };
}

/** The metrics that Flagger knows for each mesh. Only those of Istio have a label for the Pod, and names that are the same everywhere. */
function builtIn(at: string, metric: Json, { min, max }: Bounds, { spec, remarks }: FlaggerContext): Made | string {
  const name = metric['name'];
  if (name !== 'request-success-rate' && name !== 'request-duration') return 'it has neither templateRef nor query';
  if (spec['provider'] !== undefined && spec['provider'] !== 'istio')
    return `it depends on provider ${shown(spec['provider'])}: write a ratio check with the counters of your service`;
  remarks.push(
    note(
      `${at}: becomes a ratio check of the metrics of Istio; compare its selectors with the labels in your Prometheus`,
    ),
  );
  if (name === 'request-duration') {
    if (max === undefined) return 'it has no maximum';
    remarks.push(
      note(`${at}: at most 1% of the requests may take longer; le="${max}" must be a bucket of the histogram`),
    );
    const slowerThan = { histogram: 'istio_request_duration_milliseconds{reporter="destination"}', seconds: max };
    return { check: { ratio: { slowerThan, limit: '1%' } } };
  }
  const limit = min === undefined ? 0 : Number((100 - min).toFixed(4));
  if (!(limit > 0 && limit < 100)) return 'its minimum must be between 0 and 100';
  const total = 'istio_requests_total{reporter="destination"}';
  const bad = 'istio_requests_total{reporter="destination",response_code=~"5.*"}';
  return { check: { ratio: { bad, total, limit: `${limit}%` } } };
}
