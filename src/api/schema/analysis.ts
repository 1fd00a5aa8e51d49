// JSON Schemas of the analysis in a Rollout and in its status.
import { API_VERSION, KIND_NAME, LABEL_NAME, SUBDOMAIN_NAME } from '../names.ts';
import {
  int32,
  int64,
  list,
  nameText,
  number,
  object,
  text,
  time,
  type CelRule,
  type JsonSchema,
} from './json-schema.ts';

export const MAX_CHECKS = 10;
const MAX_QUERY = 2_000;
const SHARE = '^(0|[1-9][0-9]?)([.][0-9]{1,4})?%$';
const METRIC = { minLength: 1, maxLength: 253 };

/** Rules of the webhook that an API server can check without it. */
const exactlyOne = (...fields: readonly string[]): CelRule => ({
  rule: `[${fields.map((field) => `has(self.${field})`).join(', ')}].exists_one(it, it)`,
  message: `exactly one of ${fields.slice(0, -1).join(', ')} and ${fields.at(-1)} is required`,
});
const rules = (...all: readonly CelRule[]): { readonly 'x-kubernetes-validations': readonly CelRule[] } => ({
  'x-kubernetes-validations': all,
});

const query = (description: string): JsonSchema => text(description, { minLength: 1, maxLength: MAX_QUERY });

const ratio = object(
  'Bad requests among all requests, from counters with a label for the Pod. limit or timesStable is required, or both.',
  {
    bad: query('PromQL selector of a counter of bad requests, e.g. http_requests_total{code=~"5.."}.'),
    total: query('PromQL selector of a counter of all requests, e.g. http_requests_total.'),
    slowerThan: object(
      'Requests that took longer are bad. It replaces bad and total.',
      {
        histogram: query('PromQL selector of a histogram without _bucket, e.g. http_request_duration_seconds.'),
        seconds: number('Upper bound of one of its buckets, e.g. 0.5.', { minimum: 0 }),
      },
      { required: ['histogram', 'seconds'] },
    ),
    limit: text('Highest share of bad requests in the new version, e.g. "1%".', { maxLength: 16, pattern: SHARE }),
    timesStable: number(
      'Highest share of bad requests in the new version, as a multiple of the share in the stable version, e.g. 1.5.',
      { minimum: 0.1, maximum: 1000 },
    ),
    fineBelowTimesStable: number(
      'The check is Fine when the share is shown to be below this multiple of the share in the stable version. Default 3.',
      { minimum: 0.1, maximum: 1000 },
    ),
  },
  rules(
    {
      rule: 'has(self.slowerThan) ? !has(self.bad) && !has(self.total) : has(self.bad) && has(self.total)',
      message: 'bad and total are required, or slowerThan instead of them',
    },
    { rule: 'has(self.limit) || has(self.timesStable)', message: 'limit or timesStable is required' },
    {
      rule: '!has(self.fineBelowTimesStable) || (has(self.timesStable) && self.fineBelowTimesStable >= self.timesStable)',
      message: 'fineBelowTimesStable requires timesStable, and must not be less',
    },
  ),
);

const value = object(
  'One number. One of query, external and web is required, and min or max, or both.',
  {
    query: query(
      'PromQL expression with one value. {{namespace}}, {{workload}}, {{revision}} and {{stableRevision}} are replaced.',
    ),
    external: object(
      'A metric of external.metrics.k8s.io.',
      {
        metric: text('Name of the metric.', METRIC),
        selector: text('Label selector of the metric.', { maxLength: 1024 }),
      },
      { required: ['metric'] },
    ),
    web: object(
      'A number in a JSON document. The source must be a MetricSource with web.',
      {
        path: text('Path and query of the document, added to the address of the source. It starts with /.', {
          minLength: 1,
          maxLength: 1024,
          pattern: '^/',
        }),
        jsonPath: text('JSONPath of the number, e.g. {.data.score}.', { minLength: 1, maxLength: 256 }),
      },
      { required: ['path', 'jsonPath'] },
    ),
    min: number('Lowest good value.'),
    max: number('Highest good value.'),
    failures: int32('How many bad values in a row make the check Worse, 1 to 100. Default 3.', {
      minimum: 1,
      maximum: 100,
    }),
  },
  rules(
    exactlyOne('query', 'external', 'web'),
    { rule: 'has(self.min) || has(self.max)', message: 'min or max is required' },
    { rule: '!has(self.min) || !has(self.max) || self.min <= self.max', message: 'min must not be more than max' },
  ),
);

