// The requests in an audit log.
import assert from 'node:assert/strict';
import { allWrites, ownRequests, requestsIn } from '../../../../tools/bench/plane/audit.ts';

const OWN = 'system:serviceaccount:tranche-system:tranche';
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
      line(OWN, 'patch', 'deployments'),
      line(OWN, 'patch', 'deployments'),
      line(OWN, 'list', 'pods'),
      line(OWN, 'watch', 'pods'),
      // It began in another measurement.
      line(OWN, 'watch', 'pods', undefined, 'ResponseComplete'),
      line(OWN, 'patch', 'rollouts', 'status'),
      line(OWN, 'patch', 'leases'),
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

  it('are counted together', () => {
    assert.equal(ownRequests(counted), 5);
    assert.equal(allWrites(counted), 5);
  });
});
