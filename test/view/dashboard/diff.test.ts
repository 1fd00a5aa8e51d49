// The difference of two templates as lines.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { diffLines, diffOf } from '../../../src/view/dashboard/diff.ts';
import { deployment, facts, progressing, replicaSet, rollout } from '../support.ts';

/** `+a -b c`: one line each. */
const shown = (before: string, after: string): string =>
  diffLines(before.split(' '), after.split(' '))
    .lines.map(({ kind, text }) => `${{ add: '+', remove: '-', context: '', gap: '~' }[kind]}${text}`)
    .join(' ');

describe('the diff of templates', () => {
  const TABLE: readonly (readonly [before: string, after: string, lines: string])[] = [
    ['a b c', 'a b c', ''],
    ['a b c', 'a x c', 'a -b +x c'],
    ['a', 'b', '-a +b'],
    ['a b', 'a b c', 'a b +c'],
    ['a b c', 'c', '-a -b c'],
    ['a b c d', 'b d e', '-a b -c d +e'],
    ['1 2 3 4 5 6', '1 2 3 4 5 x', '~2 unchanged lines 3 4 5 -6 +x'],
    ['x 1 2 3 4 5 6 7 8 y', 'X 1 2 3 4 5 6 7 8 Y', '-x +X 1 2 3 ~2 unchanged lines 6 7 8 -y +Y'],
  ];
  for (const [before, after, lines] of TABLE)
    it(`of "${before}" and "${after}"`, () => assert.equal(shown(before, after), lines));

  it('has all lines of both texts, and no more changes than lines that differ', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const { lines: all, added, removed } = diffLines(before, after);
        if (added + removed === 0) return assert.deepEqual(before, after);
        const of = (...kinds: string[]): string[] =>
          all.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
        const gaps = all.filter(({ kind }) => kind === 'gap').reduce((sum, { text }) => sum + parseInt(text, 10), 0);
        assert.equal(of('context', 'remove').length + gaps, before.length);
        assert.equal(of('context', 'add').length + gaps, after.length);
        if (gaps === 0) {
          assert.deepEqual(of('context', 'remove'), before);
          assert.deepEqual(of('context', 'add'), after);
        }
      }),
    );
  });

  it('is bounded, and says that lines are left out', () => {
    const lines = (name: string): string[] => Array.from({ length: 5000 }, (_, i) => `${name}${i}`);
    const { lines: all, added, removed, cut } = diffLines(lines('a'), lines('b'));
    assert.deepEqual([all.length, added, removed, cut], [500, 5000, 5000, true]);
  });

  it('shows the values of variables, as kubectl diff does, and no label that controllers add', () => {
    const env = (value: string): object => ({
      containers: [{ name: 'app', image: 'web', env: [{ name: 'LEVEL', value }] }],
    });
    const of = {
      ...deployment('v2'),
      spec: { ...deployment('v2').spec, template: { metadata: { labels: { app: 'web' } }, spec: env('debug') } },
    };
    const old = replicaSet('v1', 4, 1);
    const labels = { app: 'web', 'pod-template-hash': 'v1' };
    const set = { ...old, spec: { ...old.spec, template: { metadata: { labels }, spec: env('info') } } };
    const diff = diffOf(
      facts(rollout(progressing({ stableRevision: 'v1' })), of as ReturnType<typeof deployment>, [set as typeof old]),
    )!;
    assert.deepEqual(
      diff.lines.filter(({ kind }) => kind === 'add' || kind === 'remove'),
      [
        { kind: 'remove', text: '          value: info' },
        { kind: 'add', text: '          value: debug' },
      ],
    );
    assert.deepEqual([diff.from, diff.to], ['revision 1 (v1)', 'the new version']);
  });
});
