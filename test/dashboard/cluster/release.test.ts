// A release on an embedded cluster, from the edit to the approval and to the rollback, by clicks alone; and the pictures of the documentation.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { runPlugin, startPlayground, type Playground, type Result } from '../../cli/support.ts';
import { assertQuiet, DARK, launch, LIGHT, ON_PHONE, openPage, openRelease, type View } from '../browser.ts';
import { APPS, approve, createWorld, ends, get, release, waits } from './world.ts';

const IMAGES = fileURLToPath(new URL('../../../docs/img/', import.meta.url));
const UPDATES = Boolean(process.env.UPDATE_PICTURES);

/** The command, until it is stopped. */
export interface Running {
  readonly address: string;
  stop(): Promise<Result>;
}

export async function startDashboard(kubeconfig: string, ...args: readonly string[]): Promise<Running> {
  const ending = new AbortController();
  const address = Promise.withResolvers<string>();
  const ended = runPlugin(['dashboard', '--no-open', ...args], {
    env: { KUBECONFIG: kubeconfig },
    signal: ending.signal,
    hear: (out) => {
      const [found] = /http:\S+(?=\n)/.exec(out) ?? [];
      if (found) address.resolve(found);
    },
  });
  void ended.then(({ err }) => address.reject(new Error(err)), address.reject);
  return {
    address: await address.promise,
    stop() {
      ending.abort();
      return ended;
    },
  };
}

