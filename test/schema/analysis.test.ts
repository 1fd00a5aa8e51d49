// PromQL of checks: what is refused, where it is wrong, and that the webhook and lint refuse it.
import assert from 'node:assert/strict';
import { convertRollout } from '../../src/api/convert.ts';
import type { RatioSpec, ValueSpec } from '../../src/api/analysis.ts';
import { GROUP } from '../../src/api/keys.ts';
import { sentence } from '../../src/engine/validate/violation.ts';
import { validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import { readReview } from '../../src/admission/review.ts';
import { checkRollout } from '../../src/schema/rollout.ts';
import { aReview, atOnce, someDeps, type Json } from '../admission/support.ts';
import { rows } from '../engine/build.ts';

const withChecks = (...analysis: object[]): Json => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'default' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { analysis, steps: [{ replicas: 1 }, { replicas: '100%' }] } },
  },
});
const withRatio = (more: Partial<RatioSpec>): Json =>
  withChecks({ name: 'errors', ratio: { bad: 'a', total: 'b', limit: '1%', ...more } });
const withValue = (more: Partial<ValueSpec>): Json => withChecks({ name: 'queue', value: { max: 1, ...more } });

const judge = (rollout: Json): string[] => checkRollout(rollout).violations.map(sentence);
const AT = 'spec.strategy.canary.analysis[0]';
const KNOWN = '{{namespace}}, {{workload}}, {{revision}}, {{stableRevision}}';
const EXPRESSION = 'write an expression with one value, such as max(queue_depth{queue="{{workload}}"})';
const SELECTOR = 'write a selector such as http_requests_total{code=~"5.."}';
const HISTOGRAM = 'write a selector such as http_request_duration_seconds{route="/"}';

describe('a selector of a check is refused', () => {
  const histogram = (text: string): Json =>
    withChecks({ name: 'slow', ratio: { slowerThan: { histogram: text, seconds: 1 }, limit: '1%' } });
  rows(
    [
      [
        'that is a function',
        withRatio({ bad: 'rate(a[5m])' }),
        `${AT}.ratio.bad: Invalid value: "rate(a[5m])": at character 1: must be one selector, without functions and ranges; ${SELECTOR}`,
      ],
      [
        'that ends too early',
        withRatio({ total: 'a{b="c"' }),
        `${AT}.ratio.total: Invalid value: "a{b=\\"c\\"": at character 8: the query ends too early; ${SELECTOR}`,
      ],
      [
        'with a placeholder',
        withRatio({ bad: 'a{namespace="{{namespace}}"}' }),
        `${AT}.ratio.bad: Invalid value: "a{namespace=\\"{{namespace}}\\"}": at character 14: "{{namespace}}" is not replaced in a selector, ` +
          `which is limited to the Pods of the workload anyway; ${SELECTOR}`,
      ],
      [
        'of the buckets of a histogram',
        histogram('h_bucket{a="b"}'),
        `${AT}.ratio.slowerThan.histogram: Invalid value: "h_bucket{a=\\"b\\"}": at character 1: must be the name of the histogram, without _bucket; ${HISTOGRAM}`,
      ],
      [
        'of a histogram without a name',
        histogram('{__name__="h"}'),
        `${AT}.ratio.slowerThan.histogram: Invalid value: "{__name__=\\"h\\"}": at character 1: must start with the name of the histogram; ${HISTOGRAM}`,
      ],
    ] satisfies [string, Json, string][],
    (rollout: Json, text: string) => assert.deepEqual(judge(rollout), [text]),
  );
});

