// Decodes Kubernetes' protobuf encoding, which typed clients send (`kubectl create namespace`, `kubectl auth can-i`).
import { definitionName, definitions } from './definitions.ts';
import { badRequest } from './decode.ts';
import { fieldNumbers } from './protobuf-fields.ts';
import { typeOf } from './types.ts';
import type { GoType } from './types.ts';

/** The prefix of each body: `k8s` and a zero byte. */
const MAGIC = Buffer.from('k8s\0');
const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** Decodes a body: `runtime.Unknown` around the message of a native kind. Throws ApiError (400). */
export function decodeProtobuf(body: Uint8Array): Record<string, unknown> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const envelope = readMessage(bytes.subarray(MAGIC.length));
  const head = readMessage(lastBytes(envelope, 1));
  const apiVersion = lastBytes(head, 1).toString();
  const kind = lastBytes(head, 2).toString();
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const name = kind === 'DeleteOptions' ? DELETE_OPTIONS : definitionName(group, version, kind);
  if (!name || !(name in definitions))
    throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}" in scheme`);
  return { apiVersion, kind, ...(readStruct(typeOf(name), lastBytes(envelope, 2)) as object) };
}

/** Number and value of a field in wire order: a varint, or bytes. */
type Part = readonly [number: number, value: bigint | Buffer];

const malformed = () => badRequest('the protobuf message is malformed');

function readMessage(bytes: Buffer): Part[] {
  const parts: Part[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw malformed();
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = Number(tag & 7n);
    let value: bigint | Buffer;
    if (wireType === 0) value = varint();
    else {
      const length = wireType === 2 ? Number(varint()) : wireType === 1 ? 8 : wireType === 5 ? 4 : NaN;
      // Also true for NaN.
      if (!(at + length <= bytes.length)) throw malformed();
      value = bytes.subarray(at, (at += length));
    }
    parts.push([Number(tag >> 3n), value]);
  }
  return parts;
}

function lastBytes(parts: readonly Part[], number: number): Buffer {
  const value = parts.findLast(([at]) => at === number)?.[1];
  if (typeof value === 'bigint') throw malformed();
  return value ?? Buffer.alloc(0);
}

const lastInt = (parts: readonly Part[], number: number): bigint => {
  const value = parts.findLast(([at]) => at === number)?.[1] ?? 0n;
  if (typeof value !== 'bigint') throw malformed();
  return BigInt.asIntN(64, value);
};

function readStruct(type: GoType, bytes: Buffer): unknown {
  if (type.kind !== 'struct') return readValue(type, bytes);
  const numbers = fieldNumbers(type.name);
  const object: Record<string, unknown> = {};
  for (const [number, value] of readMessage(bytes)) {
    const name = numbers?.get(number);
    const field = name === undefined ? undefined : type.fields.get(name);
    // Fails for unknown fields, because a silently dropped field is hard to find later.
    if (!name || !field)
      throw badRequest(
        `the embedded cluster does not read protobuf field ${number} of ${type.name}: send JSON (kubectl apply or create -f)`,
      );
    if (field.type.kind === 'slice') {
      const list = (object[name] ??= []) as unknown[];
      list.push(readValue(field.type.element, value));
    } else if (field.type.kind === 'map') {
      if (typeof value === 'bigint') throw malformed();
      const entry = readMessage(value);
      const map = (object[name] ??= {}) as Record<string, unknown>;
      map[lastBytes(entry, 1).toString()] = readValue(field.type.value, lastBytes(entry, 2));
    } else {
      object[name] = readValue(field.type, value);
    }
  }
  return object;
}

function readValue(type: GoType, value: bigint | Buffer): unknown {
  if (typeof value === 'bigint') {
    if (type.kind === 'bool') return value !== 0n;
    if (type.kind === 'int32' || type.kind === 'int64') return Number(BigInt.asIntN(64, value));
    throw malformed();
  }
  switch (type.kind) {
    case 'struct':
      return readStruct(type, value);
    case 'string':
      return value.toString();
    case 'bytes':
      return value.toString('base64');
    case 'quantity':
      return lastBytes(readMessage(value), 1).toString();
    case 'intOrString': {
      const parts = readMessage(value);
      return lastInt(parts, 1) === 0n ? Number(lastInt(parts, 2)) : lastBytes(parts, 3).toString();
    }
    case 'time':
      // An empty message is the zero time.
      return value.length === 0 ? null : timestamp(lastInt(readMessage(value), 1));
    case 'raw':
      return JSON.parse(lastBytes(readMessage(value), 1).toString() || '{}') as unknown;
    case 'slice':
      // A list in a map (`extra` of a user) is a separate message.
      return readMessage(value).map(([, item]) => readValue(type.element, item));
    default:
      throw malformed();
  }
}

const timestamp = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z');
