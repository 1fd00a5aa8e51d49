// Opens an address in the user's browser.
import { spawn } from 'node:child_process';

export interface Opening {
  readonly program: string;
  readonly args: readonly string[];
  /** Written to its standard input. */
  readonly input?: string;
}

/** What starts a browser on this system. Undefined: nothing does, because no screen is known. */
export function openingOf(
  address: string,
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): Opening | undefined {
  // Not as an argument, which every user of the machine can see. On Linux, the server refuses other users.
  if (platform === 'darwin') return { program: 'osascript', args: [], input: `open location "${address}"\n` };
  if (platform === 'win32') return { program: 'rundll32', args: ['url.dll,FileProtocolHandler', address] };
  const screen = env['DISPLAY'] || env['WAYLAND_DISPLAY'] || env['WSL_DISTRO_NAME'] || env['BROWSER'];
  return screen ? { program: 'xdg-open', args: [address] } : undefined;
}

/** Resolves with false if the program could not be started, or failed at once. It is not waited for: a browser may run for days. */
export function openBrowser({ program, args, input }: Opening, waitMs = 3_000): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    const timer = setTimeout(() => resolve(true), waitMs);
    const end = (good: boolean): void => {
      clearTimeout(timer);
      resolve(good);
    };
    child.once('error', () => end(false));
    child.once('exit', (code) => end(code === 0));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    child.unref();
  });
}
