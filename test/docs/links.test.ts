// Every relative link of every Markdown file leads somewhere, to the heading that it names.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import path from 'node:path';
import { leadsSomewhere, pageOf } from './anchors.ts';
import { root } from './page.ts';

const files = globSync('**/*.md', {
  cwd: root,
  exclude: (name) => /^(node_modules|\.cache|\.git|dist|coverage)$/.test(path.basename(name)),
});

function brokenLinks(file: string): string[] {
  return pageOf(file).prose.flatMap(({ line, text }) =>
    [...text.replace(/`[^`]*`/g, '').matchAll(/\]\(<?([^)>\s]+)>?\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(file, target))
      .map((target) => `${file}:${line}: ${target}`),
  );
}

describe('the links of all Markdown files', () => {
  it('lead somewhere', () => {
    assert.ok(files.length > 20);
    assert.deepEqual(files.flatMap(brokenLinks), []);
  });

  it('are looked at: one that leads nowhere is found', () => {
    assert.equal(leadsSomewhere('README.md', 'docs/nowhere.md'), false);
    assert.equal(leadsSomewhere('README.md', 'docs/policy.md#nowhere'), false);
    assert.equal(leadsSomewhere('docs/policy.md', '#break-glass'), true);
  });
});
