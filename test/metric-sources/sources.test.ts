// Which source a check gets, in which namespace, and that checks share it.
import assert from 'node:assert/strict';
import type { MetricSource as MetricSourceObject, MetricSourceSpec } from '../../src/api/analysis.ts';
import type { Api } from '../../src/kube/api.ts';
import type { Change, ChangeHandler } from '../../src/kube/reflector.ts';
import { silent } from '../../src/kube/log.ts';
import { Shared } from '../../src/metric-sources/shared.ts';
import { addressOf, createMetricSources } from '../../src/metric-sources/sources.ts';
import type { MetricSource, MetricSources, Query, Series, Unknown } from '../../src/metric-sources/source.ts';
import { ask, assertUnknown } from './contract.ts';
import { TestServer } from './server.ts';

const QUERY: Query = { kind: 'Web', namespace: 'shop', path: '/', jsonPath: '.score' };
const api: Api = {
  request: () => Promise.reject(new Error('not used')),
  watch: () => Promise.reject(new Error('not used')),
};

/** MetricSources that a test changes. */
class Objects {
  synced = true;
  private readonly known = new Map<string, MetricSourceObject>();
  private handler: ChangeHandler<MetricSourceObject> = () => undefined;

  on(handler: ChangeHandler<MetricSourceObject>): () => void {
    this.handler = handler;
    for (const [key, object] of this.known) handler({ type: 'added', key, object });
    return () => (this.handler = () => undefined);
  }

  put(name: string, spec: MetricSourceSpec, generation = 1): this {
    const old = this.known.get(name);
    const object: MetricSourceObject = { metadata: { name, generation }, spec };
    this.known.set(name, object);
    const change: Change<MetricSourceObject> = old
      ? { type: 'updated', key: name, object, old }
      : { type: 'added', key: name, object };
    this.handler(change);
    return this;
  }

  remove(name: string): void {
    const object = this.known.get(name)!;
    this.known.delete(name);
    this.handler({ type: 'deleted', key: name, object });
  }
}

