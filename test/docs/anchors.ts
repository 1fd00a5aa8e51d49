// Where a link of a page leads: to a file of the repository, and to the heading that it names.
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { readPage, root, type Page } from './page.ts';

const pages = new Map<string, Page>();
export const pageOf = (file: string): Page => {
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

export function leadsSomewhere(from: string, target: string): boolean {
  const [name = '', anchor] = target.split('#');
  const file = name === '' ? from : path.join(path.dirname(from), name);
  if (!existsSync(path.join(root, file))) return false;
  if (anchor === undefined) return true;
  if (statSync(path.join(root, file)).isDirectory() || !file.endsWith('.md')) return false;
  return anchorsOf(pageOf(file)).has(anchor);
}
