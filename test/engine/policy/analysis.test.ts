// The rules about checks: what a Rollout must have, what may not be loosened, and who may continue although a check is Worse.
import assert from 'node:assert/strict';
import type { AnalysisCheck, CheckStatus, StepAnalysis } from '../../../src/api/analysis.ts';
import type { AnalysisRules, ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { CanaryStatus, CanaryStep, CanaryStrategy, Rollout } from '../../../src/api/types.ts';
import { failedChecks, judgeAnalysis, judgeOverride, mayOverride } from '../../../src/engine/policy/analysis.ts';
import { judge } from '../../../src/engine/policy/policy.ts';
import { judgePlan, judgeProtection } from '../../../src/engine/policy/rules.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rows } from '../build.ts';
import { person, policy, rolloutOf } from './support.ts';

const A = 'spec.strategy.canary.analysis';
const S = 'spec.strategy.canary.steps';

const errors: AnalysisCheck = { name: 'errors', source: 'main', ratio: { bad: 'a', total: 'b', limit: '1%' } };
const queue: AnalysisCheck = { name: 'queue', value: { query: 'x', max: 1 } };
const memory: AnalysisCheck = { name: 'memory', pods: { resource: 'memory', timesStable: 1.5 } };
const smoke: AnalysisCheck = { name: 'smoke', condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete' } };
const orders: AnalysisCheck = { name: 'orders', source: 'main', value: { external: { metric: 'm' }, min: 1 } };

const withCanary = (canary: CanaryStrategy, status?: Partial<CanaryStatus>): Rollout => {
  const rollout = rolloutOf(canary.steps ?? [], status);
  return { ...rollout, spec: { ...rollout.spec, strategy: { canary } } };
};
const watched = (replicas: number | string, seconds: number, pause?: CanaryStep['pause']): CanaryStep => ({
  replicas,
  analysis: { seconds },
  ...(pause && { pause }),
});

describe('the checks of a Rollout under a policy', () => {
  const said = (rules: AnalysisRules, analysis: readonly AnalysisCheck[]): string =>
    judgeAnalysis([policy('p', { analysis: rules })], withCanary({ analysis, steps: [{ replicas: 1 }] }), 10)
      .map(sentence)
      .join('\n');

  rows(
    [
      ['may be all that are required', { required: ['Ratio', 'Pods'] }, [errors, memory], ''],
      [
        'lack one that is required',
        { required: ['Ratio', 'Pods'] },
        [errors],
        `${A}: Invalid value: ["errors"]: must have a check with pods (policy p); add one`,
      ],
      [
        'lack all that are required',
        { required: ['Value', 'Condition'] },
        [],
        `${A}: Invalid value: []: must have a check with value, and one with condition (policy p); add them`,
      ],
      ['may use sources that are listed', { sources: ['main', 'kubernetes'] }, [errors, memory, smoke, orders], ''],
      ['may use the default source if it is listed', { sources: ['default'] }, [queue], ''],
      [
        'use another source',
        { sources: ['other'] },
        [errors],
        `${A}[0].source: Invalid value: "main": policy p allows only other; write one of them`,
      ],
      [
        'use the default source',
        { sources: ['main', 'other'] },
        [errors, queue],
        `${A}[1].source: Required value: without it, the source is "default", and policy p allows only main, other; write one of them`,
      ],
      [
        'read the Kubernetes API, whatever source they name',
        { sources: ['main'] },
        [memory, smoke, orders],
        ['[0].pods', '[1].condition', '[2].value.external']
          .map(
            (field) =>
              `${A}${field}: Forbidden: it is read from the source kubernetes, and policy p allows only main; remove the check`,
          )
          .join('\n'),
      ],
    ] satisfies [string, AnalysisRules, AnalysisCheck[], string][],
    (rules: AnalysisRules, analysis: readonly AnalysisCheck[], expected: string) =>
      assert.equal(said(rules, analysis), expected),
  );

  it('are judged with the steps, by the strictest policy', () => {
    const policies = [
      policy('a', { analysis: { required: ['Ratio'] } }),
      policy('b', { analysis: { required: ['Ratio', 'Pods'] } }),
    ];
    const found = judgePlan(policies, withCanary({ steps: [{ replicas: 1 }] }), undefined);
    assert.deepEqual(
      judge(found, person()).denied.map(({ reason }) => reason),
      ['must have a check with ratio, and one with pods (policy b)'],
    );
  });

  it('cannot be missing because somebody breaks the glass', () => {
    const strict = policy('a', { analysis: { required: ['Ratio'] }, breakGlass: { groups: ['dev'] } });
    const found = judgePlan([strict], withCanary({ steps: [{ replicas: 1 }] }), undefined);
    assert.equal(judge(found, person({ breakGlass: 'outage' })).denied.length, 1);
  });
});

describe('the time for which checks watch a step', () => {
  const wrong = (steps: CanaryStep[], replicas?: number): string[] =>
    judgeAnalysis(
      [policy('p', { analysis: { minSeconds: 600 } })],
      withCanary({ analysis: [errors], steps }),
      replicas,
    ).map(({ field }) => field.replace(`${S}[`, '').replace('].analysis.seconds', ''));
  const all: CanaryStep = { replicas: '100%' };
  rows(
    [
      ['is long enough', [watched('10%', 600), watched('50%', 601), all], undefined, []],
      ['is too short', [watched('10%', 599), watched('50%', 1), all], undefined, ['0', '1']],
      ['is a timed pause', [{ replicas: '10%', pause: { duration: 600 } }, all], undefined, []],
      ['is a short pause', [{ replicas: '10%', pause: { duration: 599 } }, all], undefined, ['0']],
      [
        'does not matter for a step that waits for approval',
        [{ replicas: '10%' }, watched('50%', 1, {}), all],
        undefined,
        [],
      ],
      ['matters for a step that does not wait for approval any more', [watched('10%', 1), all], undefined, ['0']],
      ['does not matter for a last step of all Pods', [watched('10%', 600), { replicas: 5 }], 5, []],
      [
        'matters for a last step of some Pods',
        [watched('10%', 600), { replicas: 5, pause: { duration: 1 } }],
        6,
        ['1'],
      ],
      ['matters for the only step', [all], undefined, ['0']],
      ['is long enough for the only step', [watched('100%', 600)], undefined, []],
    ] satisfies [string, CanaryStep[], number | undefined, string[]][],
    (steps: CanaryStep[], replicas: number | undefined, expected: string[]) =>
      assert.deepEqual(wrong(steps, replicas), expected),
  );

  it('is none without checks', () => {
    const steps = [{ replicas: 1, pause: { duration: 6000 } }, all];
    const found = judgeAnalysis([policy('p', { analysis: { minSeconds: 600 } })], withCanary({ steps }), 9);
    assert.equal(found.length, 1);
  });

  it('is said with what to write instead', () => {
    const found = judgeAnalysis(
      [policy('p', { analysis: { minSeconds: 600 } })],
      withCanary({ steps: [watched(1, 60), all] }),
      9,
    );
    assert.deepEqual(found.map(sentence), [
      `${S}[0].analysis.seconds: Invalid value: 60: must be at least 600, or the step must wait for approval (policy p); write 600 or more, or pause: {}`,
    ]);
  });

  it('does not replace a wait for approval, or a pause', () => {
    const said = (spec: ReleasePolicySpec, step: CanaryStep): string =>
      judgePlan([policy('p', spec)], withCanary({ steps: [step, all] }), undefined)
        .map(sentence)
        .join();
    assert.match(
      said({ steps: { manual: 'First' } }, watched('10%', 600)),
      /pause\.duration: Invalid value: missing: a step with analysis and without pause continues by itself, .* write pause: \{\}/,
    );
    assert.equal(said({ steps: { manual: 'First' } }, watched('10%', 600, {})), '');
    assert.match(said({ steps: { minPauseSeconds: 60 } }, watched('10%', 600)), /must be at least 60 seconds/);
    assert.equal(said({ steps: { minPauseSeconds: 60 } }, watched('10%', 600, { duration: 60 })), '');
  });
});

describe('a release that a check stops', () => {
  const worse: CheckStatus = { name: 'errors', verdict: 'Worse', since: '2026-01-05T10:00:00Z' };
  const stopped = (...analysis: CheckStatus[]): Rollout => withCanary({ steps: [{ replicas: 1 }] }, { analysis });
  const said = (rules: AnalysisRules, more: Partial<CheckStatus> = {}, who = person()): string =>
    judgeOverride([policy('p', { analysis: rules })], stopped({ ...worse, ...more }), who)
      .map(sentence)
      .join('\n');

  it('has failed checks that nobody has accepted', () => {
    const names = (...analysis: CheckStatus[]): string[] => failedChecks(stopped(...analysis)).map(({ name }) => name);
    assert.deepEqual(
      names(worse, { ...worse, name: 'b', acceptedBy: ['x'] }, { ...worse, name: 'c', acceptedBy: [] }),
      ['errors'],
      'without a webhook, nobody is recorded',
    );
    assert.deepEqual(
      names({ ...worse, verdict: 'Unknown' }, { ...worse, verdict: 'Open' }, { ...worse, verdict: 'Fine' }),
      [],
    );
    assert.deepEqual(failedChecks(withCanary({})), []);
  });

  it('may be continued by those whom the policy lists', () => {
    const text = (who: string, how: string): string =>
      `approval of a failed check: Forbidden: check errors is Worse, and policy p lets ${who} continue; ${how}`;
    assert.equal(said({}), '', 'whoever may approve');
    assert.equal(said({ override: {} }), text('nobody', 'roll back'));
    assert.equal(
      said({ override: { users: ['bob'], groups: ['sre'] } }),
      text('only bob, or a member of sre', 'ask them, or roll back'),
    );
    assert.equal(said({ override: { users: ['alice'] } }), '');
    assert.equal(said({ override: { groups: ['dev'] } }), '');
    assert.equal(said({ override: {} }, { acceptedBy: ['bob'] }), '', 'somebody has accepted it');
    assert.equal(said({ override: {} }, { verdict: 'Unknown' }), '');
  });

  it('names all failed checks', () => {
    const found = judgeOverride(
      [policy('p', { analysis: { override: {} } })],
      stopped(worse, { ...worse, name: 'slow' }),
      person(),
    );
    assert.match(found.map(sentence).join(), /checks errors, slow are Worse/);
  });

  it('may be continued by breaking the glass', () => {
    const glass = policy('p', { analysis: { override: {} }, breakGlass: { groups: ['dev'] } });
    const found = judgeOverride([glass], stopped(worse), person());
    assert.equal(judge(found, person()).denied.length, 1);
    const { denied, broken } = judge(found, person({ breakGlass: 'outage' }));
    assert.deepEqual([denied.length, broken.length], [0, 1]);
  });

  describe('for the operator', () => {
    const sre = policy('sre', { analysis: { override: { groups: ['sre'] } } });
    const jane = policy('jane', { analysis: { override: { users: ['jane'] } } });
    const nobody = policy('nobody', { analysis: { override: {} } });
    const bot = 'system:serviceaccount:ci:bot';
    rows(
      [
        ['without policies', [], { user: 'bob' }, true],
        [
          'without the rule',
          [policy('p', { analysis: { required: ['Ratio'] } }), policy('q', {})],
          { user: 'bob' },
          true,
        ],
        ['a member of the group', [sre], { user: 'bob', groups: ['sre'] }, true],
        ['not a member', [sre], { user: 'bob', groups: ['dev'] }, false],
        ['a record without groups', [sre], { user: 'bob' }, false],
        ['a named user', [jane], { user: 'jane' }, true],
        ['allowed by one of two policies', [jane, sre], { user: 'jane' }, false],
        ['allowed by both', [jane, sre], { user: 'jane', groups: ['sre'] }, true],
        ['nobody', [nobody], { user: 'jane', groups: ['sre'] }, false],
        ['past the policy, with a reason', [nobody], { user: 'jane', past: ['nobody'] }, true],
        ['past another policy', [nobody], { user: 'jane', past: ['sre'] }, false],
        [
          'a policy that only warns',
          [{ ...nobody, spec: { ...nobody.spec, enforcement: 'Warn' } }],
          { user: 'jane' },
          true,
        ],
        ['a machine account in a group of people', [sre], { user: bot, groups: ['sre'] }, false],
        [
          'a machine account in a group of everybody',
          [policy('p', { analysis: { override: { groups: ['system:authenticated'] } } })],
          { user: bot, groups: ['system:authenticated'] },
          false,
        ],
        [
          'a machine account that is named',
          [policy('p', { analysis: { override: { users: [bot] } } })],
          { user: bot },
          true,
        ],
      ] as const,
      (policies, approver, expected) => assert.equal(mayOverride(policies, approver), expected),
    );
  });
});

describe('the checks of a release in flight', () => {
  const policies = [policy('p', { protectInFlight: true })];
  const steps: CanaryStep[] = [{ replicas: 1 }, { replicas: '100%' }];
  const flying = (canary: CanaryStrategy): Rollout =>
    withCanary({ steps, ...canary }, { currentStepIndex: 1, currentStepState: 'StepUpgrade' });
  const said = (before: CanaryStrategy, after: CanaryStrategy): string[] =>
    judgeProtection(policies, flying(before), flying(after), undefined).map(sentence);
  const by = '(policy p protects releases in progress)';
  const full: AnalysisCheck = {
    ...errors,
    ratio: { bad: 'a', total: 'b', limit: '1%', timesStable: 2, fineBelowTimesStable: 3 },
    onFailure: 'Rollback',
  };
  const ratio = (more: Partial<NonNullable<AnalysisCheck['ratio']>>): AnalysisCheck => ({
    ...full,
    ratio: { ...full.ratio, ...more },
  });
  const value = (more: object): AnalysisCheck => ({
    ...queue,
    value: { query: 'x', min: 1, max: 9, failures: 2, ...more },
  });
  const without = <T extends object>(object: T, key: keyof T): T => {
    const { [key]: _, ...rest } = object;
    return rest as T;
  };

  rows(
    [
      ['a larger limit', full, ratio({ limit: '1.5%' }), 'ratio.limit'],
      ['a smaller limit', full, ratio({ limit: '0.9%' }), undefined],
      ['no limit', full, { ...full, ratio: without(full.ratio!, 'limit') }, 'ratio.limit'],
      ['a larger multiple', full, ratio({ timesStable: 2.1 }), 'ratio.timesStable'],
      ['a limit besides the multiple', { ...full, ratio: without(full.ratio!, 'limit') }, full, undefined],
      ['a sooner end', full, ratio({ fineBelowTimesStable: 4 }), 'ratio.fineBelowTimesStable'],
      ['Hold instead of Rollback', full, { ...full, onFailure: 'Hold' }, 'onFailure'],
      ['the default instead of Rollback', full, without(full, 'onFailure'), 'onFailure'],
      ['Rollback instead of Hold', { ...full, onFailure: 'Hold' }, full, undefined],
      ['more failures', value({}), value({ failures: 3 }), 'value.failures'],
      ['the default number of failures', value({}), value({ failures: undefined }), 'value.failures'],
      ['a larger maximum', value({}), value({ max: 10 }), 'value.max'],
      ['a smaller minimum', value({}), value({ min: 0 }), 'value.min'],
      ['no minimum', value({}), value({ min: undefined }), 'value.min'],
      ['a narrower range', value({}), value({ min: 2, max: 8, failures: 1 }), undefined],
      [
        'a larger multiple of Pods',
        memory,
        { ...memory, pods: { resource: 'memory', timesStable: 1.6 } },
        'pods.timesStable',
      ],
      ['fewer looks', memory, { ...memory, intervalSeconds: 31 }, 'intervalSeconds'],
      ['more looks', memory, { ...memory, intervalSeconds: 29 }, undefined],
      ['a longer warm-up', memory, { ...memory, warmUpSeconds: 61 }, 'warmUpSeconds'],
      ['another selector', full, ratio({ bad: 'c' }), ''],
      ['another source', full, { ...full, source: 'other' }, ''],
      ['another query', value({}), value({ query: 'y' }), ''],
      ['another kind', memory, { ...smoke, name: 'memory' }, ''],
      ['another condition', smoke, { ...smoke, condition: { ...smoke.condition!, ok: 'Started' } }, ''],
    ] as [string, AnalysisCheck, AnalysisCheck, string | undefined][],
    (was: AnalysisCheck, is: AnalysisCheck, expected: string | undefined) => {
      const field = expected === undefined ? [] : [expected === '' ? `${A}[0]` : `${A}[0].${expected}`];
      assert.deepEqual(
        judgeProtection(policies, flying({ analysis: [was] }), flying({ analysis: [is] }), undefined).map(
          (one) => one.field,
        ),
        field,
      );
    },
  );

  it('are not removed, and may be added or moved', () => {
    assert.deepEqual(said({ analysis: [errors, queue] }, { analysis: [queue] }), [
      `${A}: Forbidden: check errors cannot be removed during a release ${by}; keep it`,
    ]);
    assert.deepEqual(said({ analysis: [errors, queue] }, { analysis: [memory, queue, errors] }), []);
    assert.equal(said({ analysis: [errors] }, {}).length, 1);
  });

  it('do not follow the strategy to Hold', () => {
    assert.deepEqual(said({ analysis: [errors], onFailure: 'Rollback' }, { analysis: [errors] }), [
      `${A}[0].onFailure: Invalid value: "Hold": must not be looser than before ("Rollback") during a release ${by}; keep it`,
    ]);
  });

  it('say what was before', () => {
    assert.deepEqual(said({ analysis: [value({})] }, { analysis: [value({ max: undefined })] }), [
      `${A}[0].value.max: Invalid value: missing: must not be looser than before (9) during a release ${by}; keep it`,
    ]);
    assert.deepEqual(said({ analysis: [memory] }, { analysis: [{ ...memory, warmUpSeconds: 90 }] }), [
      `${A}[0].warmUpSeconds: Invalid value: 90: must not be looser than before (the default) during a release ${by}; keep it`,
    ]);
  });

  describe('in a step', () => {
    const inStep = (analysis?: StepAnalysis, more: Partial<CanaryStep> = { pause: {} }): CanaryStep => ({
      replicas: '50%',
      ...more,
      ...(analysis && { analysis }),
    });
    const judged = (was: CanaryStep, is: CanaryStep, current = 1): string[] => {
      const of = (step: CanaryStep): Rollout =>
        withCanary(
          { analysis: [errors], steps: [step, { replicas: '100%' }] },
          { currentStepIndex: current, currentStepState: 'StepUpgrade' },
        );
      return judgeProtection(policies, of(was), of(is), undefined).map(({ field }) => field.replace(`${S}[0].`, ''));
    };
    const was = inStep({ seconds: 60, minTotal: 9 });
    rows(
      [
        ['watch shorter', was, inStep({ seconds: 59, minTotal: 9 }), ['analysis.seconds']],
        ['watch longer', was, inStep({ seconds: 61, minTotal: 10, lowTraffic: 'Wait' }), []],
        ['need fewer requests', was, inStep({ seconds: 60, minTotal: 8 }), ['analysis.minTotal']],
        ['need fewer requests than the default', inStep({ seconds: 60 }), inStep(was.analysis), ['analysis.minTotal']],
        [
          'continue with fewer requests',
          was,
          inStep({ seconds: 60, minTotal: 9, lowTraffic: 'Continue' }),
          ['analysis.lowTraffic'],
        ],
        ['do not watch', was, inStep(), ['analysis']],
        ['replace the wait for approval', inStep(), inStep({ seconds: 60 }, {}), ['pause.duration']],
        ['watch besides the wait for approval', inStep(), inStep({ seconds: 60 }), []],
      ] as [string, CanaryStep, CanaryStep, string[]][],
      (before: CanaryStep, after: CanaryStep, expected: string[]) => assert.deepEqual(judged(before, after), expected),
    );

    it('that is past, may change', () => assert.deepEqual(judged(was, inStep(), 2), []));
  });
});
