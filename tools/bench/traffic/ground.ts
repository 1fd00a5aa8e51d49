// Where traffic is measured: a cluster that counts the program's requests, the chart with traffic routing, the compiled program, and a stand-in for the
// controller of a gateway.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startSandbox } from '@tranche/sandbox';
import type { KubeObject } from '@tranche/sandbox/types';
import { NAMESPACES, PODS } from '../../../src/api/resources.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import { realClock as clock } from '../../../src/kube/clock.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { startController } from '../../../test/data-plane/gateway/controller.ts';
import { apiOf, GATEWAY, installDefinitions } from '../../../test/data-plane/stage.ts';
import { Client } from '../../../test/e2e/harness/client.ts';
import { installChart, operatorKubeconfig, RELEASE_NAMESPACE } from '../../../test/e2e/harness/cluster.ts';
import { watchRequests } from '../../../test/rights/grants.ts';
import { findGatewayApi } from '../../../test/support/gateway-api.ts';
import { freePort } from '../../../test/support/ports.ts';
import { temporaryFolder } from '../../../test/support/processes.ts';
import { OWN, type Requests } from '../plane/audit.ts';
import { auditReader } from '../plane/audit-log.ts';
import { startControlPlane } from '../plane/control-plane.ts';
import { OPERATOR_USER } from '../plane/install.ts';
import { startKubelet } from '../plane/kubelet.ts';
import { startProgramProcess, type ProgramProcess } from '../program.ts';

export const NAMESPACE = 'bench';
const CLIENTS = 20;
/** Until a Pod is Ready. */
export const READY_MS = 500;

export interface Ground {
  readonly api: ApiClient;
  readonly program: ProgramProcess;
  /** Of the program, since the last call, e.g. `tranche patch httproutes`. */
  requests(): Requests;
  stop(): Promise<void>;
}

interface Cluster {
  readonly kubeconfig: string;
  readonly requests: Ground['requests'];
  stop(): Promise<void>;
}

/** The embedded cluster, in this process. */
export async function embedded(): Promise<Cluster> {
  const sandbox = await startSandbox({ readyMs: READY_MS });
  const kubeconfig = path.join(temporaryFolder('bench-traffic'), 'kubeconfig');
  writeFileSync(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
  let counts: Record<string, number> = {};
  watchRequests(sandbox.cluster, OPERATOR_USER, ({ verb, resource, subresource }) => {
    if (resource === undefined || resource === 'leases') return;
    const what = `${OWN} ${verb} ${subresource ? `${resource}/${subresource}` : resource}`;
    counts[what] = (counts[what] ?? 0) + 1;
  });
  return {
    kubeconfig,
    requests() {
      const counted = counts;
      counts = {};
      return counted;
    },
    stop: () => sandbox.close(),
  };
}

/** A real one: see plane/control-plane.ts. */
export async function realPlane(bin: string): Promise<Cluster> {
  const plane = await startControlPlane(bin);
  const node = await plane.client('bench-kubelet', CLIENTS);
  const kubelet = await startKubelet(node, { readyMs: READY_MS, jitter: 0, random: Math.random });
  const pods = new Reflector<KubeObject>({ api: node, clock, path: pathOf(PODS) });
  pods.on(({ object, type }) => kubelet.see(object, type === 'deleted'));
  pods.start();
  return {
    kubeconfig: plane.kubeconfig,
    requests: auditReader(plane.auditLog, { user: OPERATOR_USER, name: OWN }),
    async stop() {
      kubelet.stop();
      await pods.stop();
      node.close();
      await plane.stop();
    },
  };
}

/** Installs all that is needed on the cluster, and starts the program. */
export async function openGround(cluster: Cluster): Promise<Ground> {
  const found = await findGatewayApi();
  if ('missing' in found) throw new Error(found.missing);
  const home = temporaryFolder('bench-traffic-home');
  const client = new Client(cluster.kubeconfig, home);
  await installDefinitions(
    client,
    found.definitions.filter((file) => /_(http|grpc)routes\.yaml$/.test(file)),
  );
  const port = await freePort();
  await installChart(client, `https://127.0.0.1:${port}`, RELEASE_NAMESPACE, ['traffic.gatewayAPI.enabled=true']);
  const kubeconfig = await operatorKubeconfig(client, home);
  const program = await startProgramProcess({ kubeconfig }, port, { flags: ['--gateway-api', 'true'] });
  const api = await apiOf(cluster.kubeconfig, CLIENTS);
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await api.request({ method: 'POST', path: pathOf(NAMESPACES), body });
  const stopController = await startController({ api, namespace: NAMESPACE, name: GATEWAY });
  return {
    api,
    program,
    requests: cluster.requests,
    async stop() {
      await program.stop();
      await stopController();
      api.close();
      await cluster.stop();
    },
  };
}
