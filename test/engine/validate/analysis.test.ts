// Checks of a release: which are refused, and what their author is told.
import assert from 'node:assert/strict';
import type { AnalysisCheck, StepAnalysis } from '../../../src/api/analysis.ts';
import type { CanaryStep } from '../../../src/api/types.ts';
import { validateRollout } from '../../../src/engine/validate/rollout.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rows } from '../build.ts';
import { canary, sized } from './support.ts';

type Check = Partial<AnalysisCheck>;

const errors: Check = { name: 'errors', ratio: { bad: 'bad_total', total: 'all_total', limit: '1%' } };
const memory: Check = { name: 'memory', pods: { resource: 'memory', timesStable: 1.5 } };
const smoke: Check = { name: 'smoke', condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete' } };
const relative: Check = { name: 'relative', ratio: { bad: 'bad_total', total: 'all_total', timesStable: 1.5 } };
const queue = (more: object): Check => ({ name: 'queue', value: { query: 'max(depth)', max: 1, ...more } });
const ratio = (more: object): Check => ({ name: 'errors', ratio: { bad: 'a', total: 'b', limit: '1%', ...more } });

const AT = 'spec.strategy.canary.analysis[0]';
const STEP = 'spec.strategy.canary.steps[0].analysis';

/** The errors in both versions, which name these fields in the same way. */
function judge(fields: object): string[] {
  const one = canary(fields);
  const [beta, alpha] = (['v1beta1', 'v1alpha1'] as const).map((version) =>
    validateRollout({ rollout: one, version }).violations.map(sentence),
  ) as [string[], string[]];
  assert.deepEqual(alpha, beta);
  return beta;
}

describe('a check is refused', () => {
  rows(
    [
      [
        'of no kind',
        { name: 'a' },
        `${AT}: Required value: exactly one of ratio, value, pods and condition is required; add it`,
      ],
      [
        'of two kinds',
        { ...memory, ...errors },
        `${AT}: Invalid value: ["ratio","pods"]: exactly one of ratio, value, pods and condition is required; write one check for each`,
      ],
      [
        'that counts in two ways',
        ratio({ slowerThan: { histogram: 'h', seconds: 1 } }),
        `${AT}.ratio.slowerThan: Forbidden: cannot be used together with bad and total; remove one of them; for both, write two checks`,
      ],
      [
        'without all requests',
        ratio({ total: undefined }),
        `${AT}.ratio.total: Required value: add a PromQL selector of a counter; or write slowerThan instead of bad and total`,
      ],
      [
        'without bad requests',
        ratio({ bad: undefined }),
        `${AT}.ratio.bad: Required value: add a PromQL selector of a counter; or write slowerThan instead of bad and total`,
      ],
      [
        'without a limit',
        ratio({ limit: undefined }),
        `${AT}.ratio.limit: Required value: limit or timesStable is required; write for example limit: "1%" or timesStable: 1.5`,
      ],
      [
        'that allows nothing',
        ratio({ limit: '0.00%' }),
        `${AT}.ratio.limit: Invalid value: "0.00%": must be more than 0%; write for example "0.1%"`,
      ],
      [
        'that is fine without a comparison',
        ratio({ fineBelowTimesStable: 2 }),
        `${AT}.ratio.fineBelowTimesStable: Forbidden: has no effect without timesStable; add timesStable, or remove it`,
      ],
      [
        'that is fine before it is not worse',
        ratio({ timesStable: 2, fineBelowTimesStable: 1.9 }),
        `${AT}.ratio.fineBelowTimesStable: Invalid value: 1.9: must be at least timesStable (2); write 2 or more`,
      ],
      [
        'without a value',
        queue({ query: undefined }),
        `${AT}.value: Required value: exactly one of query, external and web is required; add it`,
      ],
      [
        'of two values',
        queue({ external: { metric: 'm' } }),
        `${AT}.value: Invalid value: ["query","external"]: exactly one of query, external and web is required; write one check for each`,
      ],
      [
        'of a value without limits',
        queue({ max: undefined }),
        `${AT}.value.max: Required value: min or max is required; write the highest or the lowest good value`,
      ],
      [
        'of a value that cannot be good',
        queue({ min: 2 }),
        `${AT}.value.min: Invalid value: 2: must be at most max (1); write 1 or less`,
      ],
      [
        'of Pods without a value',
        { name: 'a', pods: { timesStable: 2 } },
        `${AT}.pods: Required value: exactly one of resource and metric is required; add it`,
      ],
      [
        'of Pods with two values',
        { name: 'a', pods: { timesStable: 2, resource: 'cpu', metric: 'm' } },
        `${AT}.pods: Invalid value: ["resource","metric"]: exactly one of resource and metric is required; write one check for each`,
      ],
      [
        'of Pods that rolls back',
        { ...memory, onFailure: 'Rollback' },
        `${AT}.onFailure: Invalid value: "Rollback": a check with pods compares few values, so it never rolls back; write Hold, or remove it`,
      ],
      [
        'that passes when it fails',
        { name: 'a', condition: { apiVersion: 'v1', kind: 'X', ok: 'Done', failed: 'Done' } },
        `${AT}.condition.failed: Invalid value: "Done": must not be the same as ok; write another type, or remove it`,
      ],
      [
        'of a document without a source',
        { name: 'a', value: { web: { path: '/', jsonPath: '{.a}' }, max: 1 } },
        `${AT}.source: Required value: value.web needs the name of a MetricSource with web; write the name of a MetricSource with web`,
      ],
      [
        'of PromQL that Kubernetes should answer',
        { ...errors, source: 'kubernetes' },
        `${AT}.source: Invalid value: "kubernetes": the metrics APIs of Kubernetes do not answer PromQL; write the name of a MetricSource with prometheus, or remove it`,
      ],
    ] satisfies [string, Check, string][],
    (check: Check, text: string) => assert.deepEqual(judge({ analysis: [check] }), [text]),
  );

  for (const path of [
    '//evil/',
    '/a/../b',
    '/a/%2E%2e/b',
    '/a%2f/b',
    '/a/./b',
    '/a#b',
    '/a b',
    '/a\\b',
    '/a%5Cb',
    '/a\u00a0',
    '/a\nb',
  ])
    it(`of a document at ${JSON.stringify(path)}`, () => {
      const check = { name: 'a', source: 's', value: { web: { path, jsonPath: '{.a}' }, max: 1 } };
      assert.match(judge({ analysis: [check] }).join(), /value\.web\.path: Invalid value: .* must be a path without/);
    });

  it('with the name of another', () => {
    assert.deepEqual(judge({ analysis: [errors, memory, { ...smoke, name: 'errors' }] }), [
      'spec.strategy.canary.analysis[2].name: Invalid value: "errors": must be unique, and analysis[0] has the same name; write another name',
    ]);
  });

  it('but no more than the first ten are read: the schema refuses the rest', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => ({ name: `c${i}` }));
    assert.equal(judge({ analysis: many }).length, 10);
  });
});

