// Schemas of OpenKruise's traffic fields. They are not supported yet, but with a schema they are refused with a message and not silently dropped.
import { API_VERSION, KIND_NAME, LABEL_NAME, SUBDOMAIN_NAME } from '../names.ts';
import { flag, int32, list, nameText, object, stringMap, text, type JsonSchema } from './json-schema.ts';

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

export const requestHeaderModifier = object('Header changes. Refused: traffic routing is not supported yet.', {
  add: headers('Headers to add.'),
  set: headers('Headers to set.'),
  remove: list('Headers to remove.', text('Name.', { maxLength: 256 }), {
    maxItems: MAX_ITEMS,
    'x-kubernetes-list-type': 'set',
  }),
});

export const matchesV1alpha1 = list(
  'Requests to route to the new version. Refused: traffic routing is not supported yet.',
  object('A match.', { headers: headerMatches }),
  { maxItems: MAX_ITEMS },
);

export const matchesV1beta1 = list(
  'Requests to route to the new version. Refused: traffic routing is not supported yet.',
  object('A match.', {
    path: object('A path match.', {
      type: text('Type of the comparison.', { enum: ['Exact', 'PathPrefix', 'RegularExpression'] }),
      value: text('Path.', { maxLength: 1024 }),
    }),
    headers: headerMatches,
    queryParams: list('Query parameter matches.', keyMatch('A query parameter match.'), { maxItems: MAX_ITEMS }),
  }),
  { maxItems: MAX_ITEMS },
);

export const trafficRoutings = list(
  'Services and routes. Refused: traffic routing is not supported yet.',
  object(
    'A traffic routing.',
    {
      service: nameText('The stable Service.', LABEL_NAME),
      gracePeriodSeconds: int32('Seconds to wait after a change of the routes.'),
      ingress: object(
        'An Ingress.',
        { classType: text('Type of the Ingress controller.'), name: nameText('Name of the Ingress.', SUBDOMAIN_NAME) },
        { required: ['name'] },
      ),
      gateway: object('A Gateway API route.', { httpRouteName: nameText('Name of the HTTPRoute.', SUBDOMAIN_NAME) }),
      customNetworkRefs: list(
        'Other network objects.',
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
  ),
  { maxItems: MAX_ITEMS },
);

export const patchPodTemplateMetadata = object(
  'Metadata for the canary Pods. Refused: extra canary workloads are not supported yet.',
  {
    labels: stringMap('Labels.'),
    annotations: stringMap('Annotations.'),
  },
);

export const disableGenerateCanaryService = flag(
  'true: no canary Service is created. Ignored: traffic routing is not supported yet.',
);
