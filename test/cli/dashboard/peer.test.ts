// Which user opened a connection: in the kernel's table, and on this machine with a real second user.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { GONE, isForeign, uidIn } from '../../../src/cli/dashboard/peer.ts';
import { stage } from '../../dashboard/stage.ts';

/** As in /proc/net/tcp: ours is port 0FA0 (4000). */
const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0 100 0 0 10 0
   1: 0100007F:0FA0 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 20 4 30 10 -1
   2: 0100007F:C001 0100007F:0FA0 01 00000000:00000000 00:00000000 00000000  1000        0 13 1 0 20 4 30 10 -1
   3: 0500007F:C001 0100007F:0FA0 01 00000000:00000000 00:00000000 00000000  1001        0 14 1 0 20 4 30 10 -1
   4: 00000000000000000000000001000000:C002 00000000000000000000000001000000:0FA0 01 00000000:00000000 00:00000000 00000000  1002        0 15 1
   5: 0000000000000000FFFF00000100007F:C003 0000000000000000FFFF00000100007F:0FA0 01 00000000:00000000 00:00000000 00000000  1003        0 16 1
`;
const server = { localAddress: '127.0.0.1', localPort: 4000 };

describe('the user at the other end of a connection', () => {
  it('is that of the row with both ends exchanged', () => {
    assert.equal(uidIn(TABLE, { ...server, remoteAddress: '127.0.0.1', remotePort: 0xc001 }), 1000);
    // Another loopback address with the same port is another connection.
    assert.equal(uidIn(TABLE, { ...server, remoteAddress: '127.0.0.5', remotePort: 0xc001 }), 1001);
    assert.equal(
      uidIn(TABLE, { localAddress: '::1', localPort: 4000, remoteAddress: '::1', remotePort: 0xc002 }),
      1002,
    );
    // An IPv6 socket that is connected to ::ffff:127.0.0.1 arrives as a connection over IPv4.
    assert.equal(uidIn(TABLE, { ...server, remoteAddress: '127.0.0.1', remotePort: 0xc003 }), 1003);
  });

  it('is gone if it is closed already, whatever uid the kernel gives to its row', () => {
    // It has no row any more.
    assert.equal(uidIn(TABLE, { ...server, remoteAddress: '127.0.0.1', remotePort: 9 }), GONE);
    // No process has it: state 04, without an inode.
    const closed = TABLE.replace('01 00000000:00000000 00:00000000 00000000  1000        0 13', '04 0:0 00:0 0 0 0 0');
    assert.notEqual(closed, TABLE);
    assert.equal(uidIn(closed, { ...server, remoteAddress: '127.0.0.1', remotePort: 0xc001 }), GONE);
    assert.equal(isForeign(GONE, 1000), true);
    assert.equal(isForeign(GONE, 0), true);
  });

  it('is not known without a table that has our own port', () => {
    const { localAddress, localPort } = { ...server, localPort: 4001 };
    assert.equal(uidIn(TABLE, { localAddress, localPort, remoteAddress: '127.0.0.1', remotePort: 9 }), undefined);
    assert.equal(uidIn('', { ...server, remoteAddress: '127.0.0.1', remotePort: 0xc001 }), undefined);
    assert.equal(uidIn(TABLE, {}), undefined);
  });

  it('is foreign if it is another one, but not root', () => {
    assert.equal(isForeign(1000, 1000), false);
    assert.equal(isForeign(1001, 1000), true);
    assert.equal(isForeign(0, 1000), false);
    assert.equal(isForeign(1000, 0), true);
    assert.equal(isForeign(undefined, 1000), false);
    assert.equal(isForeign(1001, undefined), false);
  });

  it('is refused by the server if it is another user, even with the token', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      process.stderr.write('skipped: a second user needs root on Linux\n');
      return this.skip();
    }
    const dashboard = await stage();
    try {
      const answer = async (uid: number, host = '127.0.0.1'): Promise<string> => {
        const program = `const [, host, port, token] = process.argv;
          const headers = { host: '127.0.0.1:' + port, authorization: 'Bearer ' + token };
          require('http').get({ host, port, path: '/api/stream', headers }, (r) => {
            process.stdout.write(r.statusCode + ' ');
            r.on('data', (text) => process.stdout.write(text, () => process.exit(0)));
          });`;
        const child = spawn(process.execPath, ['-e', program, host, `${dashboard.port}`, dashboard.token], {
          uid,
          cwd: '/',
          env: {},
        });
        let out = '';
        child.stdout.on('data', (text: Buffer) => (out += text.toString()));
        await once(child, 'close');
        return out;
      };
      const hasIPv6 = existsSync('/proc/net/if_inet6');
      for (const host of ['127.0.0.1', ...(hasIPv6 ? ['::ffff:127.0.0.1'] : [])]) {
        assert.match(await answer(0, host), /^200 /, host);
        assert.match(await answer(65534, host), /^403 .*another user of the machine/, host);
      }
    } finally {
      await dashboard.close();
    }
  });
});
