// Every relative link of every Markdown file leads somewhere, to the heading that it names.
import assert from 'node:assert/strict';
import { existsSync, globSync, statSync } from 'node:fs';
import path from 'node:path';
import { readPage, root, type Page } from './page.ts';

const files = globSync('**/*.md', {
  cwd: root,
  exclude: (name) => /^(node_modules|\.cache|\.git|dist|coverage)$/.test(path.basename(name)),
});

const pages = new Map<string, Page>();
const pageOf = (file: string): Page => {
  if (!pages.has(file)) pages.set(file, readPage(file));
  return pages.get(file)!;
};

/** As GitHub makes them. */
function anchorsOf(page: Page): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const { text } of page.prose) {
    const [, heading] = /^#{1,6} (.*)/.exec(text) ?? [];
    if (heading === undefined) {
      for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!);
      continue;
    }
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    anchors.add(times === 0 ? slug : `${slug}-${times}`);
  }
  return anchors;
}

function brokenLinks(file: string): string[] {
  return pageOf(file).prose.flatMap(({ line, text }) =>
    [...text.replace(/`[^`]*`/g, '').matchAll(/\]\(<?([^)>\s]+)>?\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leadsSomewhere(file, target))
      .map((target) => `${file}:${line}: ${target}`),
  );
}

function leadsSomewhere(from: string, target: string): boolean {
  const [name = '', anchor] = target.split('#');
  const file = name === '' ? from : path.join(path.dirname(from), name);
  if (!existsSync(path.join(root, file))) return false;
  if (anchor === undefined) return true;
  if (statSync(path.join(root, file)).isDirectory() || !file.endsWith('.md')) return false;
  return anchorsOf(pageOf(file)).has(anchor);
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
