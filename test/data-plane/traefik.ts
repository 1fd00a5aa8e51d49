// A real Traefik as the gateway of a cluster: its own controller reads the routes of the Gateway API, and writes their status.
import type { Client } from '../e2e/harness/client.ts';
import { freePort } from '../support/ports.ts';
import { start, type Service } from '../support/processes.ts';
import { until } from '../support/until.ts';

const CLASS = 'traefik';
const PATIENCE_SECONDS = 300;
const LOOK_EVERY_MS = 250;

interface Programmed {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration?: number;
    }[];
  };
}

/** Traefik picks listeners of a Gateway by the port of one of its entry points. */
const manifest = (namespace: string, name: string, port: number): string => `\
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: ${CLASS}
spec:
  controllerName: traefik.io/gateway-controller
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  gatewayClassName: ${CLASS}
  listeners:
  - name: web
    port: ${port}
    protocol: HTTP
    allowedRoutes:
      namespaces:
        from: Same
`;

export interface TraefikOptions {
  readonly client: Client;
  readonly namespace: string;
  /** Name of the Gateway, which is made. */
  readonly name: string;
  /** The program. */
  readonly traefik: string;
}

export interface Traefik {
  readonly url: URL;
  /** Its errors. */
  readonly problems: readonly string[];
  stop(): Promise<void>;
}

/** Returns when its Gateway is Programmed. The CRDs of the Gateway API must be there. */
export async function startTraefik({ client, namespace, name, traefik }: TraefikOptions): Promise<Traefik> {
  const port = await freePort();
  await client.kubectl(['apply', '-f', '-'], { input: manifest(namespace, name, port) });
  const service: Service = await start(
    'Traefik',
    traefik,
    [
      `--entrypoints.web.address=127.0.0.1:${port}`,
      '--providers.kubernetesgateway=true',
      `--providers.kubernetesgateway.namespaces=${namespace}`,
      // By default it reads the cluster at most every two seconds.
      '--providers.providersthrottleduration=100ms',
      '--log.level=INFO',
      '--log.nocolor=true',
      '--global.checknewversion=false',
      '--global.sendanonymoususage=false',
    ],
    {
      env: { PATH: process.env.PATH, KUBECONFIG: client.kubeconfig },
      ready: (output) => output.includes('Starting provider *gateway.Provider'),
    },
  );
  let last: Programmed | undefined;
  const isProgrammed = async (): Promise<boolean> => {
    const { metadata, status } = (last = await client.json<Programmed>(['get', 'gateway', name, '-n', namespace]));
    const found = status?.conditions?.find(({ type }) => type === 'Programmed');
    // The status of a Traefik before may be there, for another port.
    if (found?.status === 'True' && found.observedGeneration === metadata.generation) return true;
    return new Promise((resolve) => setTimeout(() => resolve(false), LOOK_EVERY_MS));
  };
  const state = (): string => `Gateway ${name} Programmed: ${JSON.stringify(last?.status)}\n${service.output()}`;
  await until(isProgrammed, state, PATIENCE_SECONDS);
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    get problems() {
      const lines = service.output().split('\n');
      return lines.filter((line) => / (ERR|FTL) /.test(line));
    },
    stop: () => service.stop(),
  };
}
