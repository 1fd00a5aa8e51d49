// Tells HTTP/1.1 from HTTP/2 without TLS (h2c) by the first bytes of a connection.
import type { Socket } from 'node:net';

export type Protocol = 'http/1.1' | 'h2c';

/** How HTTP/2 begins (RFC 9113, 3.4). No method of HTTP/1.1 begins in this way. */
const PREFACE = 'PRI';

/** Calls `found` once, before it has taken any byte from the connection. */
export function tellProtocol(socket: Socket, found: (protocol: Protocol) => void): void {
  let head = Buffer.alloc(0);
  const look = (): void => {
    const more = socket.read() as Buffer | null;
    if (more === null) return;
    head = Buffer.concat([head, more]);
    const text = head.toString('latin1', 0, PREFACE.length);
    if (text.length < PREFACE.length && PREFACE.startsWith(text)) return;
    socket.off('readable', look);
    socket.unshift(head);
    found(text === PREFACE ? 'h2c' : 'http/1.1');
  };
  socket.on('readable', look);
}
