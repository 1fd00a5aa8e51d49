// Protobuf bodies of typed clients, built byte by byte.
import assert from 'node:assert/strict';
import { ApiError } from '../../src/core/types.ts';
import { decodeProtobuf } from '../../src/schema/index.ts';

const varint = (value: bigint): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
};
const tag = (number: number, wireType: number) => varint(BigInt((number << 3) | wireType));
const int = (number: number, value: number) => Buffer.concat([tag(number, 0), varint(BigInt(value))]);
const bytes = (number: number, value: Buffer | string) => {
  const content = Buffer.from(value);
  return Buffer.concat([tag(number, 2), varint(BigInt(content.length)), content]);
};
const message = (number: number, ...fields: Buffer[]) => bytes(number, Buffer.concat(fields));
const body = (apiVersion: string, kind: string, ...fields: Buffer[]) =>
  Buffer.concat([Buffer.from('k8s\0'), message(1, bytes(1, apiVersion), bytes(2, kind)), message(2, ...fields)]);

const deployment = body(
  'apps/v1',
  'Deployment',
  message(
    1,
    bytes(1, 'web'),
    message(8),
    message(11, bytes(1, 'app'), bytes(2, 'web')),
    message(11, bytes(1, 'tier'), bytes(2, '')),
    bytes(13, Buffer.concat([bytes(1, 'Node'), int(6, 1)])),
  ),
  message(
    2,
    int(1, 3),
    message(
      3,
      message(
        2,
        message(
          2,
          bytes(1, 'main'),
          message(6, int(3, 8080)),
          message(8, message(1, bytes(1, 'cpu'), message(2, bytes(1, '200m')))),
        ),
      ),
    ),
    message(4, message(2, message(1, int(1, 1), int(2, 0), bytes(3, '25%')), message(2, int(1, 0), int(2, 2)))),
    int(7, 1),
  ),
);

describe('decodeProtobuf', () => {
  it('reads messages, lists, maps, numbers, booleans, quantities and int-or-strings', () => {
    assert.deepEqual(decodeProtobuf(deployment), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'web',
        creationTimestamp: null,
        labels: { app: 'web', tier: '' },
        ownerReferences: [{ kind: 'Node', controller: true }],
      },
      spec: {
        replicas: 3,
        template: {
          spec: {
            containers: [{ name: 'main', ports: [{ containerPort: 8080 }], resources: { limits: { cpu: '200m' } } }],
          },
        },
        strategy: { rollingUpdate: { maxUnavailable: '25%', maxSurge: 2 } },
        paused: true,
      },
    });
  });

  it('reads bytes as base64, negative numbers, times, and the options of a delete', () => {
    const secret = body('v1', 'Secret', message(2, bytes(1, 'key'), bytes(2, Buffer.from([0, 255]))));
    assert.deepEqual(decodeProtobuf(secret).data, { key: 'AP8=' });
    const priority = body('scheduling.k8s.io/v1', 'PriorityClass', int(2, -5));
    assert.equal(decodeProtobuf(priority).value, -5);
    const dated = body('v1', 'Namespace', message(1, message(8, int(1, 1_700_000_000))));
    assert.deepEqual(decodeProtobuf(dated).metadata, { creationTimestamp: '2023-11-14T22:13:20Z' });
    const options = body('v1', 'DeleteOptions', int(1, 0), bytes(4, 'Foreground'));
    assert.deepEqual(decodeProtobuf(options), {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      propagationPolicy: 'Foreground',
    });
  });

  it('reads lists inside a map', () => {
    const extra = message(5, bytes(1, 'scopes'), message(2, bytes(1, 'a'), bytes(1, 'b')));
    const review = body('authorization.k8s.io/v1', 'SubjectAccessReview', message(2, bytes(3, 'anna'), extra));
    assert.deepEqual(decodeProtobuf(review).spec, { user: 'anna', extra: { scopes: ['a', 'b'] } });
  });

  it('reads Jobs, on their own and in a CronJob, with the empty status that clients send', () => {
    const container = message(2, bytes(1, 'main'), bytes(2, 'busybox'));
    const spec = message(2, message(6, message(2, container, bytes(3, 'Never'))));
    const template = { spec: { containers: [{ name: 'main', image: 'busybox' }], restartPolicy: 'Never' } };
    const job = body('batch/v1', 'Job', spec, message(3, int(4, 0), int(5, 0), int(6, 0), bytes(7, '')));
    assert.deepEqual(decodeProtobuf(job).spec, { template });
    const cron = body('batch/v1', 'CronJob', message(2, bytes(1, '0 * * * *'), message(5, spec)), message(3));
    assert.deepEqual(decodeProtobuf(cron).spec, { schedule: '0 * * * *', jobTemplate: { spec: { template } } });
  });

  it('refuses unknown fields', () => {
    const odd = body('v1', 'ConfigMap', bytes(99, 'x'));
    assert.throws(() => decodeProtobuf(odd), /does not read protobuf field 99 of ConfigMap: send JSON/);
  });

  it('refuses unknown kinds and bodies that are not protobuf', () => {
    assert.throws(() => decodeProtobuf(body('v1', 'Secrett')), /no kind "Secrett" is registered for version "v1"/);
    assert.throws(() => decodeProtobuf(Buffer.from('{}')), /does not appear to be a protobuf message/);
  });

  it('answers broken bodies with 400', () => {
    for (let length = 0; length < deployment.length; length++) {
      for (const broken of [deployment.subarray(0, length), withByte(deployment, length, 0xff)]) {
        try {
          decodeProtobuf(broken);
        } catch (error) {
          assert.ok(error instanceof ApiError, `${length}: ${String(error)}`);
          assert.equal(error.status.code, 400);
        }
      }
    }
  });
});

const withByte = (source: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(source);
  copy[at] = value;
  return copy;
};
