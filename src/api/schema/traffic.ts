// Schemas of the traffic fields, which are OpenKruise's. Some are not supported, but with a schema they are refused with a message and not silently
// dropped.
import { API_VERSION, KIND_NAME, LABEL_NAME, OPTIONAL_SUBDOMAIN_NAME, SUBDOMAIN_NAME } from '../names.ts';
import { flag, int32, int64, list, nameText, object, stringMap, text, time, type JsonSchema } from './json-schema.ts';

const name = text('Name.', { minLength: 1, maxLength: 256 });
const MAX_ITEMS = 16;

const header = object(
  'A header.',
  { name, value: text('Value.', { minLength: 1, maxLength: 4096 }) },
  { required: ['name', 'value'] },
);
const headers = (description: string): JsonSchema =>
  list(description, header, {
    maxItems: MAX_ITEMS,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
  });

const keyMatch = (description: string): JsonSchema =>
  object(
    description,
    {
      type: text('Type of the comparison.', { enum: ['Exact', 'RegularExpression'] }),
      name,
      value: text('Value.', { minLength: 1, maxLength: 4096 }),
    },
    { required: ['name', 'value'] },
  );

const headerMatches = list('Header matches.', keyMatch('A header match.'), { maxItems: MAX_ITEMS });

export const requestHeaderModifier = object('Changes the headers of the requests that match. Requires matches.', {
  add: headers('Headers to add.'),
  set: headers('Headers to set.'),
  remove: list('Headers to remove.', text('Name.', { maxLength: 256 }), {
    maxItems: MAX_ITEMS,
    'x-kubernetes-list-type': 'set',
  }),
});

export const matchesV1alpha1 = list(
  'The requests that the new version gets in this step, instead of a share of all requests. A request must fulfil all parts of one match. Requires trafficRoutings.',
  object('A match.', { headers: headerMatches }),
  { maxItems: MAX_ITEMS },
);

const match = object('A match.', {
  path: object('A path match.', {
    type: text('Type of the comparison.', { enum: ['Exact', 'PathPrefix', 'RegularExpression'] }),
    value: text('Path.', { maxLength: 1024 }),
  }),
  headers: headerMatches,
  queryParams: list('Query parameter matches.', keyMatch('A query parameter match.'), { maxItems: MAX_ITEMS }),
});

export const matchesV1beta1 = list(
  'The requests that the new version gets in this step, instead of a share of all requests. A request must fulfil all parts of one match. Requires trafficRoutings.',
  match,
  { maxItems: MAX_ITEMS },
);

const routing = (service: string): JsonSchema =>
  object(
    'A traffic routing.',
    {
      service: nameText(service, LABEL_NAME),
      gracePeriodSeconds: int32(
        'Seconds that proxies need to follow a change of the route or of a Service. Default 3. With a load balancer of a cloud provider, write 60.',
      ),
      ingress: object(
        'An Ingress. Refused: not supported yet.',
        { classType: text('Type of the Ingress controller.'), name: nameText('Name of the Ingress.', SUBDOMAIN_NAME) },
        { required: ['name'] },
      ),
      gateway: object('A route of the Gateway API: one of the two names.', {
        httpRouteName: nameText('Name of an HTTPRoute in the same namespace.', OPTIONAL_SUBDOMAIN_NAME),
        grpcRouteName: nameText('Name of a GRPCRoute in the same namespace.', OPTIONAL_SUBDOMAIN_NAME),
      }),
      customNetworkRefs: list(
        'Other network objects. Refused: not supported yet.',
        object(
          'An object.',
          {
            apiVersion: nameText('API version.', API_VERSION),
            kind: nameText('Kind.', KIND_NAME),
            name: nameText('Name.', SUBDOMAIN_NAME),
          },
          { required: ['apiVersion', 'kind', 'name'] },
        ),
        { maxItems: MAX_ITEMS },
      ),
    },
    { required: ['service'] },
  );

export const trafficRoutings = list(
  'The route that sends requests to the workload, at most one. Without it, each Pod gets its share of the requests.',
  routing('The Service of the workload, in the same namespace, that the route sends requests to.'),
  { maxItems: MAX_ITEMS },
);

const strategy = object('Which requests get other headers. They go to the same Services as before.', {
  weight: int32('Refused without matches: a share of the requests would go to the same Service.'),
  matches: list('The requests. A request must fulfil all parts of one match. Required.', match, {
    maxItems: MAX_ITEMS,
  }),
  requestHeaderModifier: { ...requestHeaderModifier, description: 'The change of their headers. Required.' },
});

export const trafficRouting: JsonSchema = {
  description:
    'A TrafficRouting changes headers of some requests of a route, while a Rollout that names it has a release in progress.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec: object(
      'The route, and the requests.',
      {
        objectRef: list(
          'The route, exactly one.',
          routing('The Service, in the same namespace, whose rules of the route are meant.'),
          { maxItems: MAX_ITEMS },
        ),
        strategy,
      },
      { required: ['objectRef', 'strategy'] },
    ),
    status: object('What happens. The operator writes it.', {
      observedGeneration: int64('Generation of the TrafficRouting that this status describes.'),
      phase: text('Initial, Healthy, Progressing, Finalizing or Terminating.'),
      message: text('What happens now.'),
      route: object(
        'The route that is changed.',
        { kind: text('HTTPRoute or GRPCRoute.'), name: text('Its name.') },
        { required: ['kind', 'name'] },
      ),
    }),
  },
};

export const patchPodTemplateMetadata = object(
  'Metadata for the canary Pods. Refused: extra canary workloads are not supported yet.',
  {
    labels: stringMap('Labels.'),
    annotations: stringMap('Annotations.'),
  },
);

export const disableGenerateCanaryService = flag(
  'true: no canary Service is created. Ignored: without trafficRoutings, there is none; with trafficRoutings, this is refused.',
);

/** `status.canaryStatus.traffic`. */
export const trafficStatus = object(
  'What the routes do for this release. Absent if it has routed no traffic yet.',
  {
    mode: text(
      'Shared: the Service of the Rollout also sends requests to new Pods. Apart: each version has a Service of its own.',
    ),
    state: text('What is being done: Pin, Unroute, Warm, Refer, Shift, Watch or Retreated.'),
    weight: int32(
      'What the routes give the new version besides its share of a shared Service, in thousandths of the requests.',
    ),
    since: time('When the state began, or when the routes were observed.'),
    routeGeneration: int64('Generation of the route that its controller has observed.'),
    step: int32('Step whose requests the route sends, from 1. 0 if it is none.'),
    service: text('Name of the Service of the Rollout.'),
    route: object('The route that is changed.', { kind: text('HTTPRoute or GRPCRoute.'), name: text('Its name.') }),
    graceSeconds: int32('How long proxies have to follow a change, in seconds.'),
  },
  { required: ['mode', 'state', 'weight', 'since'] },
);
