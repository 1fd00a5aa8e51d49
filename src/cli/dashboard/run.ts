// Runs the dashboard until Ctrl-C: connects its parts, prints the address and opens the browser.
import { randomBytes } from 'node:crypto';
import type { ApiClient } from '../../kube/client.ts';
import { connectCluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { Acts, warn } from './acts.ts';
import { loadAssets } from './assets.ts';
import { openBrowser, openingOf } from './browser.ts';
import { Feed } from './feed.ts';
import { Opened } from './opened.ts';
import { readOnly as withoutWrites } from './read-only.ts';
import { listen } from './server.ts';
import { serveStream } from './session.ts';

export interface DashboardOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly allNamespaces: boolean;
  readonly readOnly: boolean;
  /** Opens a browser. */
  readonly opens: boolean;
}

const TOKEN_BYTES = 32;

/** Returns the exit code. Throws CliError and ConnectionError. */
export async function runDashboard(context: Context, options: DashboardOptions): Promise<number> {
  const { io, flags, version } = context;
  const { readOnly } = options;
  const cluster = await connectCluster(io, flags, version, warn);
  const api: ApiClient = readOnly ? withoutWrites(cluster.api) : cluster.api;
  const namespace = options.allNamespaces ? undefined : cluster.namespace;
  // Asking who one is creates a review, which --read-only does not.
  const user = readOnly ? undefined : await cluster.whoAmI().catch(() => undefined);
  const feed = new Feed({
    ...{ api, namespace, readOnly, user, context: cluster.context },
    boot: randomBytes(6).toString('hex'),
    now: () => io.now(),
  });
  const acts = readOnly ? undefined : new Acts(cluster, () => io.now());
  const { createCalendar } = await import('../../schedule/calendar.ts');
  const ask = acts && ((...asked: Parameters<Acts['ask']>) => acts.ask(...asked));
  const opened = new Opened({ feed, calendar: createCalendar(), ask });
  try {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const server = await listen(options.port, token, {
      assets: loadAssets(),
      now: () => io.now(),
      stream: (asked, stream) => serveStream(feed, opened, asked, stream),
      ...(acts && { act: (body) => acts.act(body, opened), ask: (body) => acts.check(body, opened) }),
    });
    const address = `http://127.0.0.1:${server.port}/#${token}`;
    const where = namespace === undefined ? 'all namespaces' : `namespace ${namespace}`;
    io.out(`The dashboard shows ${where}${readOnly ? ', read-only' : ''}. Ctrl-C ends it.\n${address}\n`);
    await show(context, address, server.port, options.opens);
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      io.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await server.close();
    return EXIT.done;
  } finally {
    await Promise.all([opened.stop(), feed.stop()]);
    cluster.api.close();
  }
}

/** Opens the browser, or says how to reach the address. */
async function show({ io }: Context, address: string, port: number, opens: boolean): Promise<void> {
  const remote = remoteHint(io.env, port);
  if (remote !== undefined) return io.err(`${remote}\n`);
  if (!opens) return;
  const opening = openingOf(address, process.platform, io.env);
  if (opening && (await openBrowser(opening))) return;
  io.err(
    opening
      ? `${opening.program} did not open a browser: open the address yourself\n`
      : 'no screen is known (DISPLAY, WAYLAND_DISPLAY), so no browser was opened: open the address yourself\n',
  );
}

/** Where a browser on the user's own machine does not reach the address. */
export function remoteHint(env: Readonly<Record<string, string | undefined>>, port: number): string | undefined {
  if (env['KUBERNETES_SERVICE_HOST'])
    return (
      'It listens inside this Pod only, so no browser reaches it, and it has the permissions of this Pod: run the plugin on your machine instead. ' +
      `Otherwise: kubectl port-forward POD ${port}:${port}`
    );
  if (env['SSH_CONNECTION'])
    return `It listens on this machine only, and this is an SSH session. On your own machine, run: ssh -L ${port}:127.0.0.1:${port} HOST, then open the address there`;
  return undefined;
}
