// Addresses that a source must not have: a request to them would reach this Pod, its node, or the credentials of the cloud.
import { lookup as lookUp, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

const FORBIDDEN = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  FORBIDDEN.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 128],
  ['::1', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  // The metadata service of a cloud.
  ['fd00:ec2::254', 128],
  // IPv4 addresses translated to IPv6 (NAT64). They would get around the IPv4 networks above.
  ['64:ff9b::', 96],
] as const)
  FORBIDDEN.addSubnet(network, prefix, 'ipv6');

/** True for loopback, link-local (which includes metadata services), multicast and reserved addresses. */
export function isForbidden(address: string): boolean {
  const family = isIP(address);
  // BlockList compares IPv4 addresses that are mapped to IPv6 with its IPv4 networks.
  return family === 0 || FORBIDDEN.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** The address is one that a source must not have. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress';
}

/** Resolves a name and fails if any of its addresses is forbidden. The connection uses the address that was checked. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookUp(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return callback(error, '', 0);
    const [first] = addresses;
    if (!first || addresses.some(({ address }) => isForbidden(address)))
      return callback(new ForbiddenAddress(`${hostname} has an address that is not allowed`), '', 0);
    if (options.all) return callback(null, addresses);
    callback(null, first.address, first.family);
  });
};
