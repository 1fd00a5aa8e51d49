// Builders of StatefulSets and DaemonSets, for the tests of their controllers.
import type { KubeObject } from '../../src/core/types.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { template } from './support.ts';

const APPS = '/apis/apps/v1/namespaces/default';
const STRATEGIC = 'application/strategic-merge-patch+json';

export type Kind = 'statefulsets' | 'daemonsets';

const kinds = { statefulsets: 'StatefulSet', daemonsets: 'DaemonSet' };

export const create = (cluster: VirtualCluster, kind: Kind, spec: object = {}): Promise<KubeObject> =>
  cluster.client.request('POST', `${APPS}/${kind}`, {
    body: {
      apiVersion: 'apps/v1',
      kind: kinds[kind],
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, template: template('web:1'), ...spec },
    },
  });

export const patch = (cluster: VirtualCluster, kind: Kind, spec: object): Promise<KubeObject> =>
  cluster.client.request('PATCH', `${APPS}/${kind}/web`, { type: STRATEGIC, body: { spec } });

export const find = (cluster: VirtualCluster, kind: Kind): KubeObject =>
  cluster.cluster.store.get(`apps/${kind}`, 'default', 'web')!;

export const revisions = (cluster: VirtualCluster): readonly KubeObject[] =>
  cluster.cluster.store.list('apps/controllerrevisions', 'default');

export const images = (cluster: VirtualCluster): string[] =>
  cluster.pods().map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0].image}`);

export const deletePod = (cluster: VirtualCluster, name: string): Promise<KubeObject> =>
  cluster.client.request('DELETE', `/api/v1/namespaces/default/pods/${name}`);
