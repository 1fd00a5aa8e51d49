// JSONPath as kubectl has it: text of a template, and values of one path.
import assert from 'node:assert/strict';
import { compileJsonPath, JsonPathError, renderJsonPath } from '../../../src/engine/lib/jsonpath.ts';
import { rows } from '../build.ts';

const DOCUMENT = {
  kind: 'List',
  'a.b': { c: 1 },
  items: [
    { name: 'one', size: 1, tags: ['x', 'y'], at: { name: 'inner' } },
    { name: 'two', size: 2 },
    { name: 'three', size: 3 },
  ],
};

describe('the text of a template', () => {
  rows(
    [
      ['of a field', '{.kind}', 'List'],
      ['of a field without braces', 'kind', 'List'],
      ['of a field with a dot', '{.a\\.b.c}', '1'],
      ['of a quoted field', "{['a.b'].c}", '1'],
      ['of the whole document', '{.items[1]}', '{"name":"two","size":2}'],
      ['of each item', '{.items[*].name}', 'one two three'],
      ['of the last item', '{.items[-1].name}', 'three'],
      ['of a slice', '{.items[0:2].name}', 'one two'],
      ['of each name', '{..name}', 'one inner two three'],
      ['of items with a condition', '{.items[?(@.size>=2)].name}', 'two three'],
      ['of items with a text', '{.items[?(@.name=="one")].size}', '1'],
      ['of items with a field', '{.items[?(@.tags)].name}', 'one'],
      ['with a range', '{range .items[*]}{.name}={.size}{"\\n"}{end}', 'one=1\ntwo=2\nthree=3\n'],
      ['of nothing', '{.other.field}', ''],
      ['of a field of every object', '{.constructor}', ''],
    ],
    (template: string, expected: string) => assert.equal(renderJsonPath(template, DOCUMENT), expected),
  );
});

describe('the values of a path', () => {
  rows(
    [
      ['one', '{.items[0].size}', [1]],
      ['several', '{.items[*].size}', [1, 2, 3]],
      ['an object', '{["a.b"]}', [{ c: 1 }]],
      ['none', '{.items[9].size}', []],
      ['none of text', '{.kind.length}', []],
    ],
    (path: string, expected: unknown[]) => assert.deepEqual(compileJsonPath(path)(DOCUMENT), expected),
  );

  rows(
    [
      ['two paths', '{.a}{.b}', /one path/],
      ['text', 'is {.a}', /one path/],
      ['a range', '{range .a[*]}{.b}{end}', /one path/],
      ['..', '{..name}', /"\.\." is not accepted/],
      ['.. in a filter', '{.items[?(@.a..b==1)]}', /"\.\." is not accepted/],
      ['an open brace', '{.a', /"\{" is not closed/],
      ['an open range', '{range .a[*]}', /\{range\} without \{end\}/],
      ['an end', '{end}', /\{end\} without \{range\}/],
      ['a bad index', '{.a[x]}', /invalid "\[x\]"/],
      ['a bad filter', '{.a[?(b)]}', /invalid filter/],
      ['a bad value in a filter', '{.a[?(@.b==c)]}', /must be a number or in quotes/],
    ],
    (path: string, expected: RegExp) =>
      assert.throws(
        () => compileJsonPath(path),
        (error: Error) => error instanceof JsonPathError && expected.test(error.message),
      ),
  );
});
