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
  // Metadata services of clouds outside the link-local network.
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
] as const)
  FORBIDDEN.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  // Loopback, unspecified, and IPv4 addresses in an old form.
  ['::', 96],
  ['fe80::', 10],
  ['ff00::', 8],
  // Metadata services of clouds.
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
  // IPv4 addresses translated to IPv6 (NAT64, SIIT, 6to4). They would get around the IPv4 networks above.
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['::ffff:0:0:0', 96],
  ['2002::', 16],
] as const)
  FORBIDDEN.addSubnet(network, prefix, 'ipv6');

/** True for loopback, link-local (which includes metadata services), multicast and reserved addresses. */
export function isForbidden(address: string): boolean {
  // BlockList cannot read the name of an interface after an IPv6 address.
  const [bare = ''] = address.split('%');
  const family = isIP(bare);
  // BlockList compares IPv4 addresses that are mapped to IPv6 with its IPv4 networks.
  return family === 0 || FORBIDDEN.check(bare, family === 6 ? 'ipv6' : 'ipv4');
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
