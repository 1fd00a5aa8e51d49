import assert from 'node:assert/strict';
import { sentence, show } from '../../../src/engine/validate/violation.ts';

describe('a value in a refusal', () => {
  for (const [what, value, expected] of [
    ['a text', 'a "b"', '"a \\"b\\""'],
    ['an object', { a: [1] }, '{"a":[1]}'],
    ['nothing', undefined, 'missing'],
    ['null', null, 'null'],
    ['what would turn the direction of writing', 'a\u202eb', '"a\\u202eb"'],
    ['control characters', '\u0007\u009b', '"\\u0007\\u009b"'],
  ] as const) {
    it(`shows ${what}`, () => assert.equal(show(value), expected));
  }

  it('is cut short', () => assert.equal(show('x'.repeat(500)), `"${'x'.repeat(119)}…`));
});

describe('a refusal', () => {
  it('has four parts: the field, its value, what is wrong, and what to write', () => {
    const violation = { field: 'spec.steps', value: 0, reason: 'is too few', remedy: 'write one' };
    assert.equal(sentence(violation), 'spec.steps: Invalid value: 0: is too few; write one');
  });
});
