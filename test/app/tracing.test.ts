import assert from 'node:assert/strict';
import { ConfigError, readConfig } from '../../src/app/config.ts';
import type { TracingConfig } from '../../src/app/config-tracing.ts';

const inCluster = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

const read = (env: Record<string, string>, ...args: string[]): TracingConfig | undefined => {
  const config = readConfig(args, { ...inCluster, ...env });
  return config === 'help' ? assert.fail('help') : config.tracing;
};

describe('the configuration of tracing', () => {
  it('is nothing without an endpoint, when it is turned off, and for a drain', () => {
    assert.equal(read({}), undefined);
    assert.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }), undefined);
    assert.equal(read({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' }), undefined);
    assert.equal(read({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }), undefined);
    assert.equal(read(ENDPOINT, 'drain'), undefined);
  });

  it('needs no more than the endpoint', () => {
    const { url, ...rest } = read(ENDPOINT)!;
    assert.equal(url.href, 'http://collector:4318/v1/traces');
    assert.deepEqual(rest, { headers: {}, resource: { 'service.name': 'tranche' }, ratio: 1, parentBased: true });
  });

  it('takes what OpenTelemetry names', () => {
    const tracing = read({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://example.org/otlp/',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20YTpi, x-scope=shop',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,k8s.cluster.name=west%2C1',
      OTEL_SERVICE_NAME: 'releases',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    })!;
    assert.equal(tracing.url.href, 'https://example.org/otlp/v1/traces');
    assert.deepEqual(tracing.headers, { authorization: 'Basic YTpi', 'x-scope': 'shop' });
    assert.deepEqual(tracing.resource, { 'service.name': 'releases', 'k8s.cluster.name': 'west,1' });
    assert.deepEqual([tracing.ratio, tracing.parentBased], [0.25, false]);
  });

  it('takes what is said of traces alone before what is said of all signals, and as it is', () => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other:4318/spans' };
    assert.equal(read(env)?.url.href, 'http://other:4318/spans');
  });

  for (const [variable, value, complaint] of [
    [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'collector:4318',
      /ENDPOINT: Invalid value: "collector:4318": must be a URL such as http:\/\/HOST:4318/,
    ],
    [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'ftp://collector',
      /ENDPOINT: Invalid value: "ftp:\/\/collector": must be a URL such as http/,
    ],
    [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'http://me:s3cret@collector',
      /must not contain credentials: write them to OTEL_EXPORTER_OTLP_HEADERS/,
    ],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /PROTOCOL: Invalid value: "grpc": .*write http\/json/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b,s3cret', /entry 2 is not KEY=VALUE/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=s3cret%0Ab', /header "a"/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=s3cret', /header "a b"/],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%E0%A4%A', /entry 1 is not KEY=VALUE/],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', /SAMPLER: Invalid value: "jaeger_remote": must be one of always_on/],
  ] as const) {
    it(`refuses ${variable}=${value} in words, without what may be secret`, () => {
      assert.throws(
        () => read({ ...ENDPOINT, [variable]: value }),
        (error: unknown) =>
          error instanceof ConfigError && complaint.test(error.message) && !/s3cret/.test(error.message),
      );
    });
  }

  it('refuses a share that is none', () => {
    const env = { ...ENDPOINT, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '25%' };
    assert.throws(() => read(env), /OTEL_TRACES_SAMPLER_ARG: Invalid value: "25%": must be a number from 0 to 1/);
  });
});
