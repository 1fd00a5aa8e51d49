// What counts as the output that a page shows.
import assert from 'node:assert/strict';
import { isAsShown } from './expect.ts';
import { commandsOf, fileNameOf, parsePage } from './page.ts';
import { isComplete } from './shell.ts';

describe('output and what a page shows', () => {
  const agrees: readonly [string, string, string][] = [
    ['ages', 'web   10/10   3s', 'web  10/10  2m10s'],
    ['times', 'at 2026-01-01T09:00:00Z', 'at 2031-11-27T18:00:01Z'],
    ['names of Pods', 'web-5c9f6d7b8d-xxxxx', 'web-77b8c9f5d4-zzzzz'],
    ['the width of columns, and blank lines', 'a    b\n\nc', 'a b\nc\n'],
    ['anything for dots in a line', 'Warning: ...; approve', 'Warning: what there is; approve'],
    ['any lines for a line of dots', 'first\n...\nlast', 'first\nsecond\nthird\nlast'],
    ['no line for a line of dots', 'first\n...', 'first'],
  ];
  for (const [what, shown, printed] of agrees) it(`agree but for ${what}`, () => assert.ok(isAsShown(shown, printed)));

  const differs: readonly [string, string, string][] = [
    ['a number differs', 'web 9/10', 'web 8/10'],
    ['a word is missing', 'a b c', 'a c'],
    ['a line is more', 'a', 'a\nb'],
    ['a line is less', 'a\nb', 'a'],
  ];
  for (const [what, shown, printed] of differs) it(`differ when ${what}`, () => assert.ok(!isAsShown(shown, printed)));
});

describe('a page', () => {
  const commands = (markdown: string) =>
    parsePage('page.md', markdown).blocks.flatMap((block) => commandsOf(block, isComplete));

  it('has a command over several lines as one', () => {
    const text =
      "```sh\nkubectl get \\\n  pods\n# a comment\ncat <<EOF\n$ not a prompt\nEOF\nfor i in 1 2; do\n  echo 'a\nb'\ndone\n```";
    assert.deepEqual(
      commands(text).map(({ line, text: command }) => [line, command.split('\n').length]),
      [
        [2, 2],
        [5, 3],
        [8, 4],
      ],
    );
  });

  it('has the output of each command of a console', () => {
    assert.deepEqual(commands('```console\n$ one\nsays this\n\nand that\n$ two\n```'), [
      { text: 'one', line: 2, output: 'says this\n\nand that' },
      { text: 'two', line: 6 },
    ]);
  });

  it('has blocks in lists and in comments', () => {
    const { blocks } = parsePage(
      'page.md',
      '# A\n\n- x\n\n  ```yaml Rollout\n  # web.yaml\n  a: 1\n  ```\n\n<!-- so\n\n```sh\necho\n```\n\n-->\n',
    );
    assert.deepEqual(
      blocks.map(({ language, info, hidden, section }) => ({ language, info, hidden, section })),
      [
        { language: 'yaml', info: ['Rollout'], hidden: false, section: 'A' },
        { language: 'sh', info: [], hidden: true, section: 'A' },
      ],
    );
    assert.equal(fileNameOf(blocks[0]!), 'web.yaml');
    assert.equal(blocks[0]!.text, '# web.yaml\na: 1');
  });
});
