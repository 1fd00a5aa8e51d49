// What pages of other origins can do to the dashboard in a real browser: nothing.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { launch, LIGHT, openPage } from './browser.ts';
import { stage, type DashboardStage } from './stage.ts';

interface Attempt {
  readonly method?: string;
  readonly mode?: 'no-cors';
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

describe('a page of another origin', function () {
  let browser: Browser;
  let dashboard: DashboardStage;
  let attacker: Server;
  let page: Page;
  let acts = 0;

  before(async function () {
    const found = await launch();
    if (!found) return this.skip();
    browser = found;
    dashboard = await stage({
      act: () => {
        acts += 1;
        return Promise.resolve({ done: true, says: 'done', warnings: [] });
      },
    });
    attacker = createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>another page</title><body></body>');
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
    page = await openPage(browser, LIGHT, `http://127.0.0.1:${(attacker.address() as AddressInfo).port}/`);
  });
  after(async () => {
    await browser?.close();
    attacker?.close();
    await dashboard?.close();
  });

  /** Even with the token, which it cannot have. */
  const attempt = (how: Attempt, path: string): Promise<string> =>
    page.evaluate(
      async ([url, init]) =>
        fetch(url, init).then(
          (answer) => `${answer.type} ${answer.status}`,
          () => 'failed',
        ),
      [`${dashboard.origin}${path}`, how] as const,
    );

  it('reads neither the page nor the stream', async () => {
    assert.equal(await attempt({}, '/'), 'failed');
    assert.equal(await attempt({ headers: { authorization: `Bearer ${dashboard.token}` } }, '/api/stream'), 'failed');
    // Where the answer is not read, there is none but a refusal.
    assert.equal(await attempt({ mode: 'no-cors' }, '/api/stream'), 'failed');
  });

  it('sends no action: not with the token, not as a form, not with a body that needs no question', async () => {
    const body = JSON.stringify({ namespace: 'shop', rollout: 'web', ask: { name: 'approve', version: 'v1' } });
    const authorization = `Bearer ${dashboard.token}`;
    assert.equal(
      await attempt(
        { method: 'POST', body, headers: { authorization, 'content-type': 'application/json' } },
        '/api/act',
      ),
      'failed',
    );
    await attempt({ method: 'POST', body, mode: 'no-cors' }, '/api/act');
    await page.evaluate((action) => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action, enctype: 'text/plain' });
      document.body.append(form);
      form.submit();
    }, `${dashboard.origin}/api/act`);
    await page.waitForURL(/api\/act/);
    assert.match(await page.innerText('body'), /Origin header does not name this page/);
    assert.equal(acts, 0);
    await page.goBack();
  });

  it('cannot show it in a frame, load its modules, or read it through a window that it opens', async () => {
    const framed = await page.evaluate(
      (src) =>
        new Promise<string>((resolve) => {
          const frame = document.createElement('iframe');
          frame.src = src;
          frame.onload = () => {
            try {
              resolve(frame.contentDocument?.body.innerText ?? 'closed');
            } catch {
              resolve('closed');
            }
          };
          document.body.append(frame);
        }),
      dashboard.address,
    );
    assert.equal(framed, 'closed');
    const script = await page.evaluate(
      (src) =>
        new Promise<string>((resolve) => {
          const element = document.createElement('script');
          Object.assign(element, { src, onload: () => resolve('loaded'), onerror: () => resolve('refused') });
          document.body.append(element);
        }),
      `${dashboard.origin}/main.js`,
    );
    assert.equal(script, 'refused');
    const opened = await page.evaluate(async (address) => {
      const other = open(address);
      try {
        // Until the page is loaded, the window shows an empty page of the opener.
        for (let i = 0; i < 100 && !other!.closed && other!.location.href === 'about:blank'; i++)
          await new Promise((resolve) => setTimeout(resolve, 100));
        return other!.closed ? 'closed' : other!.document.body.innerText;
      } catch {
        return 'closed';
      }
    }, dashboard.address);
    assert.equal(opened, 'closed');
  });

  it('gets nothing by a name that leads to the loopback interface', async () => {
    // As DNS rebinding does: the browser connects to us, and names the attacker.
    const port = new URL(dashboard.origin).port;
    const rebound = await browser.newPage();
    await rebound.goto(`http://evil.localhost:${port}/`);
    assert.match(await rebound.innerText('body'), /Host header does not name this server/);
  });

  it('cannot run a script in it: the policy and Trusted Types refuse it', async () => {
    const own = await openPage(browser, LIGHT, dashboard.address);
    await own.waitForSelector('.row');
    const results = await own.evaluate(() => {
      const attempts: Record<string, () => unknown> = {
        html: () => (document.body.innerHTML = '<b>x</b>'),
        policy: () =>
          (
            globalThis as unknown as { trustedTypes: { createPolicy(name: string, rules: object): unknown } }
          ).trustedTypes.createPolicy('evil', {}),
        eval: () => (0, eval)('1'),
      };
      const results = (): string[] =>
        Object.entries(attempts).map(([name, run]) => {
          try {
            run();
            return `${name}: possible`;
          } catch {
            return `${name}: refused`;
          }
        });
      // Later, as code of the page: what a test evaluates itself, the policy lets pass.
      return new Promise<string[]>((resolve) => setTimeout(() => resolve(results())));
    });
    assert.deepEqual(results, ['html: refused', 'policy: refused', 'eval: refused']);
    const inline = await own.evaluate(() => {
      const element = document.createElement('script');
      try {
        element.text = 'globalThis.ran = true';
        document.head.append(element);
      } catch {
        // Trusted Types refuse the text already.
      }
      return (globalThis as unknown as { ran?: boolean }).ran ?? false;
    });
    assert.equal(inline, false);
  });
});
