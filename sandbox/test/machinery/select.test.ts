// Label and field selectors: matches, and errors of invalid selectors.
import assert from 'node:assert/strict';
import {
  formatLabelSelector,
  labelSelectorOf,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '../../src/core/select.ts';
import { ApiError } from '../../src/core/types.ts';

const said = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status.code, 400);
    return error.message;
  }
  throw new Error('nothing was refused');
};

describe('A label selector', () => {
  const cases: [text: string, matching: Record<string, string>, not: Record<string, string>][] = [
    ['app=web', { app: 'web' }, { app: 'db' }],
    ['app == web', { app: 'web' }, {}],
    ['app!=web', {}, { app: 'web' }],
    ['app in (web, db),tier', { app: 'db', tier: '' }, { app: 'db' }],
    ['app notin (web)', {}, { app: 'web' }],
    ['!app', { tier: 'x' }, { app: '' }],
    ['in in (in)', { in: 'in' }, { in: 'out' }],
    ['app in (,web)', { app: '' }, { app: 'db' }],
    ['app=', { app: '' }, { app: 'web' }],
    ['size>3,size<10', { size: '4' }, { size: '10' }],
    ['example.com/app=web', { 'example.com/app': 'web' }, { app: 'web' }],
  ];
  for (const [text, matching, not] of cases) {
    it(`"${text}" matches ${JSON.stringify(matching)}, not ${JSON.stringify(not)}`, () => {
      const selector = parseLabelSelector(text);
      assert.equal(matchesLabels(selector, matching), true);
      assert.equal(matchesLabels(selector, not), false);
    });
  }

  const mistakes: [text: string, message: string][] = [
    ['a in', "unable to parse requirement: found '' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a,', "found '', expected: identifier after ','"],
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a=(b)', "unable to parse requirement: found '(', expected: identifier"],
    [
      'a>x',
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ];
  for (const [text, message] of mistakes) {
    it(`"${text}" is refused: ${message}`, () => {
      assert.equal(
        said(() => parseLabelSelector(text)),
        message,
      );
    });
  }

  it('with an invalid label value is refused', () => {
    assert.match(
      said(() => parseLabelSelector('a=-b')),
      /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/,
    );
  });

  it('of an object is read and printed in the order of its keys', () => {
    const selector = labelSelectorOf({
      matchLabels: { b: '2', a: '1' },
      matchExpressions: [
        { key: 'c', operator: 'In', values: ['y', 'x'] },
        { key: 'd', operator: 'DoesNotExist' },
      ],
    });
    assert.equal(formatLabelSelector(selector), 'a=1,b=2,c in (x,y),!d');
  });
});

describe('A field selector', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'n' },
    status: { phase: 'Running' },
  };
  const known = ['metadata.name', 'metadata.namespace', 'status.phase'];

  it('compares fields', () => {
    const matches = (text: string): boolean => matchesFields(parseFieldSelector(text, known, true), object);
    assert.equal(matches('metadata.name=a,status.phase!=Pending'), true);
    assert.equal(matches('metadata.name==b'), false);
    assert.equal(matches('status.phase!=Running'), false);
  });

  it('is refused when it cannot be read or names a field that the kind does not know', () => {
    assert.equal(
      said(() => parseFieldSelector('metadata.name', known, true)),
      "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
    );
    assert.equal(
      said(() => parseFieldSelector('spec.x=1', known, true)),
      'field label not supported: spec.x',
    );
    assert.equal(
      said(() => parseFieldSelector('spec.x=1', known, false)),
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    );
  });
});
