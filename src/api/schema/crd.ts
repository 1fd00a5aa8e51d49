// The CustomResourceDefinitions of Rollout and TrafficRouting. The chart adds the conversion webhook of Rollout, because only the chart knows its address.
import { GROUP } from '../keys.ts';
import type { JsonSchema } from './json-schema.ts';
import { trafficRouting } from './traffic.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from './rollout.ts';

const wide = (name: string, type: string, description: string, jsonPath: string): object => ({
  name,
  type,
  description,
  jsonPath,
  priority: 1,
});

/** The same printer columns as in OpenKruise, and with `-o wide` (priority 1) some of ours. `step` and `workload`: paths of these fields. */
const columns = (step: string, workload: string): readonly object[] => [
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
  wide('WORKLOAD', 'string', 'Name of the workload.', `${workload}.name`),
  wide('NEW_PODS', 'integer', 'Number of Pods of the new version.', '.status.canaryStatus.canaryReplicas'),
  wide('NEW_READY', 'integer', 'Number of these Pods that are Ready.', '.status.canaryStatus.canaryReadyReplicas'),
  wide('RELEASE', 'string', 'Id of the release.', '.status.canaryStatus.observedRolloutID'),
];

const version = (name: string, storage: boolean, schema: JsonSchema, step: string, workload: string): object => ({
  name,
  served: true,
  storage,
  additionalPrinterColumns: columns(step, workload),
  schema: { openAPIV3Schema: schema },
  subresources: { status: {} },
});

export const ROLLOUT_CRD_NAME = `rollouts.${GROUP}`;

export const rolloutCrdSpec = {
  group: GROUP,
  scope: 'Namespaced',
  names: { kind: 'Rollout', listKind: 'RolloutList', plural: 'rollouts', singular: 'rollout' },
  versions: [
    version('v1beta1', true, rolloutV1beta1, '.status', '.spec.workloadRef'),
    version('v1alpha1', false, rolloutV1alpha1, '.status.canaryStatus', '.spec.objectRef.workloadRef'),
  ],
};

export const TRAFFIC_ROUTING_CRD_NAME = `trafficroutings.${GROUP}`;

/** OpenKruise has this version only. */
export const trafficRoutingCrdSpec = {
  group: GROUP,
  scope: 'Namespaced',
  names: {
    kind: 'TrafficRouting',
    listKind: 'TrafficRoutingList',
    plural: 'trafficroutings',
    singular: 'trafficrouting',
  },
  versions: [
    {
      name: 'v1alpha1',
      served: true,
      storage: true,
      additionalPrinterColumns: [
        { name: 'STATUS', type: 'string', description: 'Phase of the TrafficRouting.', jsonPath: '.status.phase' },
        { name: 'MESSAGE', type: 'string', description: 'What happens now.', jsonPath: '.status.message' },
        { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
      schema: { openAPIV3Schema: trafficRouting },
      subresources: { status: {} },
    },
  ],
};