describe('an expression of a check is refused', () => {
  const said = (query: string, reason: string): string =>
    `${AT}.value.query: Invalid value: ${JSON.stringify(query)}: ${reason}; ${EXPRESSION}`;
  rows(
    [
      ['that ends too early', 'max(x', 'at character 6: the query ends too early'],
      [
        'with an unknown placeholder',
        'x{a="{{target}}"}',
        `at character 6: unknown placeholder "{{target}}"; known are ${KNOWN}`,
      ],
      [
        'with an unknown placeholder in spaces',
        'x{a="{{ target }}"}',
        `at character 6: unknown placeholder "{{ target }}"; known are ${KNOWN}`,
      ],
      [
        'with a placeholder of nothing',
        'x{a="{{}}"}',
        `at character 6: unknown placeholder "{{}}"; known are ${KNOWN}`,
      ],
      [
        'with a placeholder over two lines',
        'x{a="{{namespace\n}}"}',
        `at character 6: unknown placeholder "{{namespace\\n}}"; known are ${KNOWN}`,
      ],
      ['with a placeholder as a name', 'x{{namespace}}', 'at character 2: {{namespace}} must be in quotes'],
      ['with a placeholder as a range', 'rate(x[{{revision}}])', 'at character 8: {{revision}} must be in quotes'],
      [
        'with quotes around two texts',
        `x{a="b",c='d'} + {{workload}} + x{e="f"}`,
        'at character 18: {{workload}} must be in quotes',
      ],
      ['with a range as its value', 'x[5m]', 'at character 1: must have one value, not a range or a text'],
      ['with ranges as its value', 'x[5m:1m]', 'at character 1: must have one value, not a range or a text'],
      ['that is a text', '"x"', 'at character 1: must have one value, not a range or a text'],
      ['with a comment', 'x # "{{namespace}}"', 'at character 6: {{namespace}} must be in quotes'],
    ],
    (query: string, reason: string) => assert.deepEqual(judge(withValue({ query })), [said(query, reason)]),
  );

  it('once, if it is too long', () => {
    const found = judge(withValue({ query: `${'('.repeat(100_000)}` }));
    assert.equal(found.length, 1);
    assert.match(found.join(), /must have at most 2000 characters/);
  });

  it('without characters that change the direction of text', () => {
    const found = judge(withValue({ query: 'x \u202eevil' })).join();
    assert.match(found, /at character 3: "\\u202eevil" is not expected here/);
    assert.doesNotMatch(found, /\u202e/);
    assert.doesNotMatch(judge(withValue({ query: 'x{a="{{\u202e}}"}' })).join(), /\u202e/);
  });
});

describe('a query of a check is accepted', () => {
  for (const rollout of [
    withRatio({ bad: 'http_requests_total{code=~"5.."}' }),
    withChecks({ name: 'slow', ratio: { slowerThan: { histogram: 'h{a="b"}', seconds: 0.5 }, limit: '1%' } }),
    ...[
      'max(x{namespace="{{namespace}}",pod=~\'{{workload}}-{{revision}}-.+\'})',
      'sum(rate(x{a="{{ stableRevision }}"}[5m])) / 2',
      'max(x{a=`{{workload}}`}) or vector(0)',
      'label_replace(x, "a", "$1", "b", "(.*)")',
      '1',
    ].map((query) => withValue({ query })),
  ])
    it(JSON.stringify((rollout['spec'] as { strategy: { canary: Json } }).strategy.canary['analysis']), () =>
      assert.deepEqual(judge(rollout), []),
    );
});

describe('the webhook for Rollouts', () => {
  const bad = withValue({ query: 'max(x' });
  const message = (rollout: Json, old?: Json): string =>
    atOnce(validateRolloutRequest(readReview(aReview(rollout, old)), someDeps())).status?.message ?? '';

  it('refuses queries in both versions', () => {
    assert.match(message(bad), /analysis\[0\]\.value\.query: .* at character 6: the query ends too early/);
    const alpha = convertRollout(bad, GROUP, 'v1beta1', 'v1alpha1');
    assert.match(message(alpha), /^spec\.strategy\.canary\.analysis\[0\]\.value\.query: .* at character 6/);
  });

  it('keeps labels of a stored Rollout editable', () => {
    const labelled = { ...bad, metadata: { name: 'demo', namespace: 'default', labels: { a: 'b' } } };
    assert.equal(message(labelled, bad), '');
  });
});
