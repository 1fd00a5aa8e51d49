// A dashboard server whose views come from a test instead of a cluster.
import { randomBytes } from 'node:crypto';
import { loadAssets } from '../../src/cli/dashboard/assets.ts';
import { listen, type Listening, type StreamAsk } from '../../src/cli/dashboard/server.ts';
import type { LineStream } from '../../src/cli/dashboard/stream.ts';
import type { ActAnswer, ActBody } from '../../src/dashboard/wire.ts';
import type {
  ActionVerdict,
  Connection,
  DashboardEvent,
  Overview,
  ReleaseDetail,
} from '../../src/view/dashboard/types.ts';
import { DETAILS, detailEvent } from './details.ts';
import { connection, NOW, overviewOf, ROWS } from './fixtures.ts';

export interface Scene {
  readonly connection?: Connection;
  /** Null: nothing is known yet. */
  readonly overview?: Overview | null;
  readonly details?: readonly ReleaseDetail[];
  readonly readOnly?: boolean;
  /** Milliseconds since the epoch; absent: the time of the fixtures. */
  readonly now?: () => number;
  readonly ask?: (body: ActBody) => Promise<ActionVerdict>;
  readonly act?: (body: ActBody) => Promise<ActAnswer>;
}

export interface DashboardStage {
  readonly port: number;
  readonly token: string;
  /** With the token. */
  readonly address: string;
  readonly origin: string;
  /** Streams that were asked for. */
  readonly asked: readonly StreamAsk[];
  /** To all open pages. */
  send(event: DashboardEvent): void;
  /** Breaks all streams, as a network does. */
  breakStreams(): void;
  close(): Promise<void>;
}

export async function stage(
  scene: Scene = {},
  port = 0,
  token = randomBytes(32).toString('base64url'),
): Promise<DashboardStage> {
  const streams = new Set<LineStream>();
  const asked: StreamAsk[] = [];
  const { overview = overviewOf(ROWS), details = Object.values(DETAILS), readOnly = false } = scene;
  const act = scene.act ?? ((): Promise<ActAnswer> => Promise.resolve({ done: true, says: 'done', warnings: [] }));
  const ask = (): Promise<ActionVerdict> => Promise.resolve({ allowed: true, warnings: [] });
  const server: Listening = await listen(port, token, {
    assets: loadAssets(),
    now: scene.now ?? (() => NOW),
    stream(ask, stream) {
      asked.push(ask);
      streams.add(stream);
      stream.onClose(() => streams.delete(stream));
      stream.send({ event: { type: 'connection', connection: scene.connection ?? connection({ readOnly }) } });
      if (overview) stream.send({ id: 'test.1', event: { type: 'overview', overview } });
      if (ask.open === undefined) return;
      const detail = details.find(({ row }) => row.key === ask.open);
      stream.send({ event: detail ? detailEvent(detail) : { type: 'gone', key: ask.open } });
    },
    ...(!readOnly && { act, ask: scene.ask ?? ask }),
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    ...{ port: server.port, token, origin, asked, address: `${origin}/#${token}` },
    send(event) {
      for (const stream of streams) stream.send({ event });
    },
    breakStreams() {
      for (const stream of streams) stream.end();
    },
    close: () => server.close(),
  };
}