describe('the dashboard of an embedded cluster', function () {
  this.timeout(180_000);
  let browser: Browser;
  let playground: Playground;
  let dashboard: Running;

  before(async function () {
    const found = await launch();
    if (!found) return this.skip();
    browser = found;
    playground = await startPlayground();
    await createWorld(playground.cluster.api);
    dashboard = await startDashboard(playground.cluster.kubeconfig, '-A');
  });
  after(async () => {
    await browser?.close();
    if (dashboard) assert.equal((await dashboard.stop()).code, 0);
    await playground?.stop();
  });

  const word = (page: Page, key: string, text: string): Promise<unknown> =>
    page.waitForSelector(`[data-key="${key}"] .word:text-is("${text}")`);
  /** Waits until the API server has allowed it. */
  const click = async (page: Page, action: string): Promise<void> => {
    await page.click(`[data-action=${action}]:not([aria-disabled])`);
    await page.waitForSelector('dialog[open]');
  };
  /** As a person does: if the release has changed meanwhile, looks at the dialog again. */
  const confirm = async (page: Page, typed?: string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      if (typed !== undefined) await page.fill('dialog [data-field=typed]', typed);
      await page.click('dialog [type=submit]', { force: true });
      await page.waitForSelector('dialog:not([open]), dialog [role=alert]', { state: 'attached' });
      const alerts = String(await page.locator('dialog [role=alert]').allInnerTexts());
      if (alerts === '') return;
      assert.ok(attempt < 5 && /has changed/.test(alerts), alerts);
      const action = await page.getAttribute('dialog form', 'data-name');
      await page.keyboard.press('Escape');
      await page.waitForSelector('dialog:not([open])', { state: 'attached' });
      await click(page, action!);
    }
  };

  it('plays a release by clicks: approve, pause, resume, jump, abort, and undo to go forward again', async () => {
    const { api } = playground.cluster;
    const { web } = APPS;
    const page = await openPage(browser, LIGHT, dashboard.address, 'real');
    await word(page, 'shop/web', 'No release');
    await release(api, web, '2.4.0');
    await word(page, 'shop/web', 'Waits for approval');
    await page.click('[data-key="shop/web"]');

    await click(page, 'approve');
    assert.match(await page.innerText('dialog'), /step 1 of 3 of web is approved; next is step 2 of 3: 5 of 10 Pods/);
    await page.fill('[data-field=message]', 'error rate is flat');
    await confirm(page);
    await page.waitForSelector('article .says:has-text("step 2/3 done")');
    await waits(api, web, 2);
    assert.equal(await page.locator('.batch.current .dot.new.available').count(), 4);
    const events = (await api.request({ method: 'GET', path: '/api/v1/namespaces/shop/events' })) as {
      items: { reason: string; message: string }[];
    };
    const message = events.items.find(({ reason }) => reason === 'ApprovalMessage')?.message;
    assert.equal(message, 'admin: step 1 of web approved: error rate is flat');

    await click(page, 'pause');
    await confirm(page);
    await page.waitForSelector('article .state:has-text("Paused")');
    await click(page, 'resume');
    await confirm(page);
    await page.waitForSelector('article .state:has-text("Waits for approval")');

    await click(page, 'jump');
    await page.click('dialog label:has-text("step 1")');
    await confirm(page);
    await page.waitForSelector('article .says:has-text("step 1/3 done")');

    await click(page, 'abort');
    await confirm(page, 'web');
    await ends(api, web, 'RolledBack');
    await word(page, 'shop/web', 'Rolled back');
    const { containers } = (
      (await api.request({ method: 'GET', path: '/apis/apps/v1/namespaces/shop/deployments/web' })) as {
        spec: { template: { spec: { containers: { image: string }[] } } };
      }
    ).spec.template.spec;
    assert.equal(containers[0]?.image, web.image);

    await click(page, 'undo');
    assert.match(await page.innerText('dialog'), /goes through the steps|starts at step 1/);
    await confirm(page);
    await word(page, 'shop/web', 'Waits for approval');
    await click(page, 'finish');
    await confirm(page, 'web');
    await ends(api, web, 'Completed');
    await page.waitForSelector('.history li:has-text("Completed")');
    assertQuiet(page);
    await page.context().close();
  });

  it('shows before the click that the API server refuses, and why', async () => {
    const { api } = playground.cluster;
    const { ledger } = APPS;
    await release(api, ledger, '5.1.0');
    await waits(api, ledger, 1);
    const viewer = await startDashboard(await playground.viewer('payments'), '-n', 'payments');
    const page = await openPage(browser, LIGHT, viewer.address, 'real');
    try {
      await openRelease(page, 'payments/ledger');
      const denied = await page.waitForSelector('.denied li:has(b:has-text("Approve"))');
      assert.match(
        await denied.innerText(),
        /you may not: .* is forbidden: .*ask for the ClusterRole tranche-approver/,
      );
      // It says what it could not read instead of showing nothing.
      assert.match(await page.innerText('article'), /You may not read ReleasePolicies|you may not list/);
      assert.equal((await get(api, ledger)).status?.canaryStatus?.currentStepState, 'StepPaused');
    } finally {
      await page.context().close();
      await viewer.stop();
    }
  });

  it('helps somebody who may not list all namespaces, instead of breaking off', async () => {
    const viewer = await startDashboard(await playground.viewer('mail'), '-A');
    const page = await openPage(browser, LIGHT, viewer.address, 'real');
    try {
      await page.waitForSelector('.banner:has-text("start it for one namespace with -n")');
    } finally {
      await page.context().close();
      await viewer.stop();
    }
  });

  it('makes the pictures of the documentation', async function () {
    const { api } = playground.cluster;
    const { web, cart, ledger, indexer, queue, api: mail } = APPS;
    await release(api, mail, '3.0.1');
    await ends(api, mail, 'Completed');
    await release(api, mail, '3.0.2');
    await ends(api, mail, 'Completed');
    await release(api, web, '2.5.0');
    await waits(api, web, 1);
    await approve(api, web);
    await waits(api, web, 2);
    // The first of the two approvals that the policy asks for.
    await approve(api, ledger);
    await release(api, queue, '3.2.0');
    await release(api, indexer, 'broken');
    await release(api, cart, '1.9.0');
    const take = async (view: View, name: string, prepare: (page: Page) => Promise<unknown>): Promise<void> => {
      const page = await openPage(browser, view, dashboard.address, 'real');
      await word(page, 'search/indexer', 'Replacing Pods');
      await prepare(page);
      if (UPDATES) await page.screenshot({ path: `${IMAGES}dashboard-${name}.png` });
      assertQuiet(page);
      await page.context().close();
    };
    await take(LIGHT, 'overview', (page) => word(page, 'shop/web', 'Waits for approval'));
    await take(LIGHT, 'release', async (page) => {
      await openRelease(page, 'shop/web');
      await page.waitForSelector('[data-action=approve]:not([aria-disabled])').catch(async (error: Error) => {
        throw new Error(`${error.message}\n${await page.innerText('article')}`);
      });
    });
    await take(DARK, 'approve', async (page) => {
      await openRelease(page, 'payments/ledger');
      await page.waitForSelector('.seats:has-text("1 of 2: admin")');
      // This user has approved: the button says so before the click.
      await page.waitForSelector('.denied li:has(b:has-text("Approve")):has-text("needs the approval of others")');
    });
    await take(ON_PHONE, 'phone', async (page) => {
      await openRelease(page, 'search/indexer');
      await page.waitForSelector('.troubles:has-text("ImagePull")');
    });
  });
});
