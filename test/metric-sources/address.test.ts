// Addresses that a source must not have.
import assert from 'node:assert/strict';
import { ForbiddenAddress, guardedLookup, isForbidden } from '../../src/metric-sources/address.ts';
import { Web } from '../../src/metric-sources/web.ts';

describe('an address', () => {
  for (const address of [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'ff02::1',
    'fd00:ec2::254',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '::ffff:0:127.0.0.1',
    '::127.0.0.1',
    '2002:7f00:1::',
    'fe80::1%eth0',
    'fd20:ce::254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '',
    '127.1',
    'not an address',
  ])
    it(`must not be ${address}`, () => assert.equal(isForbidden(address), true));

  for (const address of [
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '8.8.8.8',
    'fd00::1',
    '2001:db8::1',
    '::ffff:10.0.0.1',
  ])
    it(`may be ${address}`, () => assert.equal(isForbidden(address), false));
});

describe('a name', () => {
  for (const all of [true, false])
    it(`is refused if it resolves to this machine (${all ? 'all addresses' : 'one address'})`, async () => {
      const error = await new Promise<Error | null>((resolve) =>
        guardedLookup('localhost', { all }, (found) => resolve(found)),
      );
      assert.ok(error instanceof ForbiddenAddress);
    });
});

describe('a URL in another form', () => {
  for (const host of [
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '017700000001',
    '0x7f.1',
    '127.1',
    '0',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '127。0。0。1',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[::ffff:0:7f00:1]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a9fe:a9fe::]',
    'localhost',
    'ｌocalhost',
  ])
    it(`does not reach this machine: ${host}`, async () => {
      const source = new Web({ url: new URL(`http://${host}:1`) });
      const query = { kind: 'Web', namespace: 'shop', path: '/', jsonPath: '.a' } as const;
      const answer = await source.range(query, 0, 0, 1, new AbortController().signal);
      source.close();
      assert.deepEqual(answer, { unknown: 'the address of the source is not allowed' });
    });
});
