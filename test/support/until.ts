// Waits for what must come.
import assert from 'node:assert/strict';

/** Waits for what must come, and says what there is when it does not. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  state: () => string,
  seconds = 60,
): Promise<void> {
  const start = Date.now();
  const deadline = start + seconds * 1000;
  for (;;) {
    const begun = Date.now();
    if (await condition()) return;
    if (Date.now() > deadline) assert.fail(`did not happen within ${seconds} s: ${state()}`);
    // A look that is a start of kubectl costs more than a request, so there are fewer of them. After a long time a short one more is nothing.
    const patience = Math.min(200, (Date.now() - start) / 10);
    const pauseMs = Math.min(500, Math.max(20, 4 * (Date.now() - begun), patience));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
