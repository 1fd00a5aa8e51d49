// No file contains what Git leaves of a merge with conflicts.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MARKER = /^(?:<{7} |>{7} |={7}$)/m;

describe('all files', () => {
  it('contain no marker of a conflict', () => {
    const files = globSync('{.ci,.github,certs,charts,docs,sandbox,src,test,tools}/**/*.{ts,md,yaml,yml,json,svg,sh}', {
      cwd: root,
      exclude: (name) => path.basename(name) === 'node_modules',
    }).concat(globSync('*.{md,json,yml}', { cwd: root }), 'Makefile', '.ci/run');
    assert.ok(files.length > 500);
    assert.deepEqual(
      files.filter((file) => MARKER.test(readFileSync(path.join(root, file), 'utf8'))),
      [],
    );
  });

  it('are looked at: a marker is found', () => {
    assert.match(`a\n${'<'.repeat(7)} HEAD\nb\n`, MARKER);
  });
});
