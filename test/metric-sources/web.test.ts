// The source web: a path of a check cannot leave the address of the source, and a JSONPath cannot make much work.
import assert from 'node:assert/strict';
import { objectionToPath, Web } from '../../src/metric-sources/web.ts';
import { ask } from './contract.ts';
import { TestServer } from './server.ts';

describe('the source web', () => {
  let server: TestServer;
  let source: Web;
  beforeEach(async () => {
    server = await TestServer.start();
    server.answer({ score: 1 });
    source = new Web({ url: new URL('/base/', server.url), guarded: false });
  });
  afterEach(async () => {
    source.close();
    await server.close();
  });

  const at = (path: string, jsonPath = '{.score}') => ask(source, { kind: 'Web', namespace: 'shop', path, jsonPath });

  for (const [path, url] of [
    ['/', '/base/'],
    ['/score', '/base/score'],
    ['/a/b/', '/base/a/b/'],
    ['/a.json?x=1&y=%2e%2e/%20', '/base/a.json?x=1&y=%2e%2e/%20'],
    ['/a?u=http://evil/@x', '/base/a?u=http://evil/@x'],
    ['/...', '/base/...'],
  ])
    it(`asks ${url} for ${path}`, async () => {
      assert.ok(!('unknown' in (await at(path!))));
      assert.deepEqual(
        server.requests.map((request) => `${request.method} ${request.url}`),
        [`GET ${url}`],
      );
    });

  for (const path of [
    '',
    'score',
    '//evil',
    '//evil/x',
    '/a//b',
    '/..',
    '/../x',
    '/a/../../x',
    '/a/..',
    '/.',
    '/./x',
    '/%2e%2e/x',
    '/%2E%2E/x',
    '/.%2e/x',
    '/%252e%252e/x',
    '/a%2f..%2fx',
    '/a%5c..%5cx',
    '/\\evil',
    '\\\\evil',
    '/a\\..\\x',
    '/@evil',
    '@evil',
    ':80/x',
    '.evil.example/x',
    'http://evil/',
    '/http:/evil@x',
    '/a b',
    '/a\tb',
    '/a\r\nHost: evil',
    '/a#b',
    '/a?b#c',
    '/a?b c',
    '/a?b\\c',
    '/a?%zz',
    '/\u202e',
    '/ä',
    `/${'a'.repeat(1024)}`,
  ])
    it(`refuses ${JSON.stringify(path.slice(0, 40))} without a request`, async () => {
      const answer = await at(path);
      assert.match('unknown' in answer ? answer.unknown : '', /^the path is not accepted: (it|characters)/);
      assert.equal(server.requests.length, 0);
    });

  it('accepts no path that URL would change or move to another host', () => {
    const parts = ['/', '.', '..', '%2e', '@', '\\', ':', '?', '#', 'a', '//', '%', '%2f', ';', '\t'];
    let accepted = 0;
    for (const one of parts)
      for (const two of parts)
        for (const three of parts)
          for (const path of [`/${one}${two}${three}`, `${one}${two}${three}`]) {
            if (objectionToPath(path) !== undefined) continue;
            accepted += 1;
            const url = new URL(`http://host:1/base${path}`);
            assert.equal(url.href, `http://host:1/base${path}`, path);
          }
    assert.ok(accepted > 20);
  });

  for (const jsonPath of [
    '{..score}',
    '{.a..b}',
    '{.a[?(@..b>1)]}',
    '{.a}{.b}',
    'text {.a}',
    '{range .a[*]}{.b}{end}',
    '{.a',
    '',
    '{}{}',
    'x'.repeat(257),
  ])
    it(`refuses the JSONPath ${jsonPath.slice(0, 30)} without a request`, async () => {
      const answer = await at('/', jsonPath);
      if (jsonPath === '') return assert.match(JSON.stringify(answer), /not a number/);
      assert.match('unknown' in answer ? answer.unknown : '', /^jsonPath/);
      assert.equal(server.requests.length, 0);
    });

  for (const [jsonPath, expected] of [
    ['.score', 5],
    ['{.list[1].value}', 2],
    ['{.list[-1].value}', 2],
    ['{.list[?(@.name=="a")].value}', 1],
    ["{['a.b']}", 7],
    ['{.list[*].value}', 'there are 2 values at jsonPath instead of one'],
    ['{.__proto__.x}', 'there is nothing at jsonPath'],
    ['{.list.length}', 'there is nothing at jsonPath'],
    ['{.list}', 'the value at jsonPath is not a number'],
  ] as const)
    it(`reads ${jsonPath}`, async () => {
      const list = [
        { name: 'a', value: 1 },
        { name: 'b', value: 2 },
      ];
      server.answer({ score: 5, list, 'a.b': 7 });
      const answer = await at('/', jsonPath);
      const [series] = 'unknown' in answer ? [] : answer;
      assert.equal('unknown' in answer ? answer.unknown : [...series!.samples.values()][0], expected);
    });
});
