// Deployments keep the contract of a workload kind.
import { REPLICA_SETS } from '../../../../src/api/resources.ts';
import type { Deployment, Held } from '../../../../src/api/types.ts';
import { replicasOf, resolveLimits } from '../../../../src/engine/lib/replicas.ts';
import { isMarked } from '../../../../src/engine/workload/deployment/hold.ts';
import { deploymentKind } from '../../../../src/engine/workload/deployment/kind.ts';
import type { View } from '../../../../src/engine/workload/deployment/view.ts';
import { deployment, digest, pods, replicaSet } from '../../build.ts';
import { contract, type Bench } from '../contract.ts';

const limits = (rollingUpdate: object): object => ({ strategy: { type: 'RollingUpdate', rollingUpdate } });

const bench: Bench<Deployment, Held, View> = {
  kind: deploymentKind,
  children: [REPLICA_SETS],
  users: [
    { what: 'percents', spec: limits({ maxSurge: '25%', maxUnavailable: '25%' }) },
    { what: 'numbers', spec: { ...limits({ maxSurge: 2, maxUnavailable: 1 }), minReadySeconds: 5 } },
    { what: 'nothing at all', spec: { ...limits({}), progressDeadlineSeconds: undefined } },
    { what: 'no surge', spec: limits({ maxSurge: 0, maxUnavailable: '10%' }) },
    { what: 'nothing that may be missing', spec: limits({ maxSurge: '100%', maxUnavailable: 0 }) },
    { what: 'paused: false', spec: { ...limits({ maxSurge: 1 }), paused: false, minReadySeconds: 0 } },
    { what: 'paused: true', spec: { ...limits({ maxUnavailable: 1 }), paused: true }, paused: true },
  ],
  workload(version, replicas, { spec }) {
    const plain = deployment({ version, replicas });
    return JSON.parse(JSON.stringify({ ...plain, spec: { ...plain.spec, ...spec } })) as Deployment;
  },
  settled(workload, { updated, available, old }) {
    const marked = isMarked(workload);
    const version = digest(workload.spec.template);
    const counted = marked ? 0 : available;
    const made = replicaSet(version, { size: updated, marked, available: counted, ready: available });
    const sets = [replicaSet('v1', { size: old }), ...(updated > 0 && version !== 'v1' ? [made] : [])];
    const ready = pods(version, available);
    const late = pods(version, updated, { ready: null }).slice(available);
    const { generation = 0 } = workload.metadata;
    const status = {
      observedGeneration: generation,
      replicas: updated + old,
      updatedReplicas: updated,
      readyReplicas: available + old,
      availableReplicas: counted + old,
    };
    const children = { replicaSets: sets, pods: [...pods('v1', old), ...ready, ...late] };
    return { workload: { ...workload, status }, children };
  },
  granted(workload) {
    if (workload.spec.paused === true) return 0;
    const { maxSurge, maxUnavailable } = workload.spec.strategy?.rollingUpdate ?? {};
    const replicas = replicasOf(workload);
    const { surge, unavailable } = resolveLimits(maxSurge, maxUnavailable, replicas);
    return Math.min(replicas, surge + unavailable);
  },
};

contract('a Deployment', bench);
