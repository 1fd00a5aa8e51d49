// `kubectl tranche dashboard` as a command: its flags, what it prints, how it opens a browser, and how it ends.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openBrowser, openingOf } from '../../../src/cli/dashboard/browser.ts';
import { remoteHint } from '../../../src/cli/dashboard/run.ts';
import { temporaryFolder } from '../../support/processes.ts';
import { runPlugin, type Result } from '../support.ts';

/** No server listens at this address. The page must show this state, so the program continues. */
async function kubeconfig(): Promise<string> {
  const file = path.join(temporaryFolder('dashboard'), 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:9' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c', namespace: 'shop' } }],
    users: [{ name: 'c', user: { token: 'x' } }],
    'current-context': 'c',
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** Until it has printed its address; then Ctrl-C. `use` gets the address. */
async function runOnce(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  use: (address: string) => Promise<void> = () => Promise.resolve(),
): Promise<Result> {
  const ending = new AbortController();
  let used: Promise<void> | undefined;
  const running = runPlugin(['dashboard', ...args], {
    env: { KUBECONFIG: await kubeconfig(), ...env },
    signal: ending.signal,
    hear: (out) => {
      const [address] = /http:\S+(?=\n)/.exec(out) ?? [];
      if (address) used ??= use(address).finally(() => setTimeout(() => ending.abort(), 50));
    },
  });
  const result = await running;
  await used;
  return result;
}

describe('kubectl tranche dashboard', () => {
  it('prints its address, with a new secret each time, and ends with Ctrl-C', async () => {
    const [one, other] = [await runOnce(['--no-open']), await runOnce(['--no-open', '-A', '--read-only'])];
    assert.equal(one.code, 0);
    assert.equal(one.err, '');
    assert.match(
      one.out,
      /^The dashboard shows namespace shop\. Ctrl-C ends it\.\nhttp:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}\n$/,
    );
    assert.match(other.out, /^The dashboard shows all namespaces, read-only\. /);
    const secret = ({ out }: Result): string => /#(\S+)/.exec(out)![1]!;
    assert.notEqual(secret(one), secret(other));
  });

  it('serves nothing any more after its end', async () => {
    let origin = '';
    await runOnce(['--no-open'], {}, async (address) => {
      ({ origin } = new URL(address));
      assert.equal((await fetch(origin)).status, 200);
    });
    await assert.rejects(fetch(origin));
  });

  it('refuses a port that is none', async () => {
    for (const port of ['x', '-1', '65536', '1.5', '']) {
      const { code, err } = await runPlugin(['dashboard', `--port=${port}`, '--no-open'], { env: {} });
      assert.equal(code, 2, port);
      assert.match(err, /invalid --port ".*": write a number from 0 to 65535/);
    }
  });

  it('says where it cannot be reached, and how', async () => {
    const ssh = await runOnce([], { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' });
    assert.match(ssh.err, /this is an SSH session\. On your own machine, run: ssh -L (\d+):127\.0\.0\.1:\1 HOST/);
    assert.match(
      remoteHint({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 4000)!,
      /inside this Pod only, so no browser reaches it/,
    );
    assert.equal(remoteHint({ DISPLAY: ':0' }, 4000), undefined);
    if (process.platform === 'linux') {
      const { err } = await runOnce([]);
      assert.match(err, /no screen is known .* open the address yourself/);
    }
  });

  it('starts a browser as each system does, without the secret where other users would see it', () => {
    const address = 'http://127.0.0.1:1/#secret';
    assert.deepEqual(openingOf(address, 'linux', { DISPLAY: ':0' }), { program: 'xdg-open', args: [address] });
    assert.deepEqual(openingOf(address, 'linux', { WAYLAND_DISPLAY: 'wayland-0' })?.program, 'xdg-open');
    assert.equal(openingOf(address, 'linux', {}), undefined);
    assert.deepEqual(openingOf(address, 'win32', {})?.args.at(-1), address);
    const mac = openingOf(address, 'darwin', {})!;
    assert.ok(!mac.args.includes(address));
    assert.equal(mac.input, `open location "${address}"\n`);
  });

  it('knows whether a browser was started', async () => {
    assert.equal(await openBrowser({ program: 'there-is-no-such-program', args: [] }), false);
    assert.equal(await openBrowser({ program: 'false', args: [] }), false);
    assert.equal(await openBrowser({ program: 'true', args: [], input: 'x' }), true);
    assert.equal(await openBrowser({ program: 'sleep', args: ['1'] }, 50), true);
  });
});
