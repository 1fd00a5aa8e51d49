// What one page gets on its stream: everything, then changes only, and after a break what it has missed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Feed } from '../../../src/cli/dashboard/feed.ts';
import { Journal } from '../../../src/cli/dashboard/journal.ts';
import type { Opened } from '../../../src/cli/dashboard/opened.ts';
import { serveStream } from '../../../src/cli/dashboard/session.ts';
import { LineStream } from '../../../src/cli/dashboard/stream.ts';
import type { StreamLine } from '../../../src/dashboard/wire.ts';
import type { ReleaseDetail, ReleaseRow } from '../../../src/view/dashboard/types.ts';
import { WAITING_DETAIL } from '../../dashboard/details.ts';
import { connection, overviewOf, ROWS } from '../../dashboard/fixtures.ts';

/** A feed and a stream that a test moves by hand. */
class Fake {
  readonly lines: StreamLine[] = [];
  ready = true;
  private readonly journal = new Journal<ReleaseRow>('boot');
  private readonly listeners = new Set<() => void>();
  private readonly closers: (() => void)[] = [];
  private drained: (() => void)[] = [];
  private connection = connection();
  private overview = overviewOf(ROWS);
  shows: ((detail: ReleaseDetail | undefined) => void) | undefined;

  constructor() {
    this.journal.replace(ROWS);
  }

  open(after?: string, open?: string): void {
    const { journal, listeners } = this;
    const feed = {
      journal,
      on: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const values = { connection: () => this.connection, overview: () => this.overview };
    for (const [name, get] of Object.entries(values)) Object.defineProperty(feed, name, { get });
    const stream = {
      send: (line: StreamLine) => this.lines.push(line),
      whenReady: (run: () => void) => this.drained.push(run),
      onClose: (run: () => void) => this.closers.push(run),
    };
    Object.defineProperty(stream, 'ready', { get: () => this.ready });
    const opened = {
      open: (_: string, show: typeof this.shows) => {
        this.shows = show;
        return () => (this.shows = undefined);
      },
    };
    serveStream(feed as unknown as Feed, opened as unknown as Opened, { after, open }, stream as unknown as LineStream);
  }

  rows(rows: readonly ReleaseRow[]): void {
    this.overview = overviewOf(rows);
    this.journal.replace(rows);
    this.tell();
  }

  notLive(): void {
    this.connection = connection({ live: false, why: 'no answer' });
    this.tell();
  }

  tell(): void {
    for (const listener of this.listeners) listener();
  }

  drain(): void {
    this.ready = true;
    for (const run of this.drained.splice(0)) run();
  }

  close(): number {
    for (const run of this.closers) run();
    return this.listeners.size;
  }

  /** The types of the lines since the last call. */
  types(): string[] {
    return this.lines.splice(0).map((line) => ('event' in line ? line.event.type : 'beat'));
  }
}

describe('the stream of one page', () => {
  it('begins with everything, and then sends what has changed', () => {
    const fake = new Fake();
    fake.open();
    assert.deepEqual(fake.types(), ['connection', 'overview']);
    fake.tell();
    assert.deepEqual(fake.types(), []);
    fake.rows(ROWS.slice(1));
    const [line] = fake.lines;
    assert.ok(line && 'event' in line && line.event.type === 'rows');
    assert.deepEqual([line.event.changed, line.event.gone, line.id], [[], ['payments/ledger'], 'boot.2']);
    fake.types();
    fake.notLive();
    assert.deepEqual(fake.types(), ['connection']);
    assert.equal(fake.close(), 0, 'nothing listens after its end');
  });

  it('sends only what a page has missed, and everything to one that it does not know', () => {
    const fake = new Fake();
    fake.rows(ROWS.map((row, i) => (i === 2 ? { ...row, says: 'new' } : row)));
    fake.open('boot.1');
    const [, line] = fake.lines;
    assert.ok(line && 'event' in line && line.event.type === 'rows');
    assert.deepEqual(
      line.event.changed.map(({ says }) => says),
      ['new'],
    );
    fake.types();
    for (const after of ['other.1', 'boot.9', '', 'x']) {
      fake.open(after);
      assert.deepEqual(fake.types(), ['connection', 'overview'], after);
    }
  });

  it('waits for a page that does not read, and then sends the newest state once', () => {
    const fake = new Fake();
    fake.open();
    fake.types();
    fake.ready = false;
    for (let i = 0; i < 100; i++) fake.rows(ROWS.map((row) => ({ ...row, says: `${i}` })));
    assert.deepEqual(fake.types(), []);
    fake.drain();
    const [line] = fake.lines;
    assert.ok(line && 'event' in line && line.event.type === 'rows');
    assert.ok(line.event.changed.every(({ says }) => says === '99'));
    assert.equal(fake.lines.length, 1);
  });

  it('sends the newest state of the opened release once to a page that does not read for a while', () => {
    const fake = new Fake();
    fake.open(undefined, 'shop/web');
    fake.types();
    fake.ready = false;
    for (let i = 0; i < 100; i++) fake.shows!({ ...WAITING_DETAIL, gaps: [`${i}`] });
    assert.deepEqual(fake.types(), []);
    fake.drain();
    const [line] = fake.lines;
    assert.ok(line && 'event' in line && line.event.type === 'detail');
    assert.deepEqual(line.event.detail.gaps, ['99']);
    assert.deepEqual(fake.types(), ['detail']);
  });

  it('keeps nothing for a stream that is full, and continues when it is read', async () => {
    const response = new PassThrough({ highWaterMark: 10 });
    const stream = new LineStream(response as unknown as ServerResponse, () => 0);
    let calls = 0;
    assert.equal(stream.ready, false);
    stream.whenReady(() => (calls += 1));
    for (let i = 0; i < 20; i++) stream.send({ beat: i });
    assert.equal(response.listenerCount('drain'), 2, 'one of its own, and the one above');
    response.resume();
    await once(response, 'drain');
    assert.deepEqual([stream.ready, calls], [true, 1]);
    response.destroy();
    await once(response, 'close');
    assert.equal(stream.ready, false);
    // Must not be called now: it would ask again, without end.
    stream.whenReady(() => assert.fail());
  });

  it('sends the opened release whole, says when it is gone, and closes it with the page', () => {
    const fake = new Fake();
    fake.open(undefined, 'shop/web');
    fake.types();
    fake.shows!(WAITING_DETAIL);
    fake.shows!(undefined);
    assert.deepEqual(fake.types(), ['detail', 'gone']);
    fake.close();
    assert.equal(fake.shows, undefined);
  });
});
