// Which user of this machine opened a connection: on Linux, the kernel's tables of connections say so.
import { readFile } from 'node:fs/promises';

/** The ends of a connection as the server sees them. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The other end is closed already, so it is not known whose it was. */
export const GONE = -1;
/** The kernel gives the table in pieces, so a row can be missed while others come and go. */
const ATTEMPTS = 3;

/** The uid of the process at the other end, or GONE. Undefined if the machine does not say. */
export async function peerOf(ends: Ends): Promise<number | undefined> {
  for (let attempt = 1; ; attempt++) {
    const read = (file: string): Promise<string> => readFile(file, 'latin1').catch(() => '');
    const uid = uidIn((await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(read))).join('\n'), ends);
    if (uid !== GONE || attempt >= ATTEMPTS) return uid;
  }
}

/**
 * Finds the row of the other end, which is on this machine, too: our remote end is its local one. An IPv6 socket that is connected to an IPv4 address
 * is in the table of IPv6. A socket that no process has any more is GONE: its row has no inode, and many kernels give it the uid 0. Undefined: not even
 * our own port is in the tables.
 */
export function uidIn(table: string, { remoteAddress, remotePort, localAddress, localPort }: Ends): number | undefined {
  const [client, server] = [endOf(remoteAddress, remotePort), endOf(localAddress, localPort)];
  let found: number | undefined;
  for (const line of table.split('\n')) {
    const [, local, remote, , , , , uid, , inode] = line.trim().split(/\s+/);
    if ((local === client && remote === server) || (local === MAPPED + client && remote === MAPPED + server))
      return inode === '0' ? GONE : Number(uid);
    // A table with the port that we listen on has the other end, too, as long as it exists.
    if (local?.endsWith(server.slice(-5))) found = GONE;
  }
  return found;
}

/** Before an IPv4 address, as the table of IPv6 has it: `::ffff:`. */
const MAPPED = '0000000000000000FFFF0000';

/** As in the table: each 32 bits of the address with the last byte first, then the port. */
function endOf(address = '', port = 0): string {
  const bytes = address === '::1' ? [...Array<number>(15).fill(0), 1] : address.split('.').map(Number);
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  const words: string[] = [];
  for (let i = 0; i < bytes.length; i += 4)
    words.push(
      bytes
        .slice(i, i + 4)
        .reverse()
        .map((byte) => hex(byte, 2))
        .join(''),
    );
  return `${words.join('')}:${hex(port, 4)}`;
}

/** `uid`: of the other end, or GONE; `own`: of this process, undefined on systems without uids. Root may do everything anyway. */
export const isForeign = (uid: number | undefined, own: number | undefined): boolean =>
  uid !== undefined && own !== undefined && uid !== own && uid !== 0;
