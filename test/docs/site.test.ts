// The site of the documentation: every page is in it, and no link, picture or script leaves it but by an address.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '../support/processes.ts';
import { root } from './page.ts';

const site = path.join(root, 'dist/site');
const config = readFileSync(path.join(root, 'mkdocs.yml'), 'utf8');

/** Where the links, pictures, scripts and styles of a page lead that are not addresses. */
function targetsOf(html: string): string[] {
  return [...html.matchAll(/<[^>]*?\b(?:href|src)="?([^"\s>]+)/g)]
    .map(([, target]) => target!.replaceAll('&amp;', '&'))
    .filter((target) => !/^([a-z]+:|\/\/)/.test(target));
}

function leadsSomewhere(page: string, target: string): boolean {
  const [name = '', anchor = ''] = target.split('#') as [string, string?];
  const file = name === '' ? page : path.normalize(path.join(path.dirname(page), name));
  const full = path.join(site, file);
  if (file.startsWith('..') || !existsSync(full)) return false;
  if (anchor === '' || !file.endsWith('.html')) return true;
  const id = decodeURIComponent(anchor);
  return ['"', '', "'"].some((quote) => readFileSync(full, 'utf8').includes(` id=${quote}${id}${quote || ''}`));
}

describe('the site of the documentation', function () {
  this.timeout(300_000);

  it('has every page in its navigation', () => {
    const pages = [
      ...globSync('*.md', { cwd: path.join(root, 'docs') }),
      ...globSync('reports/*.md', { cwd: path.join(root, 'docs') }),
    ];
    assert.ok(pages.length > 20);
    for (const page of pages) assert.match(config, new RegExp(`: ${page.replace('.', '\\.')}$`, 'm'));
    const records = readFileSync(path.join(root, 'docs/adr/README.md'), 'utf8');
    for (const record of globSync('0*.md', { cwd: path.join(root, 'docs/adr') })) {
      const [title] = readFileSync(path.join(root, 'docs/adr', record), 'utf8').split('\n');
      assert.ok(records.includes(`- [${title!.replace('# ', '')}](${record})`), record);
    }
  });

  describe('as make docs builds it', () => {
    before(async function () {
      // Python and its registry are not needed for anything else, so a machine may have neither.
      const tools = await run('make', ['.cache/site/bin/mkdocs', '.cache/site/package/dist/mermaid.min.js'], {
        cwd: root,
        timeoutSeconds: 240,
      });
      if (tools.code !== 0) this.skip();
      const { code, stdout, stderr } = await run('make', ['docs'], { cwd: root, timeoutSeconds: 120 });
      assert.equal(code, 0, stdout + stderr);
    });

    const pages = (): string[] => globSync('**/*.html', { cwd: site });

    it('has no link that leads nowhere, and needs no other host', () => {
      assert.equal(leadsSomewhere('index.html', 'nowhere.html'), false);
      assert.equal(leadsSomewhere('index.html', 'install.html#nowhere'), false);
      assert.equal(leadsSomewhere('index.html', '../site.md'), false);
      assert.ok(pages().length > 40);
      const broken = pages()
        // Its links begin at the root of the server.
        .filter((page) => page !== '404.html')
        .flatMap((page) => {
          const html = readFileSync(path.join(site, page), 'utf8');
          for (const [tag] of html.matchAll(/<(?:script|img|link rel="?stylesheet)[^>]*>/g))
            assert.doesNotMatch(tag, /(?:src|href)="?(?:https?:)?\/\//, page);
          return targetsOf(html)
            .filter((target) => !leadsSomewhere(page, target))
            .map((target) => `${page}: ${target}`);
        });
      assert.deepEqual(broken, []);
    });

    it('shows code, tables and diagrams, and no marks of Markdown', () => {
      const html = (page: string): string => readFileSync(path.join(site, `${page}.html`), 'utf8');
      const concepts = html('concepts');
      const diagrams = readFileSync(path.join(root, 'docs/concepts.md'), 'utf8').match(/^```mermaid$/gm)!;
      assert.equal(concepts.split('class="mermaid"').length - 1, diagrams.length);
      assert.match(concepts, /assets\/mermaid\.min\.js/);
      assert.match(html('quickstart'), /class="gp">\$ ?<\/span>/);
      for (const page of pages()) {
        const text = readFileSync(path.join(site, page), 'utf8').replace(/<(pre|code|script)\b[\s\S]*?<\/\1>/g, '');
        assert.doesNotMatch(text, /```|^\| ?---|\]\(\w|<p>- /m, page);
      }
      // What is for the tests only is not there.
      assert.doesNotMatch(html('install'), /--timeout=60s/);
    });

    it('finds words', () => {
      const { docs } = JSON.parse(readFileSync(path.join(site, 'search/search_index.json'), 'utf8')) as {
        docs: { location: string; text: string }[];
      };
      assert.ok(docs.some(({ location, text }) => location.startsWith('emergencies.html') && /give-back/.test(text)));
    });
  });
});