describe('the sources', () => {
  let now = 0;
  let server: TestServer;
  let objects: Objects;
  let sources: MetricSources & { close(): void };
  let due: { readonly at: number; readonly fn: () => void }[];
  const clock = {
    now: () => now,
    after: (ms: number, fn: () => void) => (due.push({ at: now + ms, fn }), () => undefined),
    random: () => 0,
  };
  const labels: Record<string, Record<string, string>> = { shop: { env: 'production' }, pay: { env: 'staging' } };
  const web = (more: Partial<MetricSourceSpec> = {}): MetricSourceSpec => ({ web: { url: server.url.href }, ...more });
  const production = { namespaceSelector: { matchLabels: { env: 'production' } } };

  beforeEach(async () => {
    [now, due] = [0, []];
    server = await TestServer.start();
    server.answer({ score: 1 });
    objects = new Objects();
    sources = createMetricSources({
      api,
      namespace: 'tranche',
      sources: objects,
      namespaceLabels: (name) => labels[name],
      clock,
      logger: silent,
      guarded: false,
    });
  });
  afterEach(async () => {
    sources.close();
    await server.close();
  });

  const said = (name: string | undefined, namespace = 'shop'): string => {
    const source = sources.get(name, namespace);
    return 'unknown' in source ? source.unknown : 'a source';
  };

  it('are the built-in one, or a MetricSource with this name', () => {
    objects.put('main', web());
    assert.equal(said('kubernetes'), 'a source');
    assert.equal(said('main'), 'a source');
    assert.equal(said('other'), 'there is no MetricSource "other"');
    assert.equal(said('\u202e\n'), 'there is no MetricSource "\\u202e\\n"');
  });

  it('without a name are the one named default, else the only one that the namespace may use', () => {
    assert.equal(said(undefined), 'there is no MetricSource for namespace shop');
    objects.put('main', web(production));
    assert.equal(said(undefined), 'a source');
    assert.equal(said(undefined, 'pay'), 'there is no MetricSource for namespace pay');
    objects.put('other', web());
    assert.equal(said(undefined), 'namespace shop may use 2 MetricSources and none is named default: write source');
    assert.equal(sources.get(undefined, 'pay'), sources.get('other', 'pay'));
    objects.put('default', web());
    assert.equal(sources.get(undefined, 'shop'), sources.get('default', 'shop'));
  });

  it('are limited to the namespaces that they select', () => {
    objects.put('main', web(production));
    objects.put('closed', web({ namespaceSelector: { matchExpressions: [{ key: 'env', operator: 'DoesNotExist' }] } }));
    assert.equal(said('main', 'shop'), 'a source');
    assert.match(said('main', 'pay'), /^namespace pay may not use MetricSource main/);
    // Not known is not the same as without labels.
    assert.match(said('closed', 'unknown'), /^namespace unknown may not use MetricSource closed/);
  });

  it('are Unknown until the MetricSources are read, but for the built-in one', () => {
    objects.put('main', web());
    objects.synced = false;
    assert.match(said('main'), /^the MetricSources cannot be read yet: check that the CRD/);
    assert.equal(said('kubernetes'), 'a source');
  });

  it('are kept until their spec changes', async () => {
    objects.put('main', web());
    const first = sources.get('main', 'shop') as MetricSource;
    objects.put('main', web(), 1);
    assert.equal(sources.get('main', 'shop'), first, 'only its labels have changed');
    objects.put('main', web(), 2);
    const second = sources.get('main', 'shop') as MetricSource;
    assert.notEqual(second, first);
    assert.deepEqual(await ask(first, QUERY), { unknown: 'the source was changed or removed' });
    assert.ok(!('unknown' in (await ask(second, QUERY))));
    objects.remove('main');
    assert.equal(said('main'), 'there is no MetricSource "main"');
    assert.deepEqual(await ask(second, QUERY), { unknown: 'the source was changed or removed' });
  });

  it('say that a query was ended when the spec changes', async () => {
    server.handle = () => {};
    objects.put('main', web());
    const asked = ask(sources.get('main', 'shop') as MetricSource, QUERY);
    objects.put('main', web(), 2);
    assert.deepEqual(await asked, { unknown: 'the source was changed or removed' });
  });

  for (const url of ['ftp://a', 'http://', 'http://u:p@a', 'http://a?x', 'http://a#x', 'file:///etc/passwd', 'x', ''])
    it(`are Unknown with the address ${JSON.stringify(url)}`, () => {
      objects.put('main', { web: { url } });
      assert.equal(said('main'), 'the address of the source is not valid');
    });

  it('have the address of a Service', () => {
    const service = { namespace: 'monitoring', name: 'prometheus', port: 9090 };
    assert.equal(addressOf({ service })?.href, 'http://prometheus.monitoring.svc:9090/');
    assert.equal(
      addressOf({ service: { ...service, scheme: 'https', path: '/mimir' } })?.href,
      'https://prometheus.monitoring.svc:9090/mimir',
    );
  });

  it('pass headers, parameters and labels of the MetricSource on', async () => {
    let form = '';
    server.handle = (_, response, body) => {
      form = body;
      response.end(JSON.stringify({ status: 'success', data: { resultType: 'matrix', result: [] } }));
    };
    const prometheus = {
      url: `${server.url.href}prometheus`,
      headers: { 'X-Scope-OrgID': '{{namespace}}' },
      parameters: { dedup: 'true', query: 'mine' },
      namespaceLabel: 'ns',
      podLabel: 'pod_name',
    };
    objects.put('main', { prometheus });
    const query: Query = { kind: 'Counters', namespace: 'shop', workload: 'web', selector: 'up' };
    assert.deepEqual(await ask(sources.get('main', 'shop') as MetricSource, query), []);
    assert.equal(server.requests[0]?.url, '/prometheus/api/v1/query_range');
    assert.equal(server.requests[0]?.headers['x-scope-orgid'], 'shop');
    const sent = new URLSearchParams(form);
    assert.deepEqual(sent.getAll('query'), ['sum by (pod_name) (up{ns="shop",pod_name=~"web-.+"})']);
    assert.equal(sent.get('dedup'), 'true');
  });

  it('do not parse what is not PromQL', async () => {
    objects.put('main', { prometheus: { url: server.url.href } });
    for (const expression of ['up{', 'up)) or vector(1', 'info(up)', ''])
      assertUnknown(
        await ask(sources.get('main', 'shop') as MetricSource, { kind: 'Expression', namespace: 'shop', expression }),
      );
    assert.equal(server.requests.length, 0);
  });

  it('send one request for identical queries of one moment', async () => {
    objects.put('main', web());
    const source = sources.get('main', 'shop') as MetricSource;
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(source, QUERY)));
    assert.equal(new Set(answers).size, 1);
    await ask(source, QUERY);
    assert.equal(server.requests.length, 1);
    await ask(source, { ...QUERY, namespace: 'pay' });
    assert.equal(server.requests.length, 2, 'another namespace is another query');
    now = 5_000;
    for (const { fn } of due.splice(0)) fn();
    await ask(source, QUERY);
    assert.equal(server.requests.length, 3);
  });

  it('go on with a request for others if one of them stops', async () => {
    objects.put('main', web());
    const source = sources.get('main', 'shop') as MetricSource;
    const stop = new AbortController();
    const [stopped, other] = [ask(source, QUERY, stop.signal), ask(source, QUERY)];
    stop.abort();
    await assert.rejects(stopped);
    assert.ok(!('unknown' in (await other)));
  });
});

