// The page in every state, in light, dark and on a phone: no barrier that axe finds, nothing wider than the window, and the same picture as before.
import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { until } from '../support/until.ts';
import { assertFits, assertQuiet, DARK, launch, LIGHT, ON_PHONE, openPage, openRelease } from './browser.ts';
import { ago, connection, EMPTY } from './fixtures.ts';
import { Pictures } from './pictures.ts';
import { stage, type DashboardStage, type Scene } from './stage.ts';

interface State {
  readonly scene?: Scene;
  /** Brings the page into the state. */
  readonly steps?: (page: Page, dashboard: DashboardStage) => Promise<unknown>;
  /** What it must show, so that it is the state that it is called. */
  readonly shows: RegExp;
}

const release =
  (key: string) =>
  (page: Page): Promise<void> =>
    openRelease(page, key);
const dialogOf = (key: string, name: string) => async (page: Page) => {
  await openRelease(page, key);
  await page.click(`[data-action=${name}]`);
  await page.waitForSelector('dialog[open]');
};
const notLive = connection({
  live: false,
  since: ago(7),
  why: 'the API server does not answer: connect ECONNREFUSED 10.0.0.1:6443',
});

const STATES: Readonly<Record<string, State>> = {
  overview: { shows: /Waits for a person\s*2[^]*ledger[^]*In progress/ },
  filtered: { steps: (page) => page.fill('#filter', 'mail'), shows: /queue[^]*api/ },
  'filtered-none': { steps: (page) => page.fill('#filter', 'nothing like it'), shows: /No release matches/ },
  empty: { scene: { overview: EMPTY }, shows: /no Rollouts in namespace "shop"[^]*kubectl tranche init/ },
  'not-live': { scene: { connection: notLive }, shows: /not live since 09:53[^]*ECONNREFUSED/ },
  forbidden: {
    scene: {
      overview: null,
      connection: connection({
        live: false,
        since: ago(1),
        why: 'you may not list Rollouts in all namespaces: end the dashboard, and start it for one namespace with -n NAMESPACE',
      }),
    },
    shows: /start it for one namespace with -n[^]*No Rollout is known yet/,
  },
  lost: {
    steps: async (page, dashboard) => {
      await dashboard.close();
      await page.waitForSelector('.live.not');
    },
    shows: /not live since[^]*if it has ended, start it again/,
  },
  locked: {
    steps: (page, { origin }) =>
      page
        .evaluate(() => sessionStorage.clear())
        .then(() => page.goto(`${origin}/?again`))
        .then(() => page.waitForSelector('.empty')),
    shows: /This tab may not read the dashboard/,
  },
  waiting: { steps: release('shop/web'), shows: /Approve step 2[^]*1 of 2[^]*carla/ },
  worse: { steps: release('payments/ledger'), shows: /A check is Worse/ },
  stalled: { steps: release('search/indexer'), shows: /CrashLoopBackOff[^]*Pause: you may not/ },
  moving: { steps: release('shop/cart'), shows: /Replacing Pods[^]*Traffic/ },
  blocked: { steps: release('mail/queue'), shows: /holds this release/ },
  idle: { steps: release('mail/api'), shows: /all Pods/ },
  gone: {
    steps: (page) =>
      page.evaluate(() => void (location.hash = '#/shop/nobody')).then(() => page.waitForSelector('article .empty')),
    shows: /nobody does not exist/,
  },
  'not-possible': {
    steps: (page) => openRelease(page, 'shop/web').then(() => page.click('.others summary')),
    shows: /it is not paused/,
  },
  'read-only': {
    scene: { readOnly: true },
    steps: (page) => openRelease(page, 'shop/web').then(() => page.click('.commands summary')),
    shows: /read-only[^]*kubectl tranche approve web/,
  },
  'dialog-approve': { steps: dialogOf('shop/web', 'approve'), shows: /What will happen[^]*The same in a terminal/ },
  'dialog-overrule': { steps: dialogOf('payments/ledger', 'approve'), shows: /I have seen this/ },
  'dialog-jump': { steps: dialogOf('shop/web', 'jump'), shows: /Jump to step 1/ },
  'dialog-denied': {
    scene: {
      ask: () => Promise.resolve({ allowed: false, why: 'policy production: a jump needs the approval of 2 people' }),
    },
    steps: async (page) => {
      await dialogOf('shop/web', 'jump')(page);
      await page.waitForSelector('dialog [role=alert]');
    },
    shows: /a jump needs the approval of 2 people/,
  },
  'dialog-abort': { steps: dialogOf('shop/web', 'abort'), shows: /Type the name of the Rollout/ },
  'dialog-refused': {
    scene: {
      act: () => Promise.resolve({ done: false, says: 'policy production is closed until Mon 08:00', warnings: [] }),
    },
    steps: async (page) => {
      await dialogOf('shop/web', 'approve')(page);
      await page.click('dialog [type=submit]');
      await page.waitForSelector('dialog [role=alert]');
    },
    shows: /policy production is closed/,
  },
  'dialog-stale': {
    steps: async (page, dashboard) => {
      await dialogOf('shop/web', 'approve')(page);
      const { WAITING_DETAIL, detailEvent } = await import('./details.ts');
      const actions = WAITING_DETAIL.actions.map((one) => ({ ...one, version: 'v2' }));
      dashboard.send(detailEvent({ ...WAITING_DETAIL, actions }));
      await page.waitForSelector('dialog [role=alert]');
    },
    shows: /The release has changed/,
  },
  help: { steps: (page) => page.click('.help').then(() => page.waitForSelector('dialog[open]')), shows: /Keyboard/ },
  done: {
    scene: {
      act: () =>
        Promise.resolve({
          done: true,
          says: 'step 2 of 4 of web is approved; next is step 3',
          warnings: ['policy advice: it is Friday'],
        }),
    },
    steps: async (page) => {
      await dialogOf('shop/web', 'approve')(page);
      await page.click('dialog [type=submit]');
      await page.waitForSelector('.notice');
    },
    shows: /step 2 of 4 of web is approved[^]*it is Friday/,
  },
};
/** A phone has no keyboard, and its overview has the same parts. */
const NOT_ON_PHONE = new Set(['help', 'filtered-none', 'dialog-stale', 'forbidden']);

