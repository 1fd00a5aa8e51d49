// Owners of the borrowed fields of a Deployment.
import { fieldOwners } from '../field-owners.ts';
import type { Settings } from './hold.ts';

export type Field = keyof Settings;

export const deploymentFields = fieldOwners<Field>('apps/v1', {
  paused: ['f:spec', 'f:paused'],
  maxSurge: ['f:spec', 'f:strategy', 'f:rollingUpdate', 'f:maxSurge'],
  maxUnavailable: ['f:spec', 'f:strategy', 'f:rollingUpdate', 'f:maxUnavailable'],
  minReadySeconds: ['f:spec', 'f:minReadySeconds'],
  progressDeadlineSeconds: ['f:spec', 'f:progressDeadlineSeconds'],
});

export const { readOwners, ownersNow, ownersAfter, withOwners } = deploymentFields;
