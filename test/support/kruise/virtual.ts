// A kind of OpenKruise and the stand-in for its controller, in a cluster in virtual time. For tests only.
import { resource } from '@tranche/sandbox/resources';
import type { VirtualCluster } from '@tranche/sandbox/virtual';
import { groupOf } from '../../../src/api/resources.ts';
import type { WorkloadKind } from '../../../src/engine/workload/kind.ts';
import { startInVirtualTime } from './controllers.ts';

export const installKruise =
  ({ resource: { apiVersion, kind, plural } }: WorkloadKind) =>
  (virtual: VirtualCluster): void => {
    const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
    virtual.cluster.registry.add(
      resource(groupOf(apiVersion), apiVersion.split('/')[1]!, kind, plural, {
        custom: true,
        status: true,
        generation: true,
        strategicMerge: false,
        ...(plural !== 'daemonsets' && { scale }),
      }),
    );
    startInVirtualTime(virtual);
  };
