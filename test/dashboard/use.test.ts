// How the page is used: the keyboard, the live region, the filter, actions, and a stream that breaks and comes back.
import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import type { ActAnswer, ActBody } from '../../src/dashboard/wire.ts';
import type { ActionVerdict, ActionView } from '../../src/view/dashboard/types.ts';
import { until } from '../support/until.ts';
import { assertQuiet, launch, LIGHT, openPage, openRelease } from './browser.ts';
import { detailEvent, WAITING_DETAIL } from './details.ts';
import { overviewOf, ROWS, summaryOf, WAITING } from './fixtures.ts';
import { stage, type DashboardStage, type Scene } from './stage.ts';

describe('the page of the dashboard, in use', function () {
  let browser: Browser;

  before(async function () {
    const found = await launch();
    if (!found) return this.skip();
    browser = found;
  });
  after(() => browser?.close());

  const using = async (scene: Scene, run: (page: Page, dashboard: DashboardStage) => Promise<void>): Promise<void> => {
    const dashboard = await stage({ now: Date.now, ...scene });
    const page = await openPage(browser, LIGHT, dashboard.address, 'real');
    try {
      await page.waitForSelector('.row');
      await run(page, dashboard);
      assertQuiet(page);
    } finally {
      await page.context().close();
      await dashboard.close();
    }
  };
  const focused = (page: Page): Promise<string | null> =>
    page.evaluate(() => (document.activeElement as HTMLElement).dataset['key'] ?? document.activeElement!.id);

  it('takes the token out of the address, keeps it in this tab, and sends it in a header only', () =>
    using({}, async (page, { origin, token, asked }) => {
      assert.equal(page.url(), `${origin}/#/`);
      assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)), '{}');
      await page.reload();
      await page.waitForSelector('.row');
      assert.ok(!JSON.stringify(asked).includes(token));
      // The history of the tab does not have it either.
      await page.goBack().catch(() => null);
      assert.ok(!page.url().includes(token));
    }));

  it('goes up and down with j and k, opens with Enter, and comes back with Escape to the same row', () =>
    using({}, async (page) => {
      await page.keyboard.press('j');
      assert.equal(await focused(page), 'payments/ledger');
      await page.keyboard.press('j');
      await page.keyboard.press('j');
      assert.equal(await focused(page), 'search/indexer');
      await page.keyboard.press('k');
      assert.equal(await focused(page), 'shop/web');
      await page.keyboard.press('Enter');
      await page.waitForSelector('article .columns');
      assert.match(page.url(), /#\/shop\/web$/);
      await page.keyboard.press('Escape');
      await page.waitForSelector('main.list-only');
      assert.equal(await focused(page), 'shop/web');
    }));

  it('opens the approval with a, closes it with Escape, and gives the focus back', () =>
    using({}, async (page) => {
      await openRelease(page, 'shop/web');
      await page.keyboard.press('a');
      await page.waitForSelector('dialog[open]');
      assert.match(await page.innerText('dialog'), /Approve step 2/);
      // Letters are for the field now.
      await page.focus('dialog [data-field=message]');
      await page.keyboard.type('jka?/');
      assert.equal(await page.inputValue('dialog [data-field=message]'), 'jka?/');
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog[open]', { state: 'hidden' });
      assert.match(page.url(), /shop\/web/);
    }));

  it('says why not, if a is pressed where nothing can be approved', () =>
    using({}, async (page) => {
      await openRelease(page, 'mail/queue');
      await page.keyboard.press('a');
      assert.match(await page.innerText('.notice'), /no step waits for approval/);
    }));

  it('filters with /, by several words, and shows all again with Escape', () =>
    using({}, async (page) => {
      await page.keyboard.press('/');
      assert.equal(await focused(page), 'filter');
      await page.keyboard.type('shop ben');
      await page.waitForFunction(() => document.querySelectorAll('.row').length === 2);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await page.waitForFunction((count) => document.querySelectorAll('.row').length === count, ROWS.length);
    }));

  it('says how many wait in its title, and the news of the open release in its live region', () =>
    using({}, async (page, dashboard) => {
      assert.equal(await page.title(), '(2) Tranche');
      await openRelease(page, 'shop/web');
      assert.equal(await page.title(), '(2) shop/web · Tranche');
      const row = { ...WAITING, word: 'Replacing Pods', says: 'step 3/4: 2 of 3 Pods available' };
      dashboard.send(detailEvent({ ...WAITING_DETAIL, row }));
      await page.waitForFunction(() =>
        /Replacing Pods. step 3\/4/.test(document.getElementById('status')!.textContent!),
      );
      assert.equal(await page.getAttribute('#status', 'aria-live'), 'polite');
    }));

  it('keeps the focus, the order and the rows that are the same when rows change', () =>
    using({}, async (page, dashboard) => {
      await page.focus('[data-key="shop/cart"]');
      await page.evaluate(() => Object.assign(document.querySelector('[data-key="shop/cart"]')!, { same: true }));
      const rest = ROWS.filter(({ key }) => key !== 'payments/ledger' && key !== 'shop/web');
      const changed = { ...WAITING, rank: 'motion' as const, tone: 'moving' as const, word: 'Replacing Pods' };
      dashboard.send({
        type: 'rows',
        changed: [changed],
        gone: ['payments/ledger'],
        summary: summaryOf([...rest, changed]),
      });
      await page.waitForFunction(() => document.title === 'Tranche');
      const keys = await page.$$eval('.row', (rows) => rows.map((row) => (row as HTMLElement).dataset['key']));
      assert.deepEqual(keys, ['search/indexer', 'mail/queue', 'shop/web', 'shop/cart', 'mail/api', 'shop/admin']);
      assert.equal(await focused(page), 'shop/cart');
      assert.equal(await page.evaluate(() => (document.activeElement as unknown as { same: boolean }).same), true);
    }));

  it('sends what was chosen and typed, and only once the name is right', async () => {
    const bodies: ActBody[] = [];
    const act = (body: ActBody) => {
      bodies.push(body);
      return Promise.resolve({ done: true, says: 'it is done', warnings: [] });
    };
    await using({ act }, async (page) => {
      await openRelease(page, 'shop/web');
      await page.click('[data-action=abort]');
      await page.waitForSelector('dialog[open]');
      assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['field']), 'typed');
      await page.keyboard.type('we');
      await page.keyboard.press('Enter');
      assert.equal(bodies.length, 0);
      await page.keyboard.type('b');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.notice');
      assert.deepEqual(bodies[0], {
        namespace: 'shop',
        rollout: 'web',
        ask: { name: 'abort', version: 'v1' },
        typed: 'web',
      });
      await page.click('[data-action=jump]');
      await page.click('dialog label:has-text("step 3")');
      assert.match(await page.innerText('dialog'), /8 of 10 Pods[^]*kubectl tranche jump web 3/);
      await page.click('dialog [type=submit]');
      await page.waitForFunction(() => !document.querySelector('dialog')!.open);
      assert.deepEqual(bodies[1]?.ask, { name: 'jump', version: 'v1', step: 3 });
      await openRelease(page, 'payments/ledger');
      await page.click('[data-action=approve]');
      await page.click('dialog [type=submit]', { force: true });
      assert.equal(bodies.length, 2, 'not before it is confirmed');
      await page.click('dialog [type=checkbox]');
      await page.click('dialog [type=submit]');
      await page.waitForFunction(() => !document.querySelector('dialog')!.open);
      assert.deepEqual(bodies[2]?.ask, { name: 'approve', version: 'v1', yes: true });
    });
  });

  it('does nothing at a button that the API server would refuse, and says why, once for several with the same reason', () =>
    using({}, async (page, dashboard) => {
      await openRelease(page, 'search/indexer');
      await page.click('[data-action=pause]', { force: true });
      assert.equal(await page.evaluate(() => document.querySelector('dialog')!.open), false);
      const described = await page.getAttribute('[data-action=pause]', 'aria-describedby');
      assert.match(await page.innerText(`#${described}`), /Pause: you may not: .* ask for the ClusterRole edit/);
      await openRelease(page, 'shop/web');
      const refused = (action: ActionView): ActionView => ({
        ...action,
        verdict: { allowed: false, why: 'you may not' },
      });
      const actions = WAITING_DETAIL.actions.filter(({ name }) => name === 'undo' || name === 'abort').map(refused);
      dashboard.send(detailEvent({ ...WAITING_DETAIL, actions }));
      await page.waitForSelector('.denied li');
      assert.equal(await page.innerText('.denied'), 'Undo, Abort: you may not');
      assert.equal(await page.locator('[data-action][aria-describedby=denied-0]').count(), 2);
    }));

  it('shows the answer to an action where it belongs, although the user has gone to another release meanwhile', async () => {
    let answer: (says: string) => void = () => undefined;
    const act = (): Promise<ActAnswer> =>
      new Promise((resolve) => (answer = (says) => resolve({ done: false, says, warnings: [] })));
    await using({ act }, async (page) => {
      await openRelease(page, 'shop/web');
      await page.click('[data-action=approve]');
      await page.click('dialog [type=submit]');
      await page.waitForSelector('dialog [type=submit]:has-text("Sending")');
      await openRelease(page, 'payments/ledger');
      await page.click('[data-action=approve]');
      answer('policy production is closed');
      await page.waitForSelector('.notice.bad');
      assert.match(await page.innerText('.notice'), /shop\/web, Approve step 2: policy production is closed/);
      assert.equal(await page.locator('dialog [role=alert]').count(), 0, 'nothing in the dialog of the other release');
      assert.match(await page.innerText('dialog'), /ledger/);
      assert.match(await page.innerText('#status'), /policy production is closed/);
    });
  });

  it('asks again until the API server can say, and cannot send what is not possible any more', async () => {
    const answers: ActionVerdict[] = [
      { allowed: false, why: 'the cache does not have it yet', unknown: true },
      { allowed: true, warnings: [] },
    ];
    await using({ ask: () => Promise.resolve(answers.shift()!) }, async (page, dashboard) => {
      const { verdict: _, ...unasked } = WAITING_DETAIL.actions.find(({ name }) => name === 'approve')!;
      const showAnew = async (action: ActionView): Promise<void> => {
        dashboard.send(detailEvent({ ...WAITING_DETAIL, actions: [action] }));
        await page.click('dialog [role=alert] button');
      };
      await openRelease(page, 'shop/web');
      await page.click('[data-action=approve]');
      await showAnew({ ...unasked, version: 'v2' });
      await page.waitForSelector('dialog [role=alert]:has-text("the cache does not have it yet")');
      assert.equal(await page.getAttribute('dialog [type=submit]', 'aria-disabled'), 'true');
      await page.waitForSelector('dialog [type=submit]:not([aria-disabled])');
      assert.equal(await page.locator('dialog [role=alert]').count(), 0);
      const { says: _says, ...rest } = unasked;
      await showAnew({ ...rest, version: 'v3', possible: false, why: 'step 2 is already approved' });
      await page.waitForSelector('dialog h3:has-text("Not possible now")');
      assert.match(await page.innerText('dialog'), /step 2 is already approved/);
      assert.equal(await page.getAttribute('dialog [type=submit]', 'aria-disabled'), 'true');
      assert.equal(answers.length, 0);
    });
  });

  it('shows the list at an address that names no release', () =>
    using({}, async (page) => {
      await openRelease(page, 'shop/web');
      for (const hash of ['#/%', '#/%E0%A4%A/web', '#/shop/%E2%80%AEweb', '#/a/b/c']) {
        await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
        await page.waitForSelector('main.list-only');
        assert.equal(await page.title(), '(2) Tranche');
      }
    }));

  it('continues a stream that broke where it was, and says in between that it is not live', () =>
    using({}, async (page, dashboard) => {
      dashboard.breakStreams();
      await until(
        () => dashboard.asked.length === 2,
        () => JSON.stringify(dashboard.asked),
      );
      await page.waitForSelector('.live:not(.not)');
      assert.deepEqual(
        dashboard.asked.map(({ after }) => after),
        [undefined, 'test.1'],
      );
    }));

  it('comes back when the command is started again with the same address', async () => {
    const first = await stage({ now: Date.now });
    const page = await openPage(browser, LIGHT, first.address, 'real');
    try {
      await page.waitForSelector('.row');
      await first.close();
      await page.waitForSelector('.banner');
      assert.match(await page.innerText('.live'), /^not live since \d\d:\d\d$/);
      assert.match(await page.innerText('#status'), /Not live/);
      // The rows are still there, with what was known.
      assert.equal(await page.locator('.row').count(), ROWS.length);
      const second = await stage({ now: Date.now, overview: overviewOf(ROWS.slice(1)) }, first.port, first.token);
      try {
        await page.waitForSelector('.live:not(.not)');
        await page.waitForFunction((count) => document.querySelectorAll('.row').length === count, ROWS.length - 1);
        assert.equal(await page.locator('.banner').count(), 0);
      } finally {
        await second.close();
      }
      // With another token, trying again is no use.
      const third = await stage({}, first.port);
      try {
        await page.waitForSelector('.empty');
        assert.match(await page.innerText('.empty'), /may not read the dashboard/);
      } finally {
        await third.close();
      }
    } finally {
      await page.context().close();
    }
  });

  it('shows the times in sentences as people read them, in the time zone of the browser', () => {
    const today = new Date().toISOString().slice(0, 10);
    const row = {
      ...WAITING,
      says: `continuing at ${today}T10:02:48Z (pause of 8 s), not before 2020-02-03T04:05:06.789Z`,
    };
    return using({ overview: overviewOf([row]), details: [{ ...WAITING_DETAIL, row }] }, async (page) => {
      const said = 'continuing at 10:02 (pause of 8 s), not before 3 Feb 04:05';
      assert.ok((await page.innerText('.row')).includes(said));
      await openRelease(page, 'shop/web');
      assert.equal(await page.innerText('article .says'), said);
    });
  });

  it('shows texts of the cluster as texts', () => {
    const hostile = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    const row = { ...WAITING, says: hostile, author: hostile, images: [hostile], name: 'web' };
    return using(
      { overview: overviewOf([row]), details: [{ ...WAITING_DETAIL, row, gaps: [hostile] }] },
      async (page) => {
        await openRelease(page, 'shop/web');
        assert.equal(await page.locator('article img, main script').count(), 0);
        assert.ok((await page.innerText('article')).includes(hostile));
      },
    );
  });
});
