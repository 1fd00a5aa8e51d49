// What a demo prints, in colours where somebody looks, and how it waits for Enter there.

export const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);

export const paint = (code: number, text: string): string => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);

let lines = 0;
export const say = (text: string): void => {
  lines++;
  process.stdout.write(`${text}\n`);
};

/** While a demo waits for Enter. */
const LOOK_EVERY_MS = 300;

/** Waits for Enter where somebody is there to press it, and shows what others do meanwhile. Not readline: it would keep Ctrl-C to itself. */
export async function pause(prompt: string, look: () => Promise<unknown>): Promise<void> {
  if (!terminal) return;
  let isPressed = false;
  process.stdin.resume();
  const pressed = new Promise((resolve) => process.stdin.once('data', resolve)).then(() => (isPressed = true));
  for (let shownAt = -1; !isPressed;) {
    if (shownAt !== lines) process.stdout.write(`\n${paint(2, prompt)} `);
    shownAt = lines;
    await look();
    await Promise.race([pressed, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))]);
  }
  process.stdin.pause();
}
