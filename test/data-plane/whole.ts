// The embedded cluster with the chart and the program on it, and both gateways in front of the same Pods.
import { LEASES } from '../../src/api/resources.ts';
import type { ApiClient } from '../../src/kube/client.ts';
import { pathOf } from '../../src/kube/path.ts';
import type { Client } from '../e2e/harness/client.ts';
import { RELEASE_NAMESPACE, startCluster, type Cluster } from '../e2e/harness/cluster.ts';
import { apiOf, FLAGS, installDefinitions, startFront, type Front, type Outside } from './stage.ts';

export const GATEWAYS = ['envoy', 'traefik'] as const;
export type GatewayName = (typeof GATEWAYS)[number];

export interface Whole {
  readonly client: Client;
  readonly api: ApiClient;
  readonly fronts: Readonly<Record<GatewayName, Front>>;
  /** Kills the program with SIGKILL, so that it gives nothing up. */
  kill(): Promise<void>;
  /** Starts it again, as the leader. */
  revive(): Promise<void>;
  close(): Promise<void>;
}

export async function startWhole(outside: Outside): Promise<Whole> {
  const cluster = await startCluster({
    readyMs: 200,
    sandboxFlags: FLAGS,
    prepare: (client) => installDefinitions(client, outside.definitions),
    chartValues: ['traffic.gatewayAPI.enabled=true'],
    programFlags: ['--gateway-api=true'],
  });
  const { client } = cluster;
  const api = await apiOf(client.kubeconfig);
  const [envoy, traefik] = [
    await startFront('envoy', { client, api }, outside, { name: 'envoy' }),
    await startFront('traefik', { client, api }, outside, { name: 'traefik' }),
  ];
  return {
    client,
    api,
    fronts: { envoy, traefik },
    kill: () => cluster.killProgram(),
    async revive() {
      // The one that was killed has not given the lead up.
      await api
        .request({
          method: 'DELETE',
          path: pathOf(LEASES, { namespace: RELEASE_NAMESPACE, name: 'tranche' }),
        })
        .catch(() => undefined);
      await cluster.startProgram();
    },
    async close() {
      await envoy.stop();
      await traefik.stop();
      api.close();
      await stopAll(cluster);
    },
  };
}

async function stopAll({ services }: Cluster): Promise<void> {
  for (const service of [...services].reverse()) await service.stop();
}
