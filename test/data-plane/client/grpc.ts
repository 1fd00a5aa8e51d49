// One unary gRPC request without TLS, and its answer: `message Answer { string pod = 1; string version = 2; }`.
import { constants, type ClientHttp2Session } from 'node:http2';

export interface GrpcAnswer {
  readonly pod: string;
  readonly version: string;
}

export interface GrpcCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

const MAX_BYTES = 10_000;
/** A frame with a message of no bytes. */
const EMPTY = Buffer.alloc(5);

/** Rejects with what went wrong: `grpc 14`, `503`, or the error of the connection. */
export function callGrpc(session: ClientHttp2Session, { path, headers, timeoutMs }: GrpcCall): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let code = 0;
    let status: unknown;
    let size = 0;
    const parts: Buffer[] = [];
    stream.on('response', (head) => {
      code = head[':status'] ?? 0;
      // Without a message, the status is among the headers.
      status = head['grpc-status'];
    });
    stream.on('trailers', (trailers) => (status ??= trailers['grpc-status']));
    stream.on('data', (part: Buffer) => {
      if ((size += part.length) > MAX_BYTES) stream.close(constants.NGHTTP2_CANCEL);
      else parts.push(part);
    });
    stream.setTimeout(timeoutMs, () => stream.destroy(new Error('timeout')));
    stream.on('error', reject);
    stream.on('close', () => {
      if (code !== 200) reject(new Error(code === 0 ? 'no answer' : String(code)));
      else if (status !== '0') reject(new Error(`grpc ${String(status)}`));
      else resolve(decode(Buffer.concat(parts)));
    });
    stream.end(EMPTY);
  });
}

/** Fields 1 and 2 of the message in the frame; both are shorter than 128 bytes. */
function decode(frame: Buffer): GrpcAnswer {
  const fields: Record<number, string> = {};
  for (let at = 5; at + 1 < frame.length;) {
    const [tag, length] = [frame[at]!, frame[at + 1]!];
    fields[tag >> 3] = frame.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
  }
  return { pod: fields[1] ?? '', version: fields[2] ?? '' };
}
