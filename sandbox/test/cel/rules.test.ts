// x-kubernetes-validations: type-checked against the schema, evaluated on self and oldSelf.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { compileRule } from '../../src/cel/index.ts';
import type { Schema } from '../../src/core/types.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        ratio: { type: 'number' },
        name: { type: 'string' },
        'dashed-name': { type: 'string' },
        since: { type: 'string', format: 'date-time' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        steps: {
          type: 'array',
          items: { type: 'object', properties: { weight: { 'x-kubernetes-int-or-string': true } } },
        },
      },
    },
  },
};
const self = {
  apiVersion: 'a/v1',
  kind: 'A',
  metadata: { name: 'demo', labels: { secret: 'x' } },
  spec: {
    replicas: 3,
    ratio: 1,
    name: 'x',
    'dashed-name': 'y',
    since: '2026-01-01T00:00:00Z',
    labels: { a: 'b' },
    steps: [{ weight: 1 }, { weight: '50%' }],
  },
};
const check = (rule: string, old?: unknown): string | undefined =>
  compileRule({ rule, message: 'no' }, schema, { root: true }).check(self, old);

describe('validation rules of a schema', () => {
  for (const rule of [
    'self.spec.replicas == 3',
    'self.spec.ratio > 0.5',
    'self.spec.dashed__dash__name == "y"',
    'self.spec.since < timestamp("2027-01-01T00:00:00Z")',
    'self.spec.labels.all(k, self.spec.labels[k] == "b")',
    'self.spec.steps.all(s, type(s.weight) == int || s.weight.endsWith("%"))',
    'self.metadata.name == "demo" && self.kind == "A"',
    'has(self.spec.name) && self.spec.name.size() > 0',
    'self.spec.steps[0] != self.spec.steps[1]',
  ]) {
    it(`hold: ${rule}`, () => assert.equal(check(rule), undefined));
  }

  it('give their message when they do not hold, or say which rule failed', () => {
    assert.equal(check('self.spec.replicas > 3'), 'no');
    assert.equal(
      compileRule({ rule: 'self.spec.replicas > 3 ' }, schema).check(self),
      'failed rule: self.spec.replicas > 3',
    );
  });

  it('prefer a message expression, unless it fails or is empty', () => {
    const rule = { rule: 'self.spec.replicas > 3', message: 'no' };
    const message = (messageExpression: string): unknown =>
      compileRule({ ...rule, messageExpression }, schema).check(self);
    assert.equal(message('"replicas is " + string(self.spec.replicas)'), 'replicas is 3');
    assert.equal(message('self.spec.labels["none"]'), 'no');
    assert.equal(message('""'), 'no');
  });

  it('report an evaluation error', () => {
    assert.equal(check('self.spec.labels["z"] == "b"'), 'rule evaluation error: no such key: z');
  });

  it('see the old value in transition rules', () => {
    const rule = compileRule({ rule: 'self.spec == oldSelf.spec', message: 'immutable' }, schema);
    assert.equal(rule.usesOldSelf, true);
    assert.equal(rule.check(self, structuredClone(self)), undefined);
    assert.equal(rule.check(self, { ...self, spec: { ...self.spec, replicas: 4 } }), 'immutable');
    assert.equal(compileRule({ rule: 'self.spec.name != "oldSelf"' }, schema).usesOldSelf, false);
  });

  it('receive an optional old value with optionalOldSelf', () => {
    const rule = compileRule({ rule: 'oldSelf.hasValue() || self.spec.replicas == 3', optionalOldSelf: true }, schema);
    assert.equal(rule.check(self), undefined);
    assert.equal(rule.check({ spec: { replicas: 4 } }, self), undefined);
    assert.match(rule.check({ spec: { replicas: 4 } })!, /^failed rule/);
  });

  for (const [rule, message] of [
    ['self.spec.replica == 3', /1:10: undefined field 'replica'/],
    ['has(self.spec.nam)', /undefined field 'nam'/],
    ['self.metadata.labels.size() > 0', /undefined field 'labels'/],
    ['self.spec.replicas == "3"', /found no matching overload for '_==_' applied to '\(int, string\)'/],
    ['self.spec.steps.all(s, s.wait == 1)', /undefined field 'wait'/],
    ['object.spec.replicas == 3', /undeclared reference to 'object'/],
    ['self.spec.name', /^cel expression must evaluate to a bool$/],
  ] as const) {
    it(`are refused: ${rule}`, () =>
      assert.throws(() => compileRule({ rule }, schema, { root: true }), { name: 'CelCompileError', message }));
  }

  it('refuse a message expression that is not a string', () => {
    assert.throws(() => compileRule({ rule: 'true', messageExpression: '1' }, schema), {
      message: 'messageExpression must evaluate to a string',
    });
  });
});
