// Addresses that a source must not have.
import assert from 'node:assert/strict';
import { ForbiddenAddress, guardedLookup, isForbidden } from '../../src/metric-sources/address.ts';

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
