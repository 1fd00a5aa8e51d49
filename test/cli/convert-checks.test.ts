// What becomes of the metrics of Argo Rollouts and Flagger.
import assert from 'node:assert/strict';
import type { Json } from '../../src/api/json.ts';
import { CheckList, checkOf, failureBounds, sourceAt, successBounds } from '../../src/cli/convert/checks.ts';
import { convertObject } from '../../src/cli/convert/convert.ts';
import { sentence } from '../../src/engine/validate/violation.ts';
import { validateRollout } from '../../src/engine/validate/rollout.ts';
import { checkRollout } from '../../src/schema/rollout.ts';
import { rows } from '../engine/build.ts';

describe('a condition', () => {
  rows(
    [
      ['of success, at least', successBounds('result[0] >= 0.95'), { min: 0.95 }],
      ['of success, below', successBounds('result < 5'), { max: 5 }],
      ['of success, between', successBounds('result[0] >= 1 && result[0] <= 2'), { min: 1, max: 2 }],
      ['of success, in parentheses', successBounds('(result > 1) && (result<3)'), { min: 1, max: 3 }],
      ['of success, exactly', successBounds('result == 0'), { min: 0, max: 0 }],
      ['of success, of a text', successBounds('asFloat(result) >= 0.9'), { min: 0.9 }],
      ['of success, below zero', successBounds('asInt( result ) > -2'), { min: -2 }],
      ['of failure, at least', failureBounds('result[0] >= 10'), { max: 10 }],
      ['of failure, outside', failureBounds('result < 1 || result > 2'), { min: 1, max: 2 }],
      ['of failure, exactly', failureBounds('result == 0'), undefined],
      ['of two maxima', successBounds('result < 1 && result < 2'), undefined],
      ['of alternatives', successBounds('result < 1 || result > 2'), undefined],
      ['of a text', successBounds("result == 'true'"), undefined],
      ['of a field', successBounds('result.ok && result.percent >= 0.9'), undefined],
      ['of another element', successBounds('result[1] > 1'), undefined],
      ['with a function', successBounds('len(result) == 0'), undefined],
      ['of nothing', successBounds(''), undefined],
    ] as [string, object | undefined, object | undefined][],
    (found: object | undefined, expected: object | undefined) => assert.deepEqual(found, expected),
  );
});

describe('an address', () => {
  rows(
    [
      ['of a Service', 'http://prometheus.monitoring:9090', 'prometheus-monitoring http://prometheus.monitoring:9090'],
      [
        'with another port and a path',
        'https://mimir.obs.svc:8443/prometheus/',
        'mimir-obs-8443 https://mimir.obs.svc:8443/prometheus',
      ],
      ['with a password', 'http://me:secret@prometheus:9090/?token=x#y', 'prometheus http://prometheus:9090'],
      ['of a machine', 'http://10.0.0.1:9090', '10-0-0-1 http://10.0.0.1:9090'],
      ['of another protocol', 'file:///etc/passwd', 'none'],
      ['with a placeholder', 'http://{{args.host}}', 'none'],
      ['that is none', 'prometheus:9090', 'none'],
      ['that is no text', 5, 'none'],
    ] as [string, unknown, string][],
    (address: unknown, expected: string) => {
      const source = sourceAt(address, 'prometheus');
      assert.equal(source ? `${source.name} ${source.url}` : 'none', expected);
    },
  );
});

const A = 'http_requests_total{service="web",code=~"5.."}';
const GOOD = 'http_requests_total{service="web",code!~"5.."}';
const ALL = 'http_requests_total{service="web"}';
const share = (part: string): string => `sum(rate(${part}[5m])) / sum(rate(${ALL}[5m]))`;

