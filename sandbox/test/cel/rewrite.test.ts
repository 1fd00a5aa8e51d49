// Syntax that the library lacks becomes calls. Everything else stays unchanged.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import fc from 'fast-check';
import { rewrite } from '../../src/cel/rewrite.ts';

const changed: [expression: string, text: string][] = [
  ['has(a.b)', 'cel_has(a.b)'],
  ['has (a.b)', 'cel_has (a.b)'],
  ['a.matches("x")', 'a.cel_matches("x")'],
  ['!matches(a, "x")', '!cel_matches(a, "x")'],
  ['l.all(x, x > 0)', 'l.all(x,cel_round( x > 0))'],
  ['l.map(x, f(x, 1), x)', 'l.map(x, f(x, 1),cel_round( x))'],
  ['[a, ?b]', 'cel_list([cel_item(a),cel_optionalItem( b)])'],
  ['{?"k": a}', 'cel_map([cel_optionalPair("k", a)])'],
  ['{?"k": c ? d : e, "l": 1}', 'cel_map([cel_optionalPair("k", c ? d : e),cel_pair( "l", 1)])'],
  ['Object.spec{paused: true}', 'cel_object("Object.spec", [cel_pair("paused", true)])'],
  ['Object{}', 'cel_object("Object", [])'],
  ['JSONPatch{op: "add"}', 'cel_jsonPatch("JSONPatch", [cel_pair("op", "add")])'],
];

const unchanged = [
  'a.b[0].c["d"]',
  'a[?"k"].?b.orValue("?")',
  '{"k": c ? d : e}',
  'x in [1, 2] ? {"a": [{"b": 1}]} : {}',
  '"has(x) {?} [?]" + \'.all(y, z)\'',
  'r"\\d{2}[?]" + """a "b" {c}"""',
  'has_more(a) && matches_all',
  'a // has(b)\n&& c',
  '1.5e3 + 0xFF + 2u',
];

/** White space between tokens says nothing. */
const squeezed = (text: string): string => text.replace(/([,(])\s+/g, '$1');

describe('Rewriting', () => {
  for (const [expression, text] of changed) {
    it(`makes calls of ${expression}`, () => assert.equal(squeezed(rewrite(expression).text), squeezed(text)));
  }

  for (const expression of unchanged) {
    it(`leaves ${JSON.stringify(expression)}`, () =>
      assert.equal(squeezed(rewrite(expression).text), squeezed(expression)));
  }

  it('maps positions of the text to the expression', () => {
    const expression = 'has(a.b) && l.all(x, frob(x))';
    const { text, origin } = rewrite(expression);
    for (const word of ['a.b', 'l.all', 'frob'])
      assert.equal(origin(text.indexOf(word)), expression.indexOf(word), word);
  });

  it('returns a result or a compile error for any input', () => {
    const piece = fc.constantFrom(
      'has',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '?',
      ':',
      ',',
      '.',
      'Object',
      ' ',
      '"',
      "'",
      'all',
      '1',
      '\\',
      '//',
      '\n',
      'é',
      '`',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          assert.equal(typeof rewrite(pieces.join('')).text, 'string');
        } catch (error) {
          assert.equal((error as Error).name, 'CelCompileError');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
