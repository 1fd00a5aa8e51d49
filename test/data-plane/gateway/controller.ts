// The part of a gateway's controller that reads routes and says so in their status. By itself, it is a gateway without a data plane.
import type { Resource } from '../../../src/api/resources.ts';
import type { KubeObject } from '../../../src/api/types.ts';
import type { Api } from '../../../src/kube/api.ts';
import { realClock } from '../../../src/kube/clock.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { GRPC_ROUTES, HTTP_ROUTES, SERVICES } from './resources.ts';
import { parentsOf } from './status.ts';
import type { GrpcRoute, HttpRoute, Route, Service } from './types.ts';

export interface ControllerOptions {
  readonly api: Api;
  readonly namespace: string;
  /** Name of the Gateway that routes have as their parent. The object itself is not needed. */
  readonly name: string;
}

/** All objects as they are now. */
export interface Current {
  readonly httpRoutes: () => Iterable<HttpRoute>;
  readonly grpcRoutes: () => Iterable<GrpcRoute>;
  readonly services: () => Iterable<Service>;
}

/** Writes the status of all routes, one after the other. */
export class StatusWriter {
  readonly #options: ControllerOptions;
  readonly #current: Current;
  #written: Promise<unknown> = Promise.resolve();

  constructor(options: ControllerOptions, current: Current) {
    this.#options = options;
    this.#current = current;
  }

  tell(): void {
    const { httpRoutes, grpcRoutes } = this.#current;
    this.#written = this.#written.then(async () => {
      for (const route of httpRoutes()) await this.#write(HTTP_ROUTES, route);
      for (const route of grpcRoutes()) await this.#write(GRPC_ROUTES, route);
    });
  }

  /** Resolves when nothing more is written. */
  async done(): Promise<void> {
    await this.#written;
  }

  async #write(resource: Resource, route: Route<unknown>): Promise<void> {
    const { api, namespace, name: gateway } = this.#options;
    const services = [...this.#current.services()];
    const parents = parentsOf(route, { gateway, services, now: `${new Date().toISOString().slice(0, 19)}Z` });
    if (!parents) return;
    const { name, resourceVersion } = route.metadata;
    // A conflict means that the route has changed: its next version is looked at when the watch brings it.
    await api
      .request({
        method: 'PATCH',
        path: pathOf(resource, { namespace, name, subresource: 'status' }),
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion }, status: { parents } },
      })
      .catch(() => undefined);
  }
}

/** Accepts all routes of the Gateway whose Services exist. Returns how to stop it. */
export async function startController(options: ControllerOptions): Promise<() => Promise<void>> {
  const { api, namespace } = options;
  const view = <T extends KubeObject>(resource: Resource): Reflector<T> =>
    new Reflector<T>({ api, clock: realClock, path: pathOf(resource, { namespace }) });
  const [httpRoutes, grpcRoutes] = [view<HttpRoute>(HTTP_ROUTES), view<GrpcRoute>(GRPC_ROUTES)];
  const services = view<Service>(SERVICES);
  const writer = new StatusWriter(options, {
    httpRoutes: () => httpRoutes.values(),
    grpcRoutes: () => grpcRoutes.values(),
    services: () => services.values(),
  });
  const views = [httpRoutes, grpcRoutes, services];
  const tell = (): void => writer.tell();
  for (const one of views) {
    one.on(tell);
    one.start();
  }
  await Promise.all(views.map((one) => one.whenSynced()));
  return async () => {
    await Promise.all(views.map((one) => one.stop()));
    await writer.done();
  };
}
