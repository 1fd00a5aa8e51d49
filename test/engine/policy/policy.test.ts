import assert from 'node:assert/strict';
import type { ReleasePolicy } from '../../../src/api/policy.ts';
import { readBreakGlass } from '../../../src/engine/policy/break-glass.ts';
import { judge, matching, selects, type Finding } from '../../../src/engine/policy/policy.ts';
import { person, policy } from './support.ts';

describe('which policies match', () => {
  const all = policy('all', {});
  const production = policy('production', { match: { namespaceSelector: { matchLabels: { env: 'production' } } } });
  const tier = policy('tier', {
    match: { workloadSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }] } },
  });
  const names = (namespace: string, namespaceLabels = {}, workloadLabels: Record<string, string>[] = [{}]): string[] =>
    matching([tier, production, all], { namespace, namespaceLabels, workloadLabels }, new Set(['kube-system'])).map(
      ({ metadata }) => metadata.name,
    );

  it('is every one without a selector, and those whose selectors hold', () => {
    assert.deepEqual(names('shop'), ['all']);
    assert.deepEqual(names('shop', { env: 'production' }), ['all', 'production']);
    assert.deepEqual(names('shop', {}, [{ tier: 'front' }]), ['all', 'tier']);
  });

  it('asks the labels before and after an edit: taking one off does not take it out in the same edit', () => {
    assert.deepEqual(names('shop', {}, [{ tier: 'front' }, {}]), ['all', 'tier']);
  });

  it('is none in kube-system, and none that is being deleted', () => {
    assert.deepEqual(names('kube-system', { env: 'production' }), []);
    const leaving = { ...all, metadata: { ...all.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const subject = { namespace: 'shop', namespaceLabels: {}, workloadLabels: [{}] };
    assert.deepEqual(matching([leaving], subject, new Set()), []);
  });

  const a = (operator: string, values?: string[]) => ({
    matchExpressions: [{ key: 'a', operator, ...(values && { values }) }],
  });
  for (const [what, selector, labels, expected] of [
    ['In', a('In', ['1']), { a: '1' }, true],
    ['In, another value', a('In', ['1']), { a: '2' }, false],
    ['In, no label', a('In', ['1']), {}, false],
    ['NotIn, no label', a('NotIn', ['1']), {}, true],
    ['NotIn', a('NotIn', ['1']), { a: '1' }, false],
    ['Exists', a('Exists'), { a: '' }, true],
    ['Exists, no label', a('Exists'), {}, false],
    ['DoesNotExist', a('DoesNotExist'), {}, true],
    ['a name that every object has', { matchLabels: { toString: 'x' } }, {}, false],
    ['an operator nobody knows', a('Gt', ['1']), { a: '2' }, false],
  ] as const) {
    it(`understands ${what}`, () => assert.equal(selects(selector, labels), expected));
  }
});

describe('what findings come to', () => {
  const finding = (by: ReleasePolicy, rank = 0, rule: Finding['rule'] = 'windows'): Finding => ({
    policy: by,
    rule,
    rank,
    field: 'spec.template',
    value: 'changed',
    reason: 'r',
    remedy: 'wait',
  });
  const names = (findings: readonly Finding[]): string[] => findings.map((one) => one.policy.metadata.name);

  it('is one per rule and field: Deny before Warn before Audit', () => {
    const [deny, warn, audit] = [
      policy('d', {}),
      policy('w', { enforcement: 'Warn' }),
      policy('a', { enforcement: 'Audit' }),
    ];
    const judged = judge([finding(audit), finding(warn), finding(deny)], person());
    assert.deepEqual([judged.denied, judged.warned, judged.audited].map(names), [['d'], [], []]);
    const milder = judge([finding(audit), finding(warn)], person());
    assert.deepEqual([milder.denied, milder.warned, milder.audited].map(names), [[], ['w'], []]);
  });

  it('is the one that asks for more, so that one correction is enough', () => {
    const judged = judge([finding(policy('a', {}), -20), finding(policy('b', {}), -10)], person());
    assert.deepEqual(names(judged.denied), ['b']);
  });

  describe('with broken glass', () => {
    const glass = policy('p', { breakGlass: { groups: ['sre'] } });

    it('passes for the group, with a reason', () => {
      const judged = judge([finding(glass)], person({ groups: ['sre'], breakGlass: 'outage 7' }));
      assert.deepEqual([judged.denied, judged.broken].map(names), [[], ['p']]);
    });

    for (const [what, who, remedy] of [
      ['another group', { groups: ['dev'], breakGlass: 'please' }, /accepted only from a member of sre/],
      ['an empty reason', { groups: ['sre'], breakGlass: '  ' }, /write a reason/],
      [
        'no annotation, and says who could',
        { groups: ['sre'] },
        /in an emergency, a member of sre can add the annotation/,
      ],
    ] as const) {
      it(`does not for ${what}`, () => {
        const judged = judge([finding(glass)], person(who));
        assert.deepEqual(names(judged.broken), []);
        assert.match(judged.denied[0]?.remedy ?? '', remedy);
      });
    }

    it('opens nothing that a plan must be like, and no more releases at once', () => {
      const who = person({ groups: ['sre'], breakGlass: 'outage 7' });
      const judged = judge([finding(glass, 0, 'steps'), finding(glass, 0, 'maxConcurrentReleases')], who);
      assert.equal(judged.denied.length, 2);
      assert.doesNotMatch(judged.denied[0]!.remedy, /break-glass/);
    });

    it('opens only the policy that names the group', () => {
      const judged = judge(
        [finding(glass), finding(policy('other', {}))],
        person({ groups: ['sre'], breakGlass: 'x' }),
      );
      assert.deepEqual([judged.denied, judged.broken].map(names), [['other'], ['p']]);
    });
  });

  it('reads its own record of broken glass, and nobody else’s', () => {
    const glass = { user: 'u', reason: 'r', time: 't', policies: ['p'] };
    assert.deepEqual(readBreakGlass(JSON.stringify(glass)), glass);
    assert.deepEqual(readBreakGlass(JSON.stringify({ ...glass, policies: 'p' }))?.policies, [], 'opens nothing');
    for (const text of [undefined, '', 'null', '[]', '{"user":1}', '{']) assert.equal(readBreakGlass(text), undefined);
  });
});
