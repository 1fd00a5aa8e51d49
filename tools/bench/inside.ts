// Loaded into the program's process before the program: serves measurements of the process on a separate port.
import { createServer } from 'node:http';
import { Session } from 'node:inspector/promises';
import type { AddressInfo } from 'node:net';

const session = new Session();

const answers: Readonly<Record<string, () => unknown>> = {
  /** Collects garbage first, so that answers are comparable. */
  '/memory'() {
    const { gc } = globalThis as { gc?: () => void };
    gc?.();
    gc?.();
    return { ...process.memoryUsage(), resources: process.getActiveResourcesInfo().length };
  },
  async '/profile/start'() {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    return {};
  },
  async '/profile/stop'() {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    return profile;
  },
  /** A planted leak: retains 1 MB, to test that leaks are found. */
  '/leak'() {
    const kept = ((globalThis as { leaked?: unknown[] }).leaked ??= []);
    kept.push(Array.from({ length: 125_000 }, (_, i) => i + Math.random()));
    return { pieces: kept.length };
  },
};

const server = createServer((request, response) => {
  void Promise.resolve(answers[request.url ?? '']?.()).then((answer) => {
    response.setHeader('connection', 'close');
    response.end(JSON.stringify(answer ?? null));
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready ${JSON.stringify({ controlPort: (server.address() as AddressInfo).port })}\n`);
});
server.unref();
