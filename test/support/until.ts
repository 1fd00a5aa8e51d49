// Waits for what must come.
import assert from 'node:assert/strict';

/** Waits for what must come, and says what there is when it does not. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  state: () => string,
  seconds = 60,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`did not happen within ${seconds} s: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
