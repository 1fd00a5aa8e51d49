// The scenarios of what the API server refuses that were recorded on a real cluster.
import { DAEMON, OFF, SET, createDaemon, createSet, invalid, patch, rolling, spec } from './steps.ts';
import type { Scenario } from './run.ts';

export const validation: Scenario[] = [
  {
    name: 'sts-validation',
    kind: 'StatefulSet',
    whole: true,
    steps: [
      ...invalid(createSet, {
        'a policy': { podManagementPolicy: 'X' },
        'a strategy': { updateStrategy: { type: 'X' } },
        'a partition of OnDelete': { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } },
        'a negative partition': rolling({ partition: -1 }),
        'negative numbers': { replicas: -1, minReadySeconds: -1, ordinals: { start: -1 } },
        'a retention policy': { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'X', whenScaled: 'Y' } },
        'a service name': { serviceName: 'Web.1' },
        'no selector': { selector: null },
        'an empty selector': { selector: {} },
        'another selector': { selector: { matchLabels: { app: 'other' } } },
        'a deadline': {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { activeDeadlineSeconds: 1, containers: [{ name: 'web', image: 'web:1' }] },
          },
        },
        'a restart policy': {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { restartPolicy: 'Never', containers: [{ name: 'web', image: 'web:1' }] },
          },
        },
        'an unknown volume': {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: {
              containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
            },
          },
        },
        'a claim without size': { replicas: 0, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] },
      }),
      {
        ...createSet({
          replicas: 0,
          revisionHistoryLimit: -1,
          template: {
            metadata: { labels: { app: 'web' } },
            spec: {
              hostname: 'Not_A_Host',
              containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
            },
          },
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          ],
        }),
        do: 'a volume of a claim',
      },
      spec('another service', SET, { serviceName: 'other' }),
      spec('what may change', SET, {
        replicas: 0,
        minReadySeconds: 1,
        ordinals: { start: 2 },
        revisionHistoryLimit: 3,
        persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete' },
      }),
      spec('no strategy', SET, { updateStrategy: null }),
      patch('a status', `${SET}/status`, {
        status: {
          readyReplicas: 1,
          currentReplicas: 2,
          updatedReplicas: 3,
          availableReplicas: 4,
          observedGeneration: -1,
        },
      }),
      patch('fewer collisions', `${SET}/status`, { status: { collisionCount: -1 } }),
    ],
  },
  {
    name: 'ds-validation',
    kind: 'DaemonSet',
    whole: true,
    steps: [
      ...invalid(createDaemon, {
        'a strategy': { updateStrategy: { type: 'X' } },
        'two moves': rolling({ maxUnavailable: 1, maxSurge: 1 }),
        'no move': rolling({ maxUnavailable: 0 }),
        'a percentage': rolling({ maxUnavailable: '101%' }),
        'not a percentage': rolling({ maxUnavailable: 'x', maxSurge: -1 }),
        'negative numbers': { minReadySeconds: -1, revisionHistoryLimit: -1 },
        'no selector': { selector: null },
        'an empty selector': { selector: {} },
        'another selector': { selector: { matchLabels: { app: 'other' } } },
        'a deadline': {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { activeDeadlineSeconds: 1, containers: [{ name: 'web', image: 'web:1' }] },
          },
        },
        'a restart policy': {
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { restartPolicy: 'Never', containers: [{ name: 'web', image: 'web:1' }] },
          },
        },
      }),
      createDaemon({
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { nodeSelector: OFF, containers: [{ name: 'web', image: 'web:1' }] },
        },
      }),
      spec('another selector', DAEMON, { selector: { matchLabels: { app: 'other' } } }),
      spec('no strategy', DAEMON, { updateStrategy: null }),
      patch('a status', `${DAEMON}/status`, { status: { numberReady: -1, numberUnavailable: -2, collisionCount: -3 } }),
    ],
  },
];
