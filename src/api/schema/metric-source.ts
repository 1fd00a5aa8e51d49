// JSON Schema and CustomResourceDefinition of MetricSource v1alpha1.
import { OWN_GROUP, TOKEN_FOLDER } from '../keys.ts';
import { LABEL_NAME, SUBDOMAIN_NAME } from '../names.ts';
import {
  flag,
  int32,
  labelSelector,
  nameText,
  object,
  stringMap,
  text,
  type CelRule,
  type JsonSchema,
} from './json-schema.ts';

const MAX_ENTRIES = 20;
const MAX_VALUE = 1024;

/** Without `@` and `\`, which could make what follows the host; without query and fragment, because a path is added. */
const URL_PATTERN = '^https?://[^@/?#\\\\\\s]+(/[^?#\\\\\\s]*)?$';
const PATH_PATTERN = '^/[^?#\\\\\\s]*$';
const TOKEN_PATTERN = `^${TOKEN_FOLDER.replaceAll('.', '[.]')}[A-Za-z0-9][-._A-Za-z0-9]{0,100}$`;

/** As a literal of CEL. */
const quoted = (pattern: string): string => `'${pattern.replaceAll('\\', '\\\\')}'`;
const matches = (pattern: string, message: string): { readonly 'x-kubernetes-validations': readonly CelRule[] } => ({
  'x-kubernetes-validations': [{ rule: `self.matches(${quoted(pattern)})`, message }],
});
const exactlyOne = (one: string, other: string): CelRule => ({
  rule: `has(self.${one}) != has(self.${other})`,
  message: `exactly one of ${one} and ${other} is required`,
});

const values = (what: string, rules: readonly CelRule[]): JsonSchema => ({
  ...stringMap(what),
  additionalProperties: { type: 'string', maxLength: MAX_VALUE },
  maxProperties: MAX_ENTRIES,
  'x-kubernetes-validations': rules,
});

const LABEL = '^[a-zA-Z_][a-zA-Z0-9_]*$';
const label = (what: string): JsonSchema =>
  text(what, {
    minLength: 1,
    maxLength: 128,
    ...matches(LABEL, 'must be the name of a label: letters, digits and _, and no digit first'),
  });

const service = (path: string): JsonSchema =>
  object(
    'A Service of the cluster. It replaces url.',
    {
      namespace: nameText('Namespace of the Service.', LABEL_NAME),
      name: nameText('Name of the Service.', LABEL_NAME),
      port: int32('Port of the Service.', { minimum: 1, maximum: 65_535 }),
      scheme: text('http or https. Default http.', { enum: ['http', 'https'] }),
      path: text(path, {
        minLength: 1,
        maxLength: MAX_VALUE,
        ...matches(PATH_PATTERN, 'must start with / and have no query, fragment, space or backslash'),
      }),
    },
    { required: ['namespace', 'name', 'port'] },
  );

const endpoint = (address: string, service: JsonSchema): Readonly<Record<string, JsonSchema>> => ({
  url: text(address, {
    minLength: 1,
    maxLength: MAX_VALUE,
    ...matches(
      URL_PATTERN,
      'must start with http:// or https:// and have no user name, query or fragment, for example http://prometheus.monitoring:9090; write user name and password into a Secret (secretName)',
    ),
  }),
  service,
  headers: values('HTTP headers of each request. {{namespace}} is replaced by the namespace of the Rollout.', [
    {
      rule: "self.all(name, name.matches('^[A-Za-z0-9-]{1,64}$'))",
      message: 'names of headers have up to 64 letters, digits and -, for example X-Scope-OrgID',
    },
    {
      rule: "self.all(name, self[name].matches('^[ -~]*$'))",
      message: 'values of headers have printable ASCII characters only',
    },
    {
      rule: "self.all(name, !(name.lowerAscii() in ['host', 'connection', 'content-length', 'content-type', 'transfer-encoding', 'authorization']))",
      message:
        'Host, Connection, Content-Length, Content-Type, Transfer-Encoding and Authorization cannot be set; write a token or a password into a Secret (secretName)',
    },
  ]),
  secretName: nameText(
    'Name of a Secret in the namespace of Tranche with token, or username and password; tls.crt and tls.key; ca.crt. The value analysis.secrets of the chart lists it.',
    SUBDOMAIN_NAME,
  ),
  bearerTokenFile: text(
    `File with a bearer token in ${TOKEN_FOLDER}, which the value analysis.tokens of the chart mounts. It is read before each request.`,
    {
      maxLength: MAX_VALUE,
      ...matches(TOKEN_PATTERN, `must be a file in ${TOKEN_FOLDER}, for example ${TOKEN_FOLDER}prometheus`),
    },
  ),
  timeoutSeconds: int32('Seconds to wait for an answer, 1 to 60. Default 10.', { minimum: 1, maximum: 60 }),
});
const oneAddress = { 'x-kubernetes-validations': [exactlyOne('url', 'service')] };

const prometheus = object(
  'Prometheus, or a server with its HTTP API: Thanos, Mimir, Cortex or VictoriaMetrics.',
  {
    ...endpoint(
      'Address, with the path of the API but without /api/v1, e.g. http://prometheus.monitoring:9090.',
      service('Path of the API, e.g. /prometheus. Default /.'),
    ),
    parameters: values('Further parameters of each query, e.g. partial_response: "false" for Thanos.', [
      {
        rule: "self.all(name, name.matches('^[A-Za-z0-9_.:-]{1,64}(\\\\[\\\\])?$'))",
        message: 'names of parameters have up to 64 letters, digits, _, ., : and -, and may end with []',
      },
      {
        rule: "self.all(name, !(name in ['query', 'start', 'end', 'step', 'timeout']))",
        message: 'query, start, end, step and timeout cannot be set, because each query has its own',
      },
    ]),
    enforceNamespace: flag(
      'true: each selector of a query gets a matcher for the namespace of the Rollout. Default true.',
    ),
    namespaceLabel: label('Label with the namespace. Default namespace.'),
    podLabel: label('Label with the name of the Pod. Default pod.'),
  },
  oneAddress,
);

const web = object(
  'A server with JSON documents, for the check value.web. It has current numbers only.',
  endpoint(
    'Address to which the path of the check is added, e.g. https://tests.example.org/results.',
    service('Path to which the path of the check is added. Default /.'),
  ),
  oneAddress,
);

const spec = object(
  'Where checks get their numbers. One of prometheus and web is required.',
  {
    prometheus,
    web,
    namespaceSelector: labelSelector('the namespaces whose Rollouts may use the source'),
  },
  { 'x-kubernetes-validations': [exactlyOne('prometheus', 'web')] },
);

export const metricSource: JsonSchema = {
  description: 'A MetricSource is a place from which the checks of Rollouts get their numbers.',
  type: 'object',
  required: ['spec'],
  properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, spec },
};

export const METRIC_SOURCE_CRD_NAME = `metricsources.${OWN_GROUP}`;

export const metricSourceCrdSpec = {
  group: OWN_GROUP,
  scope: 'Cluster',
  names: { kind: 'MetricSource', listKind: 'MetricSourceList', plural: 'metricsources', singular: 'metricsource' },
  versions: [
    {
      name: 'v1alpha1',
      served: true,
      storage: true,
      additionalPrinterColumns: [
        { name: 'PROMETHEUS', type: 'string', jsonPath: '.spec.prometheus.url' },
        { name: 'SERVICE', type: 'string', jsonPath: '.spec.prometheus.service.name' },
        { name: 'WEB', type: 'string', jsonPath: '.spec.web.url' },
        { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
      schema: { openAPIV3Schema: metricSource },
    },
  ],
};
