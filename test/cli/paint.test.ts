// What objects of the cluster say cannot move the cursor, colour a line, or end one.
import assert from 'node:assert/strict';
import type { Io } from '../../src/cli/io.ts';
import { control, fit, guarded, oneLine, painter, plain } from '../../src/cli/paint.ts';
import { table } from '../../src/cli/text.ts';

const HOSTILE = 'a\x1b[2Jb\x9b31mc\x07d\u202ee\r';

describe('what is written to a terminal', () => {
  const shown = (terminal: boolean): { io: Io; text: () => string } => {
    let text = '';
    const write = (part: string): void => void (text += part);
    const io: Io = {
      out: write,
      err: write,
      data: write,
      env: {},
      invocation: 'kubectl tranche',
      terminal,
      columns: 80,
      rows: 24,
      now: () => 0,
      stdin: async () => '',
      signal: new AbortController().signal,
      drain: () => Promise.reject(new Error('not here')),
    };
    return { io: guarded(io), text: () => text };
  };

  it('has our colours, and escapes of nobody else', () => {
    const { io, text } = shown(true);
    io.out(`${painter(true)('red', 'no')} ${HOSTILE}\n`);
    io.err(HOSTILE);
    const harmless = 'a\\u001b[2Jb\\u009b31mc\\u0007d\\u202ee\\u000d';
    assert.equal(text(), `\x1b[31mno\x1b[0m ${harmless}\n${harmless}`);
  });

  it('is the same for data on a terminal, and data to the letter elsewhere', () => {
    const terminal = shown(true);
    terminal.io.data(JSON.stringify([HOSTILE]));
    assert.deepEqual(JSON.parse(terminal.text()), [HOSTILE]);
    assert.doesNotMatch(terminal.text(), /[\x1b\x9b]/);
    const file = shown(false);
    file.io.data(HOSTILE);
    assert.equal(file.text(), HOSTILE);
  });

  it('keeps one thing on one line', () => {
    assert.equal(table([['a\nb', 'c']]), 'a b   c\n');
    assert.equal(oneLine('step 1\r\n✓ nothing is wrong\n'), 'step 1 ✓ nothing is wrong ');
  });

  it('is cut to the width of the terminal, colours aside', () => {
    const paint = painter(true);
    const line = `${paint('green', 'available')} and ${paint('red', 'more')}`;
    assert.equal(fit(line, 18), line);
    const cut = fit(line, 12);
    assert.equal(plain(cut), 'available a…');
    assert.ok(cut.endsWith(`${control('0m')}…`), 'a colour does not end');
    assert.equal(plain(fit(line, 5)), 'avai…');
  });
});
