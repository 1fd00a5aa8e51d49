// The entry point of the sandbox: an embedded cluster on loopback, for trying and testing.
import type { InProcessWebhook, ResolveService } from './admission/index.ts';
import { fieldTracker } from './apply/index.ts';
import { bootstrapObjects, startAggregation } from './auth/index.ts';
import { Cluster } from './cluster.ts';
import { Controllers, type ControllersOptions } from './controllers/index.ts';
import { openData } from './data.ts';
import { realClock } from './core/clock.ts';
import { createAuthority } from './server/certificates.ts';
import { listen } from './server/https.ts';
import { kubeconfigText } from './server/kubeconfig.ts';
import { collectionOf } from './core/resources.ts';
import { newUid, timestamp } from './core/names.ts';
import { startMetricsApi } from './serving/metrics-api.ts';
import { Serving } from './serving/index.ts';
import type { User } from './core/types.ts';

export interface SandboxOptions {
  /** 0: a free port. */
  port?: number;
  /** A folder for all data. A start with the same folder continues the cluster. Absent: in memory only. */
  data?: string;
  /** Milliseconds from scheduling to Ready. */
  readyMs?: number;
  /** Number of nodes, each with room for 110 Pods. Default 3. */
  nodes?: number;
  /** The addresses of Services, so that webhooks of Services can be called. */
  resolveService?: ResolveService;
  /** Webhooks in this process. */
  inProcess?: readonly InProcessWebhook[];
  /** Serve the ports of Pods (README.md, "Pods that serve"). Default false. */
  serve?: boolean;
  /** False: Pods that serve share 127.0.0.1, as they do on a machine that has no other loopback address. */
  ownAddresses?: boolean;
  /** Serve metrics.k8s.io. Default false. */
  metricsApi?: boolean;
  /** Told what the user should know. Default: nobody. */
  say?: (text: string) => void;
  /** Options for controllers and kubelet that differ from the defaults. */
  controllers?: Pick<ControllersOptions, 'verbose' | 'jitter' | 'stopMs' | 'onError'>;
}

export interface Sandbox {
  url: string;
  /** Text of a kubeconfig for cluster-admin. */
  kubeconfig: string;
  cluster: Cluster;
  controllers: Controllers;
  close(): Promise<void>;
}

export async function startSandbox({
  port = 0,
  data,
  readyMs = 300,
  nodes,
  resolveService,
  inProcess,
  serve = false,
  ownAddresses = true,
  metricsApi = false,
  say = () => undefined,
  controllers: manner = {},
}: SandboxOptions = {}): Promise<Sandbox> {
  const clock = realClock;
  const kept = data === undefined ? undefined : await openData(data);
  const cluster = new Cluster({ clock, inProcess, resolveService, fields: fieldTracker, ...kept?.cluster });
  const authority = kept?.authority ?? (await createAuthority());
  const server = await listen((request) => cluster.handle(request), authority, port);
  const url = `https://127.0.0.1:${server.port}`;
  bootstrap(cluster);
  const stopAggregation = startAggregation(cluster.client(), clock);
  const serving = serve ? await Serving.start({ clock, say, ownAddresses }) : undefined;
  if (metricsApi) startMetricsApi(cluster, serving);
  const controllers = new Controllers({
    clock,
    store: cluster.store,
    registry: cluster.registry,
    clientOf: (user) => cluster.client(user, programOf(user)),
    caBundle: authority.certificate,
    readyMs,
    nodes,
    serving,
    ...manner,
  });
  await controllers.start();
  const client = await authority.client('admin', ['system:masters']);
  return {
    url,
    kubeconfig: kubeconfigText({ url, authority: authority.certificate, client }),
    cluster,
    controllers,
    async close() {
      controllers.stop();
      stopAggregation();
      cluster.close();
      await serving?.close();
      await server.close();
      kept?.close();
    },
  };
}

/** The program of a component in a real cluster, which owns the fields that it writes. */
const programOf = ({ username }: User): string =>
  username.startsWith('system:serviceaccount:kube-system:')
    ? 'kube-controller-manager'
    : username.startsWith('system:node:')
      ? 'kubelet'
      : username.replace(/^system:/, '');

/** The default roles and bindings of a cluster. */
function bootstrap({ store, registry, clock }: Cluster): void {
  for (const object of bootstrapObjects()) {
    const [group, version] = object.apiVersion.split('/') as [string, string];
    const type = registry.findKind(group, version, object.kind);
    store.commit(collectionOf(type!), undefined, {
      ...object,
      metadata: { ...object.metadata, uid: newUid(() => clock.random()), creationTimestamp: timestamp(clock.now()) },
    });
  }
}