describe('a query', () => {
  rows(
    [
      ['of errors', share(A), { max: 0.05 }, { ratio: { bad: A, total: ALL, limit: '5%' } }],
      ['of successes', share(GOOD), { min: 0.999 }, { ratio: { bad: A, total: ALL, limit: '0.1%' } }],
      ['of successes, in percent', `${share(GOOD)} * 100`, { min: 99 }, { ratio: { bad: A, total: ALL, limit: '1%' } }],
      [
        'of what is left of successes',
        `100 - ${share(GOOD)} * 100`,
        { max: 2 },
        { ratio: { bad: A, total: ALL, limit: '2%' } },
      ],
      ['of what is left of errors', `1 - ${share(A)}`, { min: 0.9 }, { ratio: { bad: A, total: ALL, limit: '10%' } }],
      [
        'with names of the release',
        'sum(rate(a{x="y",hash="{{revision}}",ns="{{namespace}}"}[1m])) / sum(rate(b{hash="{{revision}}"}[1m]))',
        { max: 0.01 },
        { ratio: { bad: 'a{x="y"}', total: 'b', limit: '1%' } },
      ],
      ['of errors that may not happen', share(A), { max: 0 }, { value: { query: share(A), max: 0, failures: 2 } }],
      [
        'of successes in a range',
        share(GOOD),
        { min: 0.9, max: 1 },
        { value: { query: share(GOOD), min: 0.9, max: 1, failures: 2 } },
      ],
      [
        'of a good value, whatever is bad',
        share(ALL.replace('web', 'api')),
        { min: 0.5 },
        { value: { query: share(ALL.replace('web', 'api')), min: 0.5, failures: 2 } },
      ],
      ['of anything else', ' max(x)\n', { max: 5 }, { value: { query: 'max(x)', max: 5, failures: 2 } }],
    ] as [string, string, object, object][],
    (query: string, limits: object, expected: object) => {
      const made = checkOf(query, limits, 2);
      assert.ok('check' in made);
      assert.deepEqual(made.check, expected);
    },
  );

  it('that cannot be asked is no check', () => {
    assert.deepEqual(checkOf('max(x{{revision}})', { max: 1 }, 1), {
      problem: 'its query cannot be used: at character 6: {{revision}} must be in quotes',
    });
    assert.ok('problem' in checkOf('max(x', { max: 1 }, 1));
  });
});

describe('the checks of a Rollout', () => {
  it('have names of their own, and are there once', () => {
    const list = new CheckList();
    const source = { name: 'main', type: 'prometheus', url: 'http://main' } as const;
    const long = 'X'.repeat(60);
    assert.deepEqual(
      [
        list.add('Success Rate!', { a: 1 }, source),
        list.add('success-rate', { a: 2 }, source),
        list.add('success_rate', { a: 1 }, source),
        list.add('--', {}, undefined),
        list.add(long, { a: 1 }, undefined),
        list.add(long, { a: 2 }, undefined),
      ],
      ['success-rate', 'success-rate-2', 'success-rate', 'check', 'x'.repeat(40), `${'x'.repeat(36)}-2`],
    );
    assert.deepEqual(list.sources, [source]);
    for (let i = 0; i < 5; i++) list.add(`c${i}`, {}, undefined);
    assert.equal(list.checks.length, 10);
    assert.equal(list.add('another', {}, undefined), undefined);
  });
});

interface Made {
  readonly analysis: Json[] | undefined;
  readonly steps: Json[];
  readonly lost: string[];
  readonly notes: string[];
}

function converted(object: Json, ...others: Json[]): Made {
  const { objects, remarks } = convertObject(object, [object, ...others]);
  const rollout = objects.find(({ kind }) => kind === 'Rollout')!;
  // The result is a Rollout that the webhook accepts.
  const shape = checkRollout(rollout);
  assert.deepEqual(shape.violations.map(sentence), []);
  assert.deepEqual(validateRollout({ rollout: shape.rollout!, version: 'v1beta1' }).violations.map(sentence), []);
  const { analysis, steps } = (rollout['spec'] as { strategy: { canary: { analysis?: Json[]; steps: Json[] } } })
    .strategy.canary;
  const texts = (lost: boolean): string[] => remarks.filter((one) => one.lost === lost).map(({ text }) => text);
  return { analysis, steps, lost: texts(true), notes: texts(false) };
}

