// What one open page gets: first everything, or what it has missed; then what changes.
import type { ReleaseDetail } from '../../view/dashboard/types.ts';
import type { Feed } from './feed.ts';
import type { Opened } from './opened.ts';
import type { StreamAsk } from './server.ts';
import type { LineStream } from './stream.ts';

/** Serves a stream until it is closed. */
export function serveStream(feed: Feed, opened: Opened, { after, open }: StreamAsk, stream: LineStream): void {
  let id = after;
  let connection: string | undefined;
  let summary: string | undefined;
  /** The newest state of the opened release, until it is sent. */
  let due: { readonly detail: ReleaseDetail | undefined } | undefined;
  let waiting = false;

  // A page that does not read gets the newest state when it reads again, and not every state in between.
  const send = (): void => {
    for (const part of [sendConnection, sendOverview, sendDetail])
      if (stream.ready) part();
      else return later();
  };

  const later = (): void => {
    if (waiting) return;
    waiting = true;
    stream.whenReady(() => {
      waiting = false;
      send();
    });
  };

  const sendConnection = (): void => {
    const state = JSON.stringify(feed.connection);
    if (state !== connection) stream.send({ event: { type: 'connection', connection: feed.connection } });
    connection = state;
  };

  const sendOverview = (): void => {
    const { overview } = feed;
    if (!overview) return;
    const { releases: _, ...rest } = overview;
    const since = id === undefined ? undefined : feed.journal.since(id);
    const text = JSON.stringify(rest);
    if (since === undefined) stream.send({ id: feed.journal.id, event: { type: 'overview', overview } });
    else if (since.changed.length + since.gone.length > 0 || text !== summary)
      stream.send({ id: feed.journal.id, event: { type: 'rows', ...since, summary: rest } });
    id = feed.journal.id;
    summary = text;
  };

  const sendDetail = (): void => {
    if (due === undefined || open === undefined) return;
    const { detail } = due;
    due = undefined;
    stream.send({ event: detail ? { type: 'detail', key: open, detail } : { type: 'gone', key: open } });
  };

  stream.onClose(feed.on(send));
  send();
  if (open === undefined) return;
  const close = opened.open(open, (detail) => {
    due = { detail };
    send();
  });
  stream.onClose(close);
}
