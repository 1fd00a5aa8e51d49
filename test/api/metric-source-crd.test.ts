// The CRD of MetricSources on an API server: what is refused, in words, and what is not.
import assert from 'node:assert/strict';
import { realClock } from '@tranche/sandbox/clock';
import { Cluster } from '@tranche/sandbox/cluster';
import { ApiError } from '@tranche/sandbox/types';
import { TOKEN_FOLDER } from '../../src/api/keys.ts';
import { METRIC_SOURCE_CRD_NAME, metricSourceCrdSpec } from '../../src/api/schema/metric-source.ts';
import { METRIC_SOURCE_EXAMPLES } from '../../tools/generate/fields-examples.ts';

const COLLECTION = '/apis/tranche.dev/v1alpha1/metricsources';
const url = 'http://prometheus.monitoring:9090';

describe('a MetricSource', () => {
  let cluster: Cluster;
  let count = 0;

  before(async () => {
    cluster = new Cluster({ clock: realClock });
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: METRIC_SOURCE_CRD_NAME },
      spec: metricSourceCrdSpec,
    };
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
    for (const deadline = Date.now() + 5_000; ;) {
      try {
        await cluster.client().request('GET', COLLECTION);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  });

  const post = (path: string, body: object): Promise<unknown> =>
    cluster.client().request('POST', path, { type: 'application/json', body });
  /** The refusal. Empty if it was accepted. */
  async function refusal(spec: unknown): Promise<string> {
    const metadata = { name: `s${++count}` };
    try {
      await post(COLLECTION, { apiVersion: 'tranche.dev/v1alpha1', kind: 'MetricSource', metadata, spec });
      return '';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error.message;
    }
  }
  const prometheus = (more: object): object => ({ prometheus: { url, ...more } });
  const at = (address: string): object => ({ prometheus: { url: address } });
  const service = { namespace: 'monitoring', name: 'prometheus', port: 9090 };

  for (const [path, examples] of Object.entries(METRIC_SOURCE_EXAMPLES))
    for (const [index, example] of examples.entries())
      it(`is accepted as in the example ${index + 1} of ${path}`, async () => {
        assert.equal(await refusal((example as { spec: unknown }).spec), '');
      });

  for (const address of ['https://mimir.example.org/prometheus', 'http://10.0.0.1:9090/', 'http://[fd00::1]:9090/a@b'])
    it(`is accepted with the address ${address}`, async () => assert.equal(await refusal(at(address)), ''));

  for (const [what, spec, expected] of [
    ['no source', {}, /exactly one of prometheus and web is required/],
    ['two sources', { prometheus: { url }, web: { url } }, /exactly one of prometheus and web is required/],
    ['no address', { prometheus: {} }, /exactly one of url and service is required/],
    ['two addresses', prometheus({ service }), /exactly one of url and service is required/],
    ...[
      'prometheus:9090',
      'ftp://a',
      'http://',
      'http:///x',
      'http://u:p@a',
      'http://u@a/',
      'http://a\\@b',
      'http://a?x',
      'http://a/?x',
      'http://a/#x',
      'http://a b',
      ' http://a',
      'http://a\nb',
    ].map(
      (address) =>
        [
          `the address ${JSON.stringify(address)}`,
          at(address),
          /must start with http:\/\/ or https:\/\/ and have no user name/,
        ] as const,
    ),
    ['a port 0', { web: { service: { ...service, port: 0 } } }, /port.*greater than or equal to 1/],
    [
      'another scheme',
      { web: { service: { ...service, scheme: 'ftp' } } },
      /scheme.*supported values: "http", "https"/,
    ],
    [
      'a path without a slash',
      { web: { service: { ...service, path: 'a' } } },
      /path.*must start with \/ and have no query/,
    ],
    ['a Service with a path in its name', { web: { service: { ...service, name: 'a/b' } } }, /name.*should match/],
    ['a bad name of a header', prometheus({ headers: { 'X Y': 'a' } }), /names of headers have up to 64 letters/],
    ['a line break in a header', prometheus({ headers: { X: 'a\r\nY: b' } }), /values of headers have printable ASCII/],
    ['a Host header', prometheus({ headers: { hOst: 'a' } }), /Host, Connection, .* cannot be set/],
    [
      'an Authorization header',
      prometheus({ headers: { Authorization: 'a' } }),
      /write a token or a password into a Secret/,
    ],
    [
      '21 headers',
      prometheus({ headers: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, ''])) }),
      /must have at most 20 (items|properties)/,
    ],
    [
      'a parameter of ours',
      prometheus({ parameters: { query: 'up' } }),
      /query, start, end, step and timeout cannot be set/,
    ],
    ['a bad name of a parameter', prometheus({ parameters: { 'a b': '' } }), /names of parameters/],
    ['a label that is PromQL', prometheus({ namespaceLabel: 'a=~".*",b' }), /must be the name of a label/],
    ['a Pod label that is PromQL', prometheus({ podLabel: 'pod) (up' }), /must be the name of a label/],
    ['a timeout of 0', prometheus({ timeoutSeconds: 0 }), /timeoutSeconds.*greater than or equal to 1/],
    ['a timeout of 61', prometheus({ timeoutSeconds: 61 }), /timeoutSeconds.*less than or equal to 60/],
    ...[
      '/var/run/secrets/kubernetes.io/serviceaccount/token',
      `${TOKEN_FOLDER}../x`,
      `${TOKEN_FOLDER}..`,
      TOKEN_FOLDER,
      'a',
      '/tls/tls.key',
    ].map(
      (file) =>
        [
          `the file ${file}`,
          prometheus({ bearerTokenFile: file }),
          /must be a file in \/var\/run\/secrets\/tranche\.dev\//,
        ] as const,
    ),
  ] as const)
    it(`is refused with ${what}`, async () => assert.match(await refusal(spec), expected));

  it('is accepted with headers and parameters as they are usual', async () => {
    const headers = { 'X-Scope-OrgID': '{{namespace}}', 'X-Grafana-Org-Id': '1' };
    const parameters = { partial_response: 'false', 'replicaLabels[]': 'replica', extra_label: 'a=b' };
    assert.equal(await refusal(prometheus({ headers, parameters })), '');
  });
});