describe('the analysis of a step is refused', () => {
  const inStep = (analysis: object, checks: Check[]): string[] =>
    judge({ analysis: checks, steps: [{ replicas: 1, analysis }] });

  it('without a check', () => {
    const text = `${STEP}: Forbidden: requires at least one check in spec.strategy.canary.analysis; add a check, or remove it`;
    assert.deepEqual(inStep({ seconds: 60 }, []), [text]);
    assert.deepEqual(judge({ steps: [{ replicas: 1, analysis: { seconds: 60 } }] }), [text]);
  });

  it('with a number of requests that nobody counts', () => {
    const text = (field: string): string =>
      `${STEP}.${field}: Forbidden: has no effect without a check with ratio; remove it`;
    const analysis = { seconds: 60, minTotal: 5, lowTraffic: 'Wait' };
    assert.deepEqual(inStep(analysis, [memory]), [text('minTotal'), text('lowTraffic')]);
    assert.deepEqual(inStep(analysis, [memory, errors]), []);
  });
});

describe('a check is accepted', () => {
  for (const check of [
    errors,
    relative,
    memory,
    smoke,
    { ...errors, onFailure: 'Rollback', source: 'main' },
    { name: 'slow', ratio: { slowerThan: { histogram: 'h', seconds: 0.5 }, timesStable: 2, fineBelowTimesStable: 2 } },
    queue({ min: 1 }),
    queue({ max: undefined, min: 0 }),
    { name: 'a', source: 's', value: { web: { path: '/a..b/c?d=../e', jsonPath: '{.a}' }, min: 0 } },
    { name: 'a', value: { external: { metric: 'm' }, max: 1 }, source: 'kubernetes' },
  ] satisfies Check[])
    it(JSON.stringify(check), () => assert.deepEqual(judge({ analysis: [check] }), []));
});

