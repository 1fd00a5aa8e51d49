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
  /** The one that was killed has not given the lead up. */
  freeLead(): Promise<void>;
  /** Starts it, as the leader. Resolves when it is ready; rejects if it is killed before. */
  start(): Promise<void>;
  /** Frees the lead and starts it. */
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
  const lease = pathOf(LEASES, { namespace: RELEASE_NAMESPACE, name: 'tranche' });
  const freeLead = async (): Promise<void> =>
    void (await api.request({ method: 'DELETE', path: lease }).catch(() => undefined));
  return {
    client,
    api,
    fronts: { envoy, traefik },
    kill: () => cluster.killProgram(),
    freeLead,
    start: () => cluster.startProgram(),
    async revive() {
      await freeLead();
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