describe('the page of the dashboard', function () {
  let browser: Browser;
  let pictures: Pictures;

  before(async function () {
    const found = await launch();
    if (!found) return this.skip();
    browser = found;
    pictures = await Pictures.open(browser);
  });
  after(() => browser?.close());

  const inState = async ({ scene, steps }: State, run: (page: Page) => Promise<void>): Promise<void> => {
    const dashboard = await stage(scene);
    const page = await openPage(browser, LIGHT, dashboard.address);
    try {
      await page.waitForSelector('.live:not(.starting), .empty');
      await steps?.(page, dashboard);
      await run(page);
      assertQuiet(page);
    } finally {
      await page.context().close();
      await dashboard.close();
    }
  };

  for (const [name, state] of Object.entries(STATES))
    it(name, () =>
      inState(state, async (page) => {
        for (const view of [LIGHT, DARK, ON_PHONE]) {
          if (view === ON_PHONE && NOT_ON_PHONE.has(name)) continue;
          await page.emulateMedia({ colorScheme: view.colorScheme });
          await page.setViewportSize(view.viewport);
          let shown = '';
          await until(
            async () => state.shows.test((shown = await page.innerText('#app'))),
            () => shown,
          );
          await assertFits(page, `${name}, ${view.name}`);
          const { violations, passes } = await new AxeBuilder({ page }).setLegacyMode().analyze();
          const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
          assert.deepEqual(found, [], view.name);
          assert.ok(passes.some(({ id }) => id === 'color-contrast'));
          await pictures.compare(page, `${name}-${view.name}`);
        }
      }),
    );

  it('is looked at by eyes that see: a barrier, a wide element and another colour are found', () =>
    inState({ shows: /./ }, async (page) => {
      const before = await page.screenshot();
      await page.evaluate(() => {
        const button = document.createElement('button');
        document.querySelector('main')!.append(button);
        for (const sheet of document.styleSheets)
          sheet.insertRule('main { background: #d33; min-width: 3000px; }', sheet.cssRules.length);
      });
      const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
      assert.ok(violations.some(({ id }) => id === 'button-name'));
      await assert.rejects(assertFits(page, 'it'), /px wide in a window/);
      assert.ok((await pictures.difference(before, await page.screenshot())) > 0.1);
      assert.equal(await pictures.difference(before, before), 0);
    }));
});