describe('a shared source', () => {
  /** Counts the queries. */
  function counting(answer: () => readonly Series[] | Unknown): MetricSource & { asked: number } {
    return {
      asked: 0,
      hasHistory: true,
      async range() {
        this.asked += 1;
        return answer();
      },
      close() {},
    };
  }
  let now = 0;
  const clock = { now: () => now, after: () => () => undefined, random: () => 0 };

  it('keeps a limited number of answers', async () => {
    const source = counting(() => []);
    const shared = new Shared(source, { clock, logger: silent });
    for (let i = 0; i < 40; i++) await ask(shared, { ...QUERY, path: `/${i}` });
    await ask(shared, { ...QUERY, path: '/39' });
    assert.equal(source.asked, 40);
    await ask(shared, { ...QUERY, path: '/0' });
    assert.equal(source.asked, 41);
  });

  it('shares a request that is on its way, however many others are', async () => {
    const open: (() => void)[] = [];
    const source = counting(() => []);
    const { range } = source;
    source.range = async (...asked) => {
      const answer = await range.apply(source, asked);
      await new Promise<void>((resolve) => open.push(resolve));
      return answer;
    };
    const shared = new Shared(source, { clock, logger: silent });
    const askAll = (): Promise<unknown>[] =>
      Array.from({ length: 40 }, (_, i) => ask(shared, { ...QUERY, path: `/${i}` }));
    const all = [...askAll(), ...askAll()];
    await new Promise((resolve) => setImmediate(resolve));
    for (const end of open) end();
    await Promise.all(all);
    assert.equal(source.asked, 40);
  });

  it('is Unknown if the source breaks its promise not to reject, and the log has the error', async () => {
    const errors: unknown[] = [];
    const logger = { ...silent, error: (_: string, fields?: object) => void errors.push(fields) };
    const broken = counting(() => {
      throw new Error('a bug');
    });
    assertUnknown(await ask(new Shared(broken, { clock, logger }), QUERY));
    assert.equal(errors.length, 1);
  });

  it('logs that there is no answer, and that there is one again, at most once a minute', async () => {
    const lines: string[] = [];
    const note = (message: string): void => void lines.push(message);
    let fails = true;
    const source = counting(() => (fails ? { unknown: 'connection refused' } : []));
    const shared = new Shared(source, { clock, logger: { ...silent, info: note, warn: note } });
    for (let i = 0; i < 20; i++) {
      now = i * 10_000;
      fails = i % 2 === 0;
      await ask(shared, { ...QUERY, path: `/${i}` });
    }
    assert.deepEqual(lines, [
      'the metric source has no answer',
      'the metric source answers again',
      'the metric source has no answer',
    ]);
  });
});