describe('the author of checks is told', () => {
  const advice = (steps: CanaryStep[], checks: Check[], replicas?: number): string[] => {
    const found = validateRollout({
      rollout: canary({ analysis: checks, steps }),
      version: 'v1beta1',
      ...(replicas !== undefined && { deployment: sized(replicas) }),
    });
    assert.deepEqual(found.violations, []);
    return found.warnings.filter((text) => text.includes('analysis'));
  };
  const watched = (replicas: number | string, more: Partial<StepAnalysis> = {}): CanaryStep => ({
    replicas,
    analysis: { seconds: 60, ...more },
  });
  const at = (replicas: number | string, duration?: number): CanaryStep => ({
    replicas,
    ...(duration !== undefined && { pause: { duration } }),
  });

  it('nothing about checks that a step waits for', () => {
    assert.deepEqual(advice([watched('10%'), at('100%')], [errors, relative, smoke], 100), []);
    assert.deepEqual(advice([at('10%', 60), at('100%')], [errors]), []);
    assert.deepEqual(advice([at('10%'), at('100%')], [errors]), [], 'a step that waits for approval');
    assert.deepEqual(advice([at('10%', 0), watched('100%')], [errors]), []);
  });

  it('that no step waits for the checks', () => {
    const text =
      'tranche: spec.strategy.canary.analysis: no step waits for the checks, because no step has a pause or analysis; ' +
      'add for example analysis: {seconds: 600} to the first step';
    assert.deepEqual(advice([at('10%', 0), at('100%', 0)], [errors]), [text]);
    assert.deepEqual(advice([at('100%')], [errors]), [text]);
    assert.deepEqual(advice([at(5)], [errors], 5), [text]);
    assert.deepEqual(advice([at(5)], [errors], 6), []);
    assert.deepEqual(advice([at('10%', 0), at('100%', 0)], []), []);
  });

  it('that the last step has nothing to compare with', () => {
    const text =
      'tranche: spec.strategy.canary.steps[1].analysis: in this step no stable Pod is left to compare with, so the checks show nothing new; ' +
      'add a check with ratio.limit, or a smaller step before it';
    assert.deepEqual(advice([watched('50%'), watched('100%')], [relative]), [text]);
    assert.deepEqual(advice([watched('50%'), watched('100%')], [relative, memory], 10), [text]);
    assert.deepEqual(advice([watched('50%'), watched('100%')], [relative, errors]), []);
    assert.deepEqual(advice([watched('50%'), watched('90%')], [relative]), []);
  });

  it('that a step has too few Pods for a check of Pods', () => {
    const text = (step: number, pods: string): string =>
      `tranche: spec.strategy.canary.steps[${step}].analysis: the step has ${pods}, too few for the checks with pods (memory): they show nothing in this step`;
    assert.deepEqual(advice([watched(1), watched(2), watched(3)], [memory, errors], 9), [
      text(0, '1 new Pod and 8 stable Pods'),
      text(1, '2 new Pods and 7 stable Pods'),
      text(2, '3 new Pods and 6 stable Pods'),
    ]);
    assert.deepEqual(advice([at(1), watched('50%')], [memory], 12), []);
    assert.deepEqual(advice([watched(1)], [memory]), [], 'the size is not known');
    assert.deepEqual(advice([watched(1)], [errors], 9), []);
  });

  it('which sources and settings have no effect', () => {
    const text = (kind: string): string =>
      `tranche: spec.strategy.canary.analysis[0].source: has no effect, because ${kind} is read from the Kubernetes API`;
    assert.deepEqual(advice([at(1)], [{ ...memory, source: 'main' }]), [text('pods')]);
    assert.deepEqual(advice([at(1)], [{ ...smoke, source: 'main' }]), [text('condition')]);
    assert.deepEqual(advice([at(1)], [{ name: 'a', source: 'main', value: { external: { metric: 'm' }, max: 1 } }]), [
      text('value.external'),
    ]);
    assert.deepEqual(advice([at(1)], [{ ...memory, source: 'kubernetes' }]), []);
  });
});