describe('a metric of Argo Rollouts', () => {
  const template = (metric: object, more: object = {}): Json => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisTemplate',
    metadata: { name: 't' },
    spec: { metrics: [{ name: 'm', ...metric }], ...more },
  });
  const prometheus = (query: string, more: object = {}): object => ({ provider: { prometheus: { query, ...more } } });
  const rollout = (analysis: object, steps?: object[], background?: object): Json => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'shop', labels: { region: 'eu' } },
    spec: {
      template: {},
      strategy: {
        canary: {
          ...background,
          steps: steps ?? [{ setWeight: 20 }, { analysis: { templates: [{ templateName: 't' }], ...analysis } }],
        },
      },
    },
  });
  const made = (metric: object, more: object = {}, analysis: object = {}): Made =>
    converted(rollout(analysis), template(metric, more));

  it('names a limit that its condition does not accept, because min and max are good values', () => {
    const of = (condition: object): string[] => made({ ...condition, ...prometheus('max(x)') }).lost;
    const up = of({ successCondition: 'result[0] > 0' });
    assert.equal(up.length, 1);
    assert.match(up[0]!, /"result\[0\] > 0" does not accept 0 itself, and min and max accept it: write the next value/);
    assert.match(of({ failureCondition: 'result[0] >= 5' })[0]!, /does not accept 5 itself/);
    for (const fine of [
      { successCondition: 'result >= 0' },
      { failureCondition: 'result > 5' },
      { successCondition: 'result < 0.5' },
    ])
      assert.deepEqual(of(fine), []);
  });

  it('is a check, and the step is watched for all of its looks', () => {
    const metric = {
      interval: '1m',
      count: 5,
      failureLimit: 2,
      successCondition: 'result[0] <= 3',
      ...prometheus('max(x)', { address: 'http://prom:9090' }),
    };
    assert.deepEqual(made(metric), {
      analysis: [
        {
          name: 'm',
          source: 'prom',
          intervalSeconds: 60,
          onFailure: 'Rollback',
          value: { query: 'max(x)', max: 3, failures: 3 },
        },
      ],
      steps: [{ replicas: '20%', analysis: { seconds: 360 } }, { replicas: '100%' }],
      lost: [],
      notes: [
        'AnalysisTemplate t, metric "m": failureLimit: becomes failures: 3, in a row and not in total',
        'spec.strategy.canary.steps[1]: becomes analysis.seconds: 360 of the step before it; its checks watch the other steps, too',
      ],
    });
  });

  it('is measured once without interval and count', () => {
    const { analysis, steps } = made({ failureCondition: 'result > 3', ...prometheus('max(x)') });
    assert.deepEqual(analysis, [{ name: 'm', onFailure: 'Rollback', value: { query: 'max(x)', max: 3, failures: 1 } }]);
    assert.deepEqual(steps[0], { replicas: '20%', analysis: { seconds: 60 } });
  });

  it('has the values of its args', () => {
    const query =
      'max(x{a="{{args.new}}",b="{{ args.old }}",c="{{args.own}}",d="{{args.ns}}",e="{{args.label}}",f="{{args.default}}"})';
    const args = [
      { name: 'new', valueFrom: { podTemplateHashValue: 'Latest' } },
      { name: 'old', valueFrom: { podTemplateHashValue: 'Stable' } },
      { name: 'own', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'ns', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'label', valueFrom: { fieldRef: { fieldPath: "metadata.labels['region']" } } },
    ];
    const { analysis } = made(
      { successCondition: 'result < {{args.most}}', ...prometheus(query) },
      { args: [{ name: 'default', value: 'x' }, { name: 'most', value: 7 }, { name: 'new' }] },
      { args },
    );
    assert.deepEqual(analysis?.[0]?.['value'] as Json | undefined, {
      query: 'max(x{a="{{revision}}",b="{{stableRevision}}",c="web",d="{{namespace}}",e="eu",f="x"})',
      max: 7,
      failures: 1,
    });
  });

  it('of the web and of a Job are checks, too', () => {
    const web = {
      successCondition: 'asFloat(result) >= 0.9',
      provider: {
        web: {
          url: 'http://tests.ci/score?v={{args.v}}',
          jsonPath: '{$.data.score}',
          headers: [{ key: 'Authorization', value: 'Bearer x' }],
        },
      },
    };
    const one = made(web, { args: [{ name: 'v', value: '1' }] });
    assert.deepEqual(one.analysis, [
      {
        name: 'm',
        source: 'tests-ci-web',
        onFailure: 'Rollback',
        value: { web: { path: '/score?v=1', jsonPath: '{.data.score}' }, min: 0.9, failures: 1 },
      },
    ]);
    assert.match(
      one.lost.join(),
      /headers: credentials are not carried: write them into the Secret of the MetricSource/,
    );
    assert.doesNotMatch(JSON.stringify(one), /Bearer/);
    const job = made({ provider: { job: { spec: {} } } });
    assert.deepEqual(job.analysis, [
      {
        name: 'm',
        onFailure: 'Rollback',
        condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete', failed: 'Failed' },
      },
    ]);
    assert.match(job.lost.join(), /Tranche does not create Jobs: create the Job in the pipeline/);
    assert.deepEqual(job.steps[0], { replicas: '20%', analysis: { seconds: 60 } });
  });

  const ok = { successCondition: 'result <= 1' };
  rows(
    [
      [
        'of another provider',
        { ...ok, provider: { datadog: { query: 'x' } } },
        {},
        /provider datadog is not supported/,
      ],
      ['without a provider', ok, {}, /provider none is not supported/],
      ['without a condition', prometheus('max(x)'), {}, /it has no condition, so it decides nothing/],
      [
        'with two conditions',
        { ...ok, failureCondition: 'result > 2', ...prometheus('max(x)') },
        {},
        /together are not supported/,
      ],
      [
        'with another condition',
        { successCondition: "result == 'a'", ...prometheus('max(x)') },
        {},
        /"result == 'a'" is not a comparison/,
      ],
      ['with a query that is wrong', { ...ok, ...prometheus('max(x') }, {}, /at character 6: the query ends too early/],
      [
        'with a Secret',
        { ...ok, ...prometheus('max(x{a="{{args.token}}"})') },
        { args: [{ name: 'token', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
        /args "token" are not known: a Secret belongs to the MetricSource/,
      ],
      [
        'with an address of nothing',
        { ...ok, ...prometheus('max(x)', { address: 'ftp://x' }) },
        {},
        /"ftp:\/\/x" is not an address/,
      ],
      [
        'that is sent',
        { ...ok, provider: { web: { url: 'http://a/', method: 'POST', jsonPath: '{.a}' } } },
        {},
        /only GET is supported/,
      ],
      ['without jsonPath', { ...ok, provider: { web: { url: 'http://a/' } } }, {}, /jsonPath is required/],
      [
        'of a page that depends on the version',
        { ...ok, provider: { web: { url: 'http://a/{{args.v}}', jsonPath: '{.a}' } } },
        { args: [{ name: 'v', valueFrom: { podTemplateHashValue: 'Latest' } }] },
        /without placeholders/,
      ],
    ] as [string, object, object, RegExp][],
    (metric: object, more: object, expected: RegExp) => {
      const { analysis, steps, lost } = made(metric, more);
      assert.match(lost[0] ?? '', expected);
      assert.equal(analysis, undefined);
      assert.deepEqual(steps[0], { replicas: '20%' }, 'the step waits for approval');
    },
  );

  it('that is converted watches a step that waits for another', () => {
    const both = {
      ...template({}),
      spec: {
        metrics: [
          { name: 'a', ...ok, ...prometheus('max(x)') },
          { name: 'b', ...ok },
        ],
      },
    };
    const { analysis, steps } = converted(rollout({}), both);
    assert.equal(analysis?.length, 1);
    assert.deepEqual(steps[0], { replicas: '20%', pause: {}, analysis: { seconds: 60 } });
  });

  it('of a template that is not there, or in dryRun, is named', () => {
    const { lost, steps } = converted(rollout({}));
    assert.match(lost[0] ?? '', /^AnalysisTemplate "t": is not among the files/);
    assert.deepEqual(steps[0], { replicas: '20%' });
    const dry = made({ ...ok, ...prometheus('max(x)') }, {}, { dryRun: [{ metricName: 'm' }] });
    assert.match(dry.lost[0] ?? '', /dryRun has no counterpart: the metric is left out/);
    assert.equal(dry.analysis, undefined);
    const late = made({ ...ok, initialDelay: '5m', consecutiveErrorLimit: 9, ...prometheus('max(x)') });
    assert.deepEqual(
      late.lost.map((text) => text.split(': ')[1]),
      ['initialDelay', 'consecutiveErrorLimit'],
    );
  });

  it('in the background watches all steps, which keep their pauses', () => {
    const background = { analysis: { templates: [{ templateName: 't' }], startingStep: 2 } };
    const steps = [{ setWeight: 20 }, { pause: { duration: 60 } }, { setWeight: 50 }, { pause: {} }];
    const found = converted(rollout({}, steps, background), template({ ...ok, ...prometheus('max(x)') }));
    assert.equal(found.analysis?.length, 1);
    assert.deepEqual(found.steps, [
      { replicas: '20%', pause: { duration: 60 } },
      { replicas: '50%' },
      { replicas: '100%' },
    ]);
    assert.match(found.lost.join(), /startingStep: the checks watch the release from its first step on/);
  });

  it('at the end watches the last step', () => {
    const steps = [{ setWeight: 100 }, { analysis: { templates: [{ templateName: 't' }] } }];
    const found = converted(rollout({}, steps), template({ ...ok, ...prometheus('max(x)') }));
    assert.deepEqual(found.steps, [{ replicas: '100%', analysis: { seconds: 60 } }]);
  });

  it('of a template that includes itself ends', () => {
    const self = template({ ...ok, ...prometheus('max(x)') }, { templates: [{ templateName: 't' }] });
    assert.equal(converted(rollout({}), self).analysis?.length, 1);
  });
});

describe('a metric of Flagger', () => {
  const canary = (metric: object, spec: object = {}, analysis: object = {}): Json => ({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      targetRef: { kind: 'Deployment', name: 'web' },
      ...spec,
      analysis: {
        interval: '30s',
        threshold: 3,
        stepWeight: 50,
        metrics: [{ name: 'm', interval: '1m', ...metric }],
        ...analysis,
      },
    },
  });
  const template = (query: string, provider: object = {}): Json => ({
    apiVersion: 'flagger.app/v1beta1',
    kind: 'MetricTemplate',
    metadata: { name: 't', namespace: 'shop' },
    spec: { provider: { type: 'prometheus', address: 'http://prom:9090', ...provider }, query },
  });
  const made = (query: string, metric: object = {}, provider: object = {}): Made =>
    converted(canary({ templateRef: { name: 't' }, thresholdRange: { max: 5 }, ...metric }), template(query, provider));

  it('is a check of the new Pods, and each step is watched', () => {
    const found = made(
      'max(x{ns="{{ namespace }}",pod=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)",a="{{ variables.a }}"}[{{ interval }}:])',
      {
        templateVariables: { a: 'b' },
      },
    );
    assert.deepEqual(found.lost, []);
    assert.deepEqual(found.steps, [{ replicas: '50%', analysis: { seconds: 120 } }, { replicas: '100%' }]);
    assert.deepEqual(found.analysis, [
      {
        name: 'm',
        source: 'prom',
        intervalSeconds: 30,
        value: {
          query: 'max(x{ns="{{namespace}}",pod=~"{{workload}}-{{revision}}-.+",a="b"}[1m:])',
          max: 5,
          failures: 3,
        },
      },
    ]);
    assert.match(found.notes.join('\n'), /it now selects the new Pods by \{\{revision\}\}/);
    assert.match(
      found.notes.join('\n'),
      /threshold: becomes failures: 3, in a row and for each check; each step is watched for 120 seconds/,
    );
  });

  it('that cannot tell the versions apart is a check, with a warning', () => {
    const found = made('max(x{workload="{{ target }}"})');
    assert.equal(found.analysis?.length, 1);
    assert.match(
      found.lost.join(),
      /its query selects "web", which here has the Pods of both versions: add a matcher with \{\{revision\}\}/,
    );
  });

  it('that is a share is a ratio check', () => {
    const query =
      '100 - sum(rate(r{workload="{{ target }}",code!="404"}[{{ interval }}])) / sum(rate(r{workload="{{ target }}"}[{{ interval }}])) * 100';
    const { analysis, lost } = made(query);
    assert.deepEqual(analysis?.[0]?.['ratio'], { bad: 'r{code="404"}', total: 'r', limit: '5%' });
    assert.deepEqual(lost, []);
  });

  it('that is built in is a ratio check of Istio', () => {
    const rate = converted(canary({ name: 'request-success-rate', thresholdRange: { min: 99.5 } }));
    assert.deepEqual(rate.analysis?.[0], {
      name: 'request-success-rate',
      intervalSeconds: 30,
      ratio: {
        bad: 'istio_requests_total{reporter="destination",response_code=~"5.*"}',
        total: 'istio_requests_total{reporter="destination"}',
        limit: '0.5%',
      },
    });
    const time = converted(canary({ name: 'request-duration', thresholdRange: { max: 500 } }, { provider: 'istio' }));
    assert.deepEqual(time.analysis?.[0]?.['ratio'], {
      slowerThan: { histogram: 'istio_request_duration_milliseconds{reporter="destination"}', seconds: 500 },
      limit: '1%',
    });
    assert.match(time.notes.join(), /le="500" must be a bucket of the histogram/);
  });

  const max = { thresholdRange: { max: 1 } };
  rows(
    [
      [
        'of another mesh',
        canary({ name: 'request-success-rate', thresholdRange: { min: 99 } }, { provider: 'linkerd' }),
        /it depends on provider "linkerd"/,
      ],
      ['without a range', canary({ name: 'request-success-rate' }), /it has no thresholdRange/],
      [
        'that allows no error',
        canary({ name: 'request-success-rate', thresholdRange: { min: 100 } }),
        /its minimum must be between 0 and 100/,
      ],
      ['that is unknown', canary(max), /it has neither templateRef nor query/],
      [
        'whose template is not there',
        canary({ ...max, templateRef: { name: 'gone' } }),
        /MetricTemplate "gone" is not among the files/,
      ],
      ['of another provider', canary({ ...max, templateRef: { name: 't' } }), /provider "datadog" is not supported/],
      [
        'with an unknown variable',
        canary({ ...max, query: 'max(x{a="{{ variables.a }}"})' }),
        /"\{\{ variables\.a \}\}", which is not known/,
      ],
      ['with a query that is wrong', canary({ ...max, query: 'max(x' }), /the query ends too early/],
    ] as [string, Json, RegExp][],
    (object: Json, expected: RegExp) => {
      const { analysis, steps, lost } = converted(object, template('max(x)', { type: 'datadog' }));
      assert.match(lost.join('\n'), expected);
      assert.equal(analysis, undefined);
      assert.deepEqual(steps[0], { replicas: '50%' });
    },
  );

  it('with a Secret says where it belongs', () => {
    const { lost } = made('max(x)', {}, { secretRef: { name: 's' } });
    assert.match(lost.join(), /secretRef: credentials are not carried/);
  });
});