const podValues = object(
  'A value of each Pod, compared between the versions. It holds a release and never rolls it back. One of resource and metric is required.',
  {
    resource: text('cpu or memory, from metrics.k8s.io.', { enum: ['cpu', 'memory'] }),
    metric: text('Name of a metric of custom.metrics.k8s.io.', METRIC),
    timesStable: number('Highest value, as a multiple of the values of the stable Pods, e.g. 1.5.', {
      minimum: 0.1,
      maximum: 1000,
    }),
  },
  { required: ['timesStable'], ...rules(exactlyOne('resource', 'metric')) },
);

const condition = object(
  'A condition of an object in the namespace that has the label rollouts.kruise.io/rollout-id of the release, e.g. a Job.',
  {
    apiVersion: nameText('API version, e.g. batch/v1.', API_VERSION),
    kind: nameText('Kind, e.g. Job.', KIND_NAME),
    ok: text('Type of the condition that is True when the check has passed, e.g. Complete.', METRIC),
    failed: text('Type of the condition that is True when the check has failed, e.g. Failed.', METRIC),
  },
  { required: ['apiVersion', 'kind', 'ok'] },
);

/** `canary.analysis`. */
export const analysis = list(
  'Checks of the release, from its first step on. A check that shows that the new version is worse stops the release.',
  object(
    'A check. One of ratio, value, pods and condition is required.',
    {
      name: nameText('Name, unique in the Rollout.', { ...LABEL_NAME, maxLength: 40 }),
      source: nameText(
        'Name of a MetricSource, or kubernetes. Default: the MetricSource default, or the only one.',
        SUBDOMAIN_NAME,
      ),
      intervalSeconds: int32('Seconds between two looks, 5 to 3600. Default 30.', { minimum: 5, maximum: 3600 }),
      warmUpSeconds: int32('Requests of a Pod in these seconds after its creation do not count. Default 60.', {
        minimum: 0,
        maximum: 3600,
      }),
      onFailure: text('What happens when the check is Worse. Default: onFailure of the strategy.', {
        enum: ['Hold', 'Rollback'],
      }),
      ratio,
      value,
      pods: podValues,
      condition,
    },
    {
      required: ['name'],
      ...rules(
        exactlyOne('ratio', 'value', 'pods', 'condition'),
        {
          rule: "!has(self.pods) || !has(self.onFailure) || self.onFailure != 'Rollback'",
          message: 'a check of Pods never rolls back: onFailure must be Hold',
        },
        {
          rule: '!has(self.value) || !has(self.value.web) || has(self.source)',
          message: 'source is required with value.web',
        },
      ),
    },
  ),
  { maxItems: MAX_CHECKS, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
);

/** `canary.steps[].analysis`. */
export const stepAnalysis = object(
  'How long the checks watch this step when its Pods are available. With analysis and without pause, the step then continues by itself.',
  {
    seconds: int32(
      'Seconds, 1 to 604800 (a week), after the warm-up of the Pods. At least four looks are waited for. A step whose checks are all Fine ends earlier.',
      {
        minimum: 1,
        maximum: 604_800,
      },
    ),
    minTotal: int32('Number of requests that the new version must have had in each ratio check. Default 100.', {
      minimum: 0,
    }),
    lowTraffic: text(
      'What happens if there were fewer requests: Approval (wait for an approval), Wait (wait for more), or Continue. Default Approval.',
      { enum: ['Approval', 'Wait', 'Continue'] },
    ),
  },
  { required: ['seconds'] },
);

const verdict = text('Worse, Fine, Open (not shown yet) or Unknown (no data).');

/** `status.canaryStatus.analysis`. */
export const analysisStatus = list(
  'What the checks of this release say.',
  object(
    'A check.',
    {
      name: text('Name.'),
      verdict,
      since: time('Time of the first look with this verdict.'),
      message: text('The numbers in words, or why there are none.'),
      check: text('Digest of the check. A changed check starts again.'),
      total: int64('Requests of the new version.'),
      bad: int64('Bad requests of the new version.'),
      stableTotal: int64('Requests of the stable version.'),
      stableBad: int64('Bad requests of the stable version.'),
      evidence: int64('How much the numbers speak for a worse version. At alarm, the verdict is Worse.'),
      alarm: int64('The evidence at which the verdict is Worse.'),
      onePod: text(
        'The Pod that has nearly all bad requests, of three or more. The check then only holds the release.',
      ),
      acceptedBy: list('Users who let the release go on.', text('A user.')),
    },
    { required: ['name', 'verdict', 'since'] },
  ),
);

/** `status.history[].analysis`. */
export const verdicts: JsonSchema = {
  description: 'The last verdict of each check.',
  type: 'object',
  additionalProperties: { type: 'string' },
};

/** `status.history[].steps`. */
export const stepStarts = list(
  'When each step started.',
  object('The start of a step.', { step: int32('Number of the step, from 1.'), time: time('Time.') }),
);
