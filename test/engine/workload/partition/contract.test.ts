// The kinds of OpenKruise keep the contract of a workload kind.
import {
  advancedDaemonSetKind,
  advancedDaemonSetShape,
} from '../../../../src/engine/workload/advanced-daemonset/kind.ts';
import {
  advancedStatefulSetKind,
  advancedStatefulSetShape,
} from '../../../../src/engine/workload/advanced-statefulset/kind.ts';
import { cloneSetKind, cloneSetShape } from '../../../../src/engine/workload/cloneset/kind.ts';
import { EVERY } from '../../../../src/engine/workload/partition/shape.ts';
import { contract } from '../contract.ts';
import { benchOf } from './bench.ts';

const strategy = (fields: object): object => ({ updateStrategy: fields });
const rolling = (fields: object): object => strategy({ type: 'RollingUpdate', rollingUpdate: fields });
const revisions = (version: string, old: number): object => ({
  updateRevision: `web-${version}`,
  currentRevision: old === 0 ? `web-${version}` : 'web-v1',
});

contract(
  'a CloneSet',
  benchOf({
    kind: cloneSetKind,
    shape: cloneSetShape,
    users: [
      { what: 'no partition', spec: strategy({ maxUnavailable: 1 }) },
      { what: 'no strategy', spec: {} },
      { what: 'an empty strategy', spec: strategy({}) },
      { what: 'a partition of 0', spec: strategy({ partition: 0, paused: false }) },
      { what: 'a partition of 3', spec: strategy({ partition: 3 }) },
      { what: 'a percentage', spec: strategy({ partition: '25%' }) },
      { what: 'a pause', spec: strategy({ paused: true }), paused: true },
    ],
    status: (version, _pods, old) => revisions(version, old),
    label: (version) => `web-${version}`,
  }),
);

contract(
  'an Advanced StatefulSet',
  benchOf({
    kind: advancedStatefulSetKind,
    shape: advancedStatefulSetShape,
    users: [
      { what: 'no partition', spec: rolling({}) },
      { what: 'no strategy', spec: {} },
      { what: 'no fields of rolling updates', spec: strategy({ type: 'RollingUpdate' }) },
      { what: 'a partition of 3', spec: rolling({ partition: 3, podUpdatePolicy: 'InPlaceIfPossible' }) },
      { what: 'unordered updates', spec: { ...rolling({ unorderedUpdate: {} }), podManagementPolicy: 'Parallel' } },
      { what: 'a pause', spec: rolling({ paused: true, partition: EVERY }), paused: true },
    ],
    status: (version, _pods, old) => revisions(version, old),
    label: (version) => `web-${version}`,
  }),
);

contract(
  'an Advanced DaemonSet',
  benchOf({
    kind: advancedDaemonSetKind,
    shape: advancedDaemonSetShape,
    users: [
      { what: 'no partition', spec: rolling({}) },
      { what: 'no strategy', spec: {} },
      { what: 'a partition of 3', spec: rolling({ partition: 3, maxSurge: 1 }) },
      { what: 'a percentage', spec: rolling({ partition: '30%' }) },
      { what: 'a pause', spec: rolling({ paused: true }), paused: true },
    ],
    status: (version, pods) => ({ daemonSetHash: version, desiredNumberScheduled: pods }),
    label: (version) => version,
  }),
);
