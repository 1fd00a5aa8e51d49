// 1,000 releases in one page: it stays correct, and what it costs is printed. Times depend on the machine, so none is asserted.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import type { ReleaseRow } from '../../src/view/dashboard/types.ts';
import { assertQuiet, launch, LIGHT, openPage } from './browser.ts';
import { overviewOf, ROWS, summaryOf } from './fixtures.ts';
import { stage } from './stage.ts';

const COUNT = 1000;
const UPDATES = 20;

/** As in a large cluster: few wait, some move, most are at rest. */
const rows: readonly ReleaseRow[] = Array.from({ length: COUNT }, (_, i) => {
  const like = ROWS[i % 20 === 0 ? 1 : i % 10 === 1 ? 3 : 5]!;
  const [namespace, name] = [`team-${i % 40}`, `service-${String(i).padStart(4, '0')}`];
  return { ...like, key: `${namespace}/${name}`, namespace, name, workload: name };
});

/** MiB of the memory that only the tab's process has, and MiB of its JavaScript. Undefined where the system does not say. */
async function memoryOf(browser: Browser, page: Page): Promise<{ tab: number | undefined; heap: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = (await session.send('Performance.enable').then(() => session.send('Performance.getMetrics'))) as {
    metrics: { name: string; value: number }[];
  };
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')!.value / 2 ** 20;
  const all = await browser.newBrowserCDPSession();
  const { processInfo } = await all.send('SystemInfo.getProcessInfo');
  const sizes = processInfo
    .filter(({ type, id }) => type === 'renderer' && existsSync(`/proc/${id}/smaps_rollup`))
    .map(({ id }) => {
      const text = readFileSync(`/proc/${id}/smaps_rollup`, 'utf8');
      const own = [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm)].map(([, kib]) => Number(kib));
      return own.reduce((sum, kib) => sum + kib, 0) / 1024;
    });
  return { tab: sizes.length > 0 ? Math.max(...sizes) : undefined, heap };
}

describe('the page of the dashboard with 1,000 releases', function () {
  let browser: Browser;

  before(async function () {
    const found = await launch();
    if (!found) return this.skip();
    browser = found;
  });
  after(() => browser?.close());

  it('shows all of them, and changes one without touching the others', async () => {
    const dashboard = await stage({ now: Date.now, overview: overviewOf(rows) });
    const page = await openPage(browser, LIGHT, 'about:blank', 'real');
    try {
      // From the start of the navigation to the frame in which all rows are painted.
      await page.addInitScript((count) => {
        const painted = (name: string): void =>
          void requestAnimationFrame(() => setTimeout(() => Object.assign(globalThis, { [name]: performance.now() })));
        let seen = 0;
        const observer = new MutationObserver(() => {
          const rows = document.querySelectorAll('.row').length;
          if (rows > 0 && seen === 0) painted('firstAt');
          if (rows === count) painted('paintedAt');
          if (rows === count) observer.disconnect();
          seen = rows;
        });
        observer.observe(document, { subtree: true, childList: true });
      }, COUNT);
      await page.goto(dashboard.address);
      await page.waitForFunction(() => 'paintedAt' in globalThis);
      const [first, all] = await page.evaluate(() => {
        const { firstAt, paintedAt } = globalThis as unknown as { firstAt: number; paintedAt: number };
        return [firstAt, paintedAt] as const;
      });
      await page.evaluate(() => {
        for (const row of document.querySelectorAll('.row')) Object.assign(row, { same: true });
      });
      const times: number[] = [];
      for (let i = 0; i < UPDATES; i++) {
        const says = `step 2/3: update ${i}`;
        const changed = { ...rows[421]!, rank: 'motion' as const, word: 'Replacing Pods', says };
        const shown = page.evaluate(
          (text) =>
            new Promise<number>((resolve) => {
              const observer = new MutationObserver(() => {
                if (!document.body.textContent!.includes(text)) return;
                observer.disconnect();
                requestAnimationFrame(() => setTimeout(() => resolve(Date.now())));
              });
              observer.observe(document.body, { subtree: true, childList: true, characterData: true });
            }),
          says,
        );
        await page.evaluate('1');
        const sent = Date.now();
        dashboard.send({ type: 'rows', changed: [changed], gone: [], summary: summaryOf(rows) });
        times.push((await shown) - sent);
      }
      const same = await page.$$eval(
        '.row',
        (all) => all.filter((row) => (row as unknown as { same?: boolean }).same).length,
      );
      assert.equal(same, COUNT, 'no row was made anew');
      assert.equal(await page.locator('.row').count(), COUNT);
      await page.fill('#filter', 'service-0421');
      await page.waitForFunction(() => document.querySelectorAll('.row').length === 1);
      await page.fill('#filter', '');
      await page.waitForFunction((count) => document.querySelectorAll('.row').length === count, COUNT);
      const { tab, heap } = await memoryOf(browser, page);
      const sorted = times.toSorted((a, b) => a - b);
      process.stderr.write(
        `1,000 releases: first rows painted ${Math.round(first)} ms, all of them ${Math.round(all)} ms after the address was opened; ` +
          `one update shown after ${sorted[UPDATES / 2]} ms (median of ${UPDATES}), ${sorted.at(-1)} ms at most; ` +
          `memory of the tab ${tab === undefined ? 'not known' : `${Math.round(tab)} MiB`}, of its JavaScript ${Math.round(heap)} MiB\n`,
      );
      assertQuiet(page);
    } finally {
      await page.context().close();
      await dashboard.close();
    }
  });
});
