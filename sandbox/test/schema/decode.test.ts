import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ApiError } from '../../src/core/types.ts';
import type { KubeObject, ResourceType } from '../../src/core/types.ts';
import { decode } from '../../src/schema/index.ts';
import type { FieldValidation } from '../../src/schema/index.ts';
import { bytes, custom, native } from './types.ts';

const deployment = native('apps', 'v1', 'Deployment');

const decoded = (type: ResourceType, body: unknown): KubeObject =>
  decode(type, bytes(body), { validation: 'Ignore' }).object;

/** The message of the 400 that the body is answered with. */
function refusal(type: ResourceType, body: unknown, validation: FieldValidation = 'Warn'): string {
  try {
    decode(type, bytes(body), { validation });
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status.code, 400);
    assert.equal(error.status.reason, 'BadRequest');
    return error.message;
  }
  throw new assert.AssertionError({ message: 'the body was accepted' });
}

const cannot = 'Deployment in version "v1" cannot be handled as a Deployment: ';
const unrecognized = (kind: string): string =>
  `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: `;

describe('decoding a native kind', () => {
  it('drops unknown fields and warns about each with its path', () => {
    const { object, warnings } = decode(
      deployment,
      bytes({
        spec: { replicaz: 1, template: { spec: { containers: [{ name: 'a', imagePolicy: 'x' }] } } },
        extra: {},
      }),
      { validation: 'Warn' },
    );
    assert.deepEqual(warnings, [
      'unknown field "spec.replicaz"',
      'unknown field "spec.template.spec.containers[0].imagePolicy"',
      'unknown field "extra"',
    ]);
    assert.ok(!('replicaz' in object['spec']) && !('extra' in object));
  });

  it('does not warn with fieldValidation Ignore', () => {
    assert.deepEqual(decode(deployment, bytes({ extra: {} }), { validation: 'Ignore' }).warnings, []);
  });

  it('refuses unknown and duplicate fields when told to be strict, all in one error', () => {
    const body = '{"spec":{"replicas":1,"replicas":2,"bogus":[]}}';
    assert.equal(
      refusal(deployment, body, 'Strict'),
      `${cannot}strict decoding error: duplicate field "spec.replicas", unknown field "spec.bogus"`,
    );
  });

  it('lets the last of two equal keys count', () => {
    assert.equal(decoded(deployment, '{"spec":{"replicas":1,"replicas":2}}')['spec'].replicas, 2);
  });

  for (const [what, spec, problem] of [
    [
      'a string for a number',
      { replicas: '3' },
      'string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    ['a fraction', { replicas: 1.5 }, 'number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [
      'too large a number',
      { replicas: 2 ** 31 },
      'number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    ['a number for a boolean', { paused: 1 }, 'number into Go struct field DeploymentSpec.spec.paused of type bool'],
    [
      'an object for a list',
      { template: { spec: { containers: {} } } },
      'object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      'a string for an object of a list',
      { template: { spec: { containers: ['a'] } } },
      'string into Go struct field PodSpec.spec.template.spec.containers of type v1.Container',
    ],
    [
      'a number for a label',
      { template: { metadata: { labels: { a: 1 } } } },
      'number into Go struct field ObjectMeta.spec.template.metadata.labels of type string',
    ],
    [
      'a boolean for a string of a type of its own',
      { template: { spec: { restartPolicy: true } } },
      'bool into Go struct field PodSpec.spec.template.spec.restartPolicy of type v1.RestartPolicy',
    ],
  ] as const) {
    it(`refuses ${what} as Go does`, () => {
      assert.equal(refusal(deployment, { spec }), `${cannot}json: cannot unmarshal ${problem}`);
    });
  }

  for (const [what, body, problem] of [
    ['an unfinished word', 'trust me', `invalid character 's' in literal true (expecting 'e') (7472757374206d65)`],
    ['nothing', '', 'unexpected end of JSON input (<empty>)'],
    ['an unfinished object', '{"a":1', 'unexpected end of JSON input ({"a":1)'],
    ['a missing comma', '{"a":1 "b":2}', `invalid character '"' after object key:value pair ({"a":1 "b":2})`],
    ['a bare key', '{a:1}', `invalid character 'a' looking for beginning of object key string ({a:1})`],
    ['something after the end', '{}]', `invalid character ']' after top-level value ({}])`],
    ['a raw line break in a string', '{"a":"\n"}', `invalid character '\\n' in string literal ({"a":"\n"})`],
    [
      'a list',
      '[]',
      `json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)`,
    ],
    [
      'a kind that is a number',
      '{"kind":1}',
      'json: cannot unmarshal number into Go struct field .kind of type string ({"kind":1})',
    ],
  ] as const) {
    it(`refuses ${what} with Go's complaint`, () => {
      assert.equal(refusal(deployment, body), unrecognized('Deployment') + problem);
    });
  }

  it('shows at most 30 bytes of an unreadable body', () => {
    assert.match(refusal(deployment, `{${' '.repeat(50)}`), /\(\{ {29} \.\.\.\)$/);
  });

  it('refuses another kind, an unknown kind and another version', () => {
    assert.equal(
      refusal(deployment, { apiVersion: 'v1', kind: 'Pod' }),
      'Pod in version "v1" cannot be handled as a Deployment: converting (v1.Pod) to (apps.Deployment): unknown conversion',
    );
    assert.match(
      refusal(deployment, { apiVersion: 'v1', kind: 'Thing' }),
      /^Thing in version "v1" cannot be handled as a Deployment: no kind "Thing" is registered for version "v1" in scheme /,
    );
    assert.equal(
      refusal(native('autoscaling', 'v2', 'HorizontalPodAutoscaler'), {
        apiVersion: 'autoscaling/v1',
        kind: 'HorizontalPodAutoscaler',
      }),
      'the API version in the data (autoscaling/v1) does not match the expected API version (autoscaling/v2)',
    );
  });

  it('sets a missing kind and apiVersion', () => {
    const { apiVersion, kind } = decoded(deployment, {});
    assert.deepEqual({ apiVersion, kind }, { apiVersion: 'apps/v1', kind: 'Deployment' });
  });

  it('writes empty structs, but no nulls, empty lists and zeros without a meaning, like Go', () => {
    assert.deepEqual(
      decoded(deployment, {
        metadata: { name: 'a', labels: {}, creationTimestamp: null, finalizers: [] },
        spec: {
          paused: false,
          replicas: 0,
          minReadySeconds: 0,
          selector: {},
          template: {
            spec: { containers: [{ name: 'c', args: [], securityContext: {}, env: [{ name: 'E', value: '' }] }] },
          },
        },
      }),
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'a' },
        spec: {
          replicas: 0,
          selector: {},
          strategy: {},
          template: {
            metadata: {},
            spec: { containers: [{ name: 'c', resources: {}, securityContext: {}, env: [{ name: 'E' }] }] },
          },
        },
        status: {},
      },
    );
  });

  it('keeps an empty string in a pointer field: a Lease without a holder', () => {
    const lease = decoded(native('coordination.k8s.io', 'v1', 'Lease'), { spec: { holderIdentity: '' } });
    assert.deepEqual(lease['spec'], { holderIdentity: '' });
  });

  it('writes required lists and times as null', () => {
    assert.equal(decoded(native('rbac.authorization.k8s.io', 'v1', 'Role'), {})['rules'], null);
    const event = decoded(native('', 'v1', 'Event'), {});
    assert.deepEqual(
      {
        first: event['firstTimestamp'],
        time: event['eventTime'],
        source: event['source'],
        by: event['reportingComponent'],
      },
      { first: null, time: null, source: {}, by: '' },
    );
  });

  it('gives quantities their canonical form', () => {
    const limits = { a: '1000m', b: '0.5', c: '1024Mi', d: 2, e: '1e3', f: '100k', g: '1.5Gi', h: '-0', i: '0.1Ki' };
    const pod = decoded(native('', 'v1', 'Pod'), { spec: { containers: [{ name: 'c', resources: { limits } }] } });
    assert.deepEqual(pod['spec'].containers[0].resources.limits, {
      a: '1',
      b: '500m',
      c: '1Gi',
      d: '2',
      e: '1e3',
      f: '100k',
      g: '1536Mi',
      h: '0',
      i: '102400m',
    });
  });

  it('refuses invalid quantities, base64 and times', () => {
    const pod = native('', 'v1', 'Pod');
    assert.match(
      refusal(pod, { spec: { overhead: { cpu: 'lots' } } }),
      /^Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression /,
    );
    assert.equal(
      refusal(native('', 'v1', 'Secret'), { data: { a: 'no base64' } }),
      'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 2',
    );
    assert.match(
      refusal(pod, { metadata: { creationTimestamp: 'noon' } }),
      /parsing time "noon" as "2006-01-02T15:04:05Z07:00"/,
    );
  });

  it('cuts times to seconds, and to microseconds where the type has them', () => {
    const time = '2026-01-02T03:04:05.123456789+01:00';
    assert.equal(
      decoded(native('', 'v1', 'Pod'), { status: { startTime: time } })['status'].startTime,
      '2026-01-02T02:04:05Z',
    );
    const lease = decoded(native('coordination.k8s.io', 'v1', 'Lease'), { spec: { renewTime: time } });
    assert.equal(lease['spec'].renewTime, '2026-01-02T02:04:05.123456Z');
  });

  it('keeps a CRD schema as it is, with defaults that are zero and lists or booleans where JSON Schema allows them', () => {
    const openAPIV3Schema = {
      type: 'object',
      properties: {
        a: { type: 'array', items: { type: 'integer', default: 0 } },
        b: { type: 'object', additionalProperties: true },
        c: { type: 'string', default: '', enum: ['', 'x'] },
      },
    };
    const crd = decoded(native('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition'), {
      spec: {
        group: 'g',
        names: { kind: 'K', plural: 'ks' },
        scope: 'Cluster',
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    });
    assert.deepEqual(crd['spec'].versions[0].schema.openAPIV3Schema, openAPIV3Schema);
  });

  it('reads YAML if the content type says so', () => {
    const body = bytes('apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 3\n');
    assert.equal(decode(deployment, body, { validation: 'Strict', yaml: true }).object['spec'].replicas, 3);
  });

  it('accepts an object from the same process', () => {
    assert.equal(decode(deployment, { spec: { replicas: 2 } }, { validation: 'Strict' }).object['spec'].replicas, 2);
  });
});

describe('decoding a custom resource', () => {
  const widget = custom({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { 'x-kubernetes-int-or-string': true },
          free: {
            type: 'object',
            'x-kubernetes-preserve-unknown-fields': true,
            properties: { known: { type: 'object', properties: {} } },
          },
          rows: { type: 'array', items: { type: 'object', properties: { id: { type: 'string' } } } },
          byName: { type: 'object', additionalProperties: { type: 'object', properties: { n: { type: 'integer' } } } },
          whole: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
        },
      },
    },
  });
  const head = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' } };

  it('keeps the fields of the schema, and reports the others by path, sorted', () => {
    const spec = {
      zoo: 1,
      size: '10%',
      free: { any: { thing: 1 }, known: { lost: 1 } },
      rows: [{ id: 'x', more: 1 }],
      byName: { k: { n: 1, m: 2 } },
      whole: { apiVersion: 'v1', kind: 'X', metadata: { name: 'y' }, spec: { z: 1 } },
    };
    const { object, warnings } = decode(widget, bytes({ ...head, spec }), { validation: 'Warn' });
    assert.deepEqual(object['spec'], {
      size: '10%',
      free: { any: { thing: 1 }, known: {} },
      rows: [{ id: 'x' }],
      byName: { k: { n: 1 } },
      whole: { apiVersion: 'v1', kind: 'X', metadata: { name: 'y' }, spec: {} },
    });
    assert.deepEqual(
      warnings,
      ['spec.byName.k.m', 'spec.free.known.lost', 'spec.rows[0].more', 'spec.whole.spec.z', 'spec.zoo'].map(
        (path) => `unknown field "${path}"`,
      ),
    );
  });

  it('reads metadata like that of native kinds', () => {
    assert.equal(
      refusal(widget, { ...head, metadata: { labels: { a: 1 } } }),
      'Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
    );
    const { object, warnings } = decode(widget, bytes({ ...head, metadata: { name: 'a', nick: 'b' } }), {
      validation: 'Warn',
    });
    assert.deepEqual([object.metadata, warnings], [{ name: 'a' }, ['unknown field "metadata.nick"']]);
  });

  it('requires kind and apiVersion', () => {
    assert.equal(
      refusal(widget, '{"spec":{}}'),
      `the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '{"spec":{}}' ({"spec":{}})`,
    );
    assert.equal(
      refusal(widget, { kind: 'Widget' }),
      'the API version in the data () does not match the expected API version (example.com/v1)',
    );
  });

  it('refuses another version of its group', () => {
    assert.equal(
      refusal(widget, { ...head, apiVersion: 'example.com/v2' }),
      'the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)',
    );
  });
});

describe('the generated schemas', () => {
  it('match the output of the generator for the installed client', () => {
    const generator = fileURLToPath(new URL('../../src/schema/generate.ts', import.meta.url));
    execFileSync(process.execPath, [generator, '--check'], { stdio: 'pipe', timeout: 9000 });
  });
});
