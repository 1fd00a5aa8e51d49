// Serves /healthz, /readyz (with the reasons when it is not ready) and /metrics on a separate port.
import { createServer, type Server } from 'node:http';
import { listening } from './listening.ts';

/** Returns what is missing, as text, or undefined. */
export type Check = () => string | undefined;

export interface HealthOptions {
  readonly checks: Readonly<Record<string, Check>>;
  /** What may be out of date. /readyz shows it after "ok". */
  readonly doubts?: Readonly<Record<string, Check>>;
  readonly metrics: { text(): Promise<string>; readonly contentType: string };
}

export interface HealthServer {
  /** Resolves with the port. With port 0, the system chooses a free port. Rejects if the port is not available. */
  listen(port: number, host?: string): Promise<number>;
  close(): Promise<void>;
}

/** The failed checks, one line each. */
export const missing = (checks: HealthOptions['checks']): string[] =>
  Object.entries(checks).flatMap(([name, check]) => {
    const problem = check();
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });

const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}\n`).join('');

export function createHealthServer(options: HealthOptions): HealthServer {
  const answer = async (path: string): Promise<{ code: number; type?: string; body: string }> => {
    switch (path) {
      case '/healthz':
        return { code: 200, body: 'ok\n' };
      case '/readyz': {
        const lines = missing(options.checks);
        if (lines.length === 0) return { code: 200, body: `ok\n${list(missing(options.doubts ?? {}))}` };
        return { code: 503, body: `not ready\n${list(lines)}` };
      }
      case '/metrics':
        return { code: 200, type: options.metrics.contentType, body: await options.metrics.text() };
      default:
        return { code: 404, body: 'not found; the paths are /healthz, /readyz and /metrics\n' };
    }
  };
  const server: Server = createServer((request, response) => {
    const send = (code: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'method not allowed; use GET\n');
    const path = (request.url ?? '/').split('?', 1)[0]!;
    answer(path).then(
      ({ code, body, type }) => send(code, body, type),
      () => send(500, 'cannot collect the metrics\n'),
    );
  });
  const { listen, close } = listening(server);
  return { listen, close: () => close(0) };
}
