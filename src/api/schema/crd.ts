// The CustomResourceDefinition of Rollout. The chart adds the conversion webhook, because only the chart knows its address.
import { GROUP } from '../keys.ts';
import type { JsonSchema } from './json-schema.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from './rollout.ts';

/** The same printer columns as in OpenKruise. */
const columns = (step: string): readonly object[] => [
  { name: 'STATUS', type: 'string', description: 'Phase of the Rollout.', jsonPath: '.status.phase' },
  { name: 'CANARY_STEP', type: 'integer', description: 'Number of the step.', jsonPath: `${step}.currentStepIndex` },
  { name: 'CANARY_STATE', type: 'string', description: 'State of the step.', jsonPath: `${step}.currentStepState` },
  {
    name: 'MESSAGE',
    type: 'string',
    description: 'What happens now, and what the release waits for.',
    jsonPath: '.status.message',
  },
  { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

const version = (name: string, storage: boolean, schema: JsonSchema, step: string): object => ({
  name,
  served: true,
  storage,
  additionalPrinterColumns: columns(step),
  schema: { openAPIV3Schema: schema },
  subresources: { status: {} },
});

export const ROLLOUT_CRD_NAME = `rollouts.${GROUP}`;

export const rolloutCrdSpec = {
  group: GROUP,
  scope: 'Namespaced',
  names: { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout' },
  versions: [
    version('v1beta1', true, rolloutV1beta1, '.status'),
    version('v1alpha1', false, rolloutV1alpha1, '.status.canaryStatus'),
  ],
};
