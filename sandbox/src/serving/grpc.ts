// The messages of the containers' gRPC service. Each method of each service is unary and answers with this message:
//
//   message Answer { string pod = 1; string version = 2; bytes request = 3; }

export const GRPC_TYPE = 'application/grpc';

/** https://grpc.io/docs/guides/status-codes/ */
export const GRPC_STATUS = { ok: 0, resourceExhausted: 8, unimplemented: 12, internal: 13 } as const;

/** In bytes. Longer requests are refused. */
export const LONGEST_REQUEST = 64 * 1024;

/** A flag for compression, and the length. */
const HEAD_BYTES = 5;
const LENGTH_DELIMITED = 2;

export const isGrpc = (contentType: string | undefined): boolean =>
  /^application\/grpc(?:[+;]|$)/.test(contentType ?? '');

/** A message on the wire. */
export function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The message of a request. Undefined if the bytes are not exactly one message without compression. */
export function unframe(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== 0) return undefined;
  return bytes.length - HEAD_BYTES === bytes.readUInt32BE(1) ? bytes.subarray(HEAD_BYTES) : undefined;
}

/** A protobuf message: fields 1, 2, … are these texts or bytes. */
export const encode = (...fields: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    fields.flatMap((field, i) => {
      const bytes = typeof field === 'string' ? Buffer.from(field) : field;
      const head = [((i + 1) << 3) | LENGTH_DELIMITED, ...varint(bytes.length)];
      return bytes.length === 0 ? [] : [Buffer.from(head), bytes];
    }),
  );

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}
