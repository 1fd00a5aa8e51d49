// The requests in an audit log.
import assert from 'node:assert/strict';
import { allWrites, ownRequests, requestsIn } from '../../../../tools/bench/plane/audit.ts';

const USER = 'system:serviceaccount:tranche-system:tranche';
const OWN = { user: USER, name: 'tranche' };
const line = (username: string, verb: string, resource: string, subresource?: string, stage?: string): string =>
  JSON.stringify({
    stage: stage ?? (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete'),
    verb,
    user: { username },
    objectRef: { resource, ...(subresource && { subresource }) },
  });

describe('the requests in an audit log', () => {
  const controller = 'system:serviceaccount:kube-system:replicaset-controller';
  const counted = requestsIn(
    [
      line(USER, 'patch', 'deployments'),
      line(USER, 'patch', 'deployments'),
      line(USER, 'list', 'pods'),
      line(USER, 'watch', 'pods'),
      // It began in another measurement.
      line(USER, 'watch', 'pods', undefined, 'ResponseComplete'),
      line(USER, 'patch', 'rollouts', 'status'),
      line(USER, 'patch', 'leases'),
      line(controller, 'create', 'pods'),
      line(controller, 'list', 'pods'),
      line('system:kube-controller-manager', 'update', 'configmaps'),
      line('bench', 'patch', 'deployments'),
      line('system:apiserver', 'create', 'services'),
    ],
    OWN,
  );

  it('are those of the program, and the writes of native controllers, without leases', () => {
    assert.deepEqual(counted, {
      'tranche patch deployments': 2,
      'tranche list pods': 1,
      'tranche watch pods': 1,
      'tranche patch rollouts/status': 1,
      'replicaset-controller create pods': 1,
      'controller-manager update configmaps': 1,
    });
  });

  it('have the name of the program that is measured', () => {
    const other = { user: 'system:serviceaccount:argo-rollouts:argo-rollouts', name: 'argo-rollouts' };
    const lines = [
      line(other.user, 'get', 'replicasets'),
      line(other.user, 'patch', 'rollouts', 'status'),
      line(USER, 'get', 'pods'),
    ];
    const counts = requestsIn(lines, other);
    assert.deepEqual(counts, { 'argo-rollouts get replicasets': 1, 'argo-rollouts patch rollouts/status': 1 });
    assert.equal(ownRequests(counts, other), 2);
    assert.equal(allWrites(counts), 1);
  });

  it('are counted together', () => {
    assert.equal(ownRequests(counted, OWN), 5);
    assert.equal(allWrites(counted), 5);
  });
});
