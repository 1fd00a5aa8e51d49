// A gateway for tests: a real Envoy, and a small controller that gives it the routes, Services and endpoints of a namespace, each with a lag of its own.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Resource } from '../../../src/api/resources.ts';
import type { KubeObject } from '../../../src/api/types.ts';
import { freePort } from '../../support/ports.ts';
import { start, temporaryFolder, type Service as Process } from '../../support/processes.ts';
import { StatusWriter, type ControllerOptions } from './controller.ts';
import { entriesOf, type Backend } from './entries.ts';
import { backendsOf, bootstrapOf, clusterOf, endpointsOf, nameOf, response, routesOf } from './envoy-config.ts';
import { Lagging } from './lagging.ts';
import { GRPC_ROUTES, HTTP_ROUTES, SERVICES, SLICES } from './resources.ts';
import type { GrpcRoute, HttpRoute, Known, Service, Slice } from './types.ts';

/** Milliseconds from a change in the API to the moment when Envoy is given it, or when the status says it. A test may change them at any time. */
export interface Lags {
  routes: number;
  services: number;
  endpoints: number;
  status: number;
}

export interface GatewayOptions extends ControllerOptions {
  /** The program. */
  readonly envoy: string;
  readonly lags: Lags;
}

/** A cluster stays this long after the last route has left it, since Envoy may read the files in any order. */
const KEEP_MS = 2000;

export class Gateway {
  readonly lags: Lags;
  readonly url: URL;
  readonly #options: GatewayOptions;
  readonly #folder: string;
  readonly #envoy: Process;
  readonly #views;
  readonly #written = new Map<string, string>();
  readonly #clusters = new Map<string, { readonly backend: Backend; leftAt: number | undefined }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #statuses: StatusWriter;
  #isDue = false;

  static async start(options: GatewayOptions): Promise<Gateway> {
    const folder = temporaryFolder('envoy');
    mkdirSync(path.join(folder, 'endpoints'));
    const listen = await freePort();
    const file = (name: string): string => path.join(folder, name);
    const places = { listen, routes: file('routes.json'), clusters: file('clusters.json') };
    writeFileSync(places.routes, JSON.stringify(response('route.v3.RouteConfiguration', [routesOf([])])));
    writeFileSync(places.clusters, JSON.stringify(response('cluster.v3.Cluster', [])));
    writeFileSync(file('envoy.json'), JSON.stringify(bootstrapOf(places)));
    const args = ['--config-path', file('envoy.json'), '--concurrency', '1', '--disable-hot-restart'];
    const envoy = await start('Envoy', options.envoy, args, {
      ready: (output) => output.includes('starting main dispatch loop'),
    });
    const gateway = new Gateway(options, folder, envoy, new URL(`http://127.0.0.1:${listen}`));
    await Promise.all(Object.values(gateway.#views).map((view) => view.whenSynced()));
    gateway.#publish();
    return gateway;
  }

  private constructor(options: GatewayOptions, folder: string, envoy: Process, url: URL) {
    this.#options = options;
    this.lags = options.lags;
    this.#folder = folder;
    this.#envoy = envoy;
    this.url = url;
    const { api, namespace, lags } = options;
    const onChange = (): void => this.#changed();
    const view = <T extends KubeObject>(resource: Resource, lagMs: () => number, onSeen?: () => void): Lagging<T> =>
      new Lagging<T>({ api, namespace, resource, lagMs, onChange, ...(onSeen ? { onSeen } : {}) });
    const tell = (): void => this.#later(lags.status, () => this.#statuses.tell());
    this.#views = {
      httpRoutes: view<HttpRoute>(HTTP_ROUTES, () => lags.routes, tell),
      grpcRoutes: view<GrpcRoute>(GRPC_ROUTES, () => lags.routes, tell),
      services: view<Service>(SERVICES, () => lags.services, tell),
      slices: view<Slice>(SLICES, () => lags.endpoints),
    };
    const { httpRoutes, grpcRoutes, services } = this.#views;
    this.#statuses = new StatusWriter(options, {
      httpRoutes: () => httpRoutes.current,
      grpcRoutes: () => grpcRoutes.current,
      services: () => services.current,
    });
  }

  /** What Envoy said: answers with an error, and configuration that it refused. */
  get problems(): readonly string[] {
    return this.#envoy
      .output()
      .split('\n')
      .filter((line) => /^error |rejected|\[(error|critical)\]/.test(line));
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#views).map((view) => view.stop()));
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#statuses.done();
    await this.#envoy.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #changed(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#later(5, () => this.#publish());
  }

  #publish(): void {
    this.#isDue = false;
    const { httpRoutes, grpcRoutes, services, slices } = this.#views;
    const known: Known = {
      httpRoutes: httpRoutes.objects,
      grpcRoutes: grpcRoutes.objects,
      services: services.objects,
      slices: slices.objects,
    };
    const entries = entriesOf(known, this.#options.name);
    this.#keepClusters(backendsOf(entries));
    const fileOf = (name: string): string => path.join(this.#folder, 'endpoints', `${name}.json`);
    for (const [name, { backend }] of this.#clusters)
      this.#write(fileOf(name), 'endpoint.v3.ClusterLoadAssignment', [endpointsOf(backend, known)]);
    const clusters = [...this.#clusters].map(([name, { backend }]) => clusterOf(backend, fileOf(name)));
    this.#write(path.join(this.#folder, 'clusters.json'), 'cluster.v3.Cluster', clusters);
    this.#write(path.join(this.#folder, 'routes.json'), 'route.v3.RouteConfiguration', [routesOf(entries)]);
  }

  #keepClusters(wanted: readonly Backend[]): void {
    const now = performance.now();
    const names = new Set(wanted.map(nameOf));
    for (const backend of wanted) this.#clusters.set(nameOf(backend), { backend, leftAt: undefined });
    for (const [name, cluster] of this.#clusters) {
      if (names.has(name)) continue;
      if (cluster.leftAt === undefined) this.#later(KEEP_MS, () => this.#changed());
      cluster.leftAt ??= now;
      if (now - cluster.leftAt >= KEEP_MS) this.#clusters.delete(name);
    }
  }

  /** Envoy sees a file when it is renamed. */
  #write(file: string, type: string, resources: readonly object[]): void {
    const text = JSON.stringify(response(type, resources));
    if (this.#written.get(file) === text) return;
    this.#written.set(file, text);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
