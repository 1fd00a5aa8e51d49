// Compares pictures of the page with those in test/dashboard/pictures. UPDATE_PICTURES=1 writes them instead.
//
// Fonts differ between machines, and each moves every line of text. So pictures are compared only where a line of text is as wide as where they were
// made: with the font Inter (Debian's fonts-inter) and DejaVu Sans Mono. Elsewhere only this comparison is left out, with a message.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';

const folder = fileURLToPath(new URL('pictures/', import.meta.url));
const FONTS = `${folder}fonts.json`;
const UPDATES = Boolean(process.env.UPDATE_PICTURES);
/** Share of the pixels that may differ: edges of letters differ between versions of Chromium. */
const TOLERATED = 0.006;
/** Of 255, in one colour: less is not seen. */
const SEEN = 40;

export class Pictures {
  private readonly page: Page;
  readonly comparable: boolean;

  private constructor(page: Page, comparable: boolean) {
    this.page = page;
    this.comparable = comparable;
  }

  static async open(browser: Browser): Promise<Pictures> {
    const page = await browser.newPage();
    const fonts = await page.evaluate(() => {
      const context = document.createElement('canvas').getContext('2d')!;
      return ['system-ui', 'ui-monospace, "DejaVu Sans Mono", monospace'].map((family) => {
        context.font = `100px ${family}`;
        return Math.round(context.measureText('Waits for approval 0123456789 (1 of 2)').width);
      });
    });
    mkdirSync(folder, { recursive: true });
    if (UPDATES) writeFileSync(FONTS, `[${fonts.join(', ')}]\n`);
    const comparable = existsSync(FONTS) && String(fonts) === String(JSON.parse(readFileSync(FONTS, 'utf8')));
    if (!comparable)
      process.stderr.write(
        'skipped: the comparison of pictures of the dashboard, because this machine has other fonts than the one where they were made; ' +
          'with Debian: apt-get install fonts-inter fonts-dejavu-core\n',
      );
    return new Pictures(page, comparable);
  }

  /** Half as large as the window: enough to see that something has moved, changed its colour, or is gone. */
  async compare(page: Page, name: string): Promise<void> {
    const file = `${folder}${name}.webp`;
    let actual = await this.taken(page);
    if (UPDATES) return writeFileSync(file, actual);
    if (!this.comparable) return;
    const expected = readFileSync(file);
    let share = await this.difference(actual, expected);
    // On a busy machine, the page may still load, lay out or paint.
    for (let tries = 0; share > TOLERATED && tries < 20; tries++) {
      await page.waitForTimeout(250);
      actual = await this.taken(page);
      share = await this.difference(actual, expected);
    }
    if (share > TOLERATED) writeFileSync(file.replace(/\.webp$/, '.actual.webp'), actual);
    assert.ok(
      share <= TOLERATED,
      `${name}: ${(100 * share).toFixed(2)} % of the pixels differ from test/dashboard/pictures/${name}.webp; see ${name}.actual.webp next to it, and ` +
        'write the new ones with: UPDATE_PICTURES=1 npm run test:dashboard',
    );
  }

  private async taken(page: Page): Promise<Buffer> {
    // What has just changed is laid out and painted.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    return this.small(await page.screenshot({ animations: 'disabled' }));
  }

  /** The share of the pixels that differ. */
  difference(one: Buffer, other: Buffer): Promise<number> {
    return this.page.evaluate(
      async ([a, b, seen]) => {
        const pixels = async (base64: string): Promise<ImageData> => {
          const image = new Image();
          image.src = `data:image/*;base64,${base64}`;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext('2d')!;
          context.drawImage(image, 0, 0);
          return context.getImageData(0, 0, image.width, image.height);
        };
        const [x, y] = [await pixels(a), await pixels(b)];
        if (x.width !== y.width || x.height !== y.height) return 1;
        let count = 0;
        for (let i = 0; i < x.data.length; i += 4)
          if ([0, 1, 2].some((colour) => Math.abs(x.data[i + colour]! - y.data[i + colour]!) > seen)) count += 1;
        return (4 * count) / x.data.length;
      },
      [one.toString('base64'), other.toString('base64'), SEEN] as const,
    );
  }

  private async small(picture: Buffer): Promise<Buffer> {
    const base64 = await this.page.evaluate(async (source) => {
      const image = new Image();
      image.src = `data:image/png;base64,${source}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width / 2, image.height / 2];
      const context = canvas.getContext('2d')!;
      context.imageSmoothingQuality = 'high';
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.toDataURL('image/webp', 0.7).split(',')[1]!;
    }, picture.toString('base64'));
    return Buffer.from(base64, 'base64');
  }
}
