// A browser for the tests of the page, and what all of them do with it.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { findChromium } from '../support/chromium.ts';
import { ToolError } from '../support/tools.ts';
import { NOW } from './fixtures.ts';

/** Undefined, with the reason on standard error, where no browser can be had. */
export async function launch(): Promise<Browser | undefined> {
  try {
    const { program, env } = await findChromium();
    const FONTCONFIG_FILE = fileURLToPath(new URL('fonts.conf', import.meta.url));
    return await chromium.launch({
      executablePath: program,
      // Containers rarely allow Chromium's own sandbox, and it opens no page but ours.
      args: ['--no-sandbox', '--font-render-hinting=none', '--disable-lcd-text'],
      env: { ...process.env, ...env, FONTCONFIG_FILE },
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    process.stderr.write(`skipped: the tests of the dashboard in a browser: ${error.message}\n`);
    return undefined;
  }
}

export interface View {
  readonly name: string;
  readonly viewport: { readonly width: number; readonly height: number };
  readonly colorScheme: 'light' | 'dark';
}

export const WIDE = { width: 1280, height: 860 };
export const LIGHT: View = { name: 'light', viewport: WIDE, colorScheme: 'light' };
export const DARK: View = { name: 'dark', viewport: WIDE, colorScheme: 'dark' };
export const ON_PHONE: View = { name: 'phone', viewport: { width: 390, height: 844 }, colorScheme: 'light' };

/** Console messages and errors of a page. A violation of the Content Security Policy is one, too. */
const troubles = new WeakMap<Page, string[]>();

/** A page that stands still: no animation, a time zone, and the time of the fixtures unless another clock is wanted. */
export async function openPage(
  browser: Browser,
  { viewport, colorScheme }: View,
  address: string,
  clock: 'fixed' | 'real' = 'fixed',
): Promise<Page> {
  const context = await browser.newContext({
    viewport,
    colorScheme,
    timezoneId: 'UTC',
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const heard: string[] = [];
  troubles.set(page, heard);
  page.on('pageerror', (error) => heard.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // What tests do on purpose: streams that break, and a server that is not there.
    if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text())) heard.push(message.text());
  });
  if (clock === 'fixed') await page.clock.setFixedTime(NOW);
  await page.goto(address);
  return page;
}

export const assertQuiet = (page: Page): void => assert.deepEqual(troubles.get(page), []);

/** Opens a release by its address, as a link does, and waits until it is shown. */
export async function openRelease(page: Page, key: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${key}`)}`);
  await page.waitForSelector(`article h2:has-text("${key.split('/')[1]}")`);
}

/** Nothing is wider than the window, which a phone would have to scroll sideways. */
export async function assertFits(page: Page, what: string): Promise<void> {
  const [content, window] = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as [
    number,
    number,
  ];
  assert.ok(content <= window, `${what}: ${content} px wide in a window of ${window} px`);
}
