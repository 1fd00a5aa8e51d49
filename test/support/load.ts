// Requests at an even rate to the ready endpoints of a Service. Their answers are counted by version and status code.
import { request as httpRequest } from 'node:http';
import { PODS, type Resource } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/api/types.ts';
import type { Api } from '../../src/kube/api.ts';
import { realClock } from '../../src/kube/clock.ts';
import { findObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';

export interface LoadOptions {
  readonly api: Api;
  readonly namespace: string;
  readonly service: string;
  readonly perSecond: number;
  /** Requests at the same time. Default 100. Further ones are skipped. */
  readonly atMost?: number;
}

export interface Counted {
  /** Version → status code → number of answers. */
  readonly answers: Readonly<Record<string, Readonly<Record<number, number>>>>;
  /** Requests without an answer. */
  readonly failed: number;
  /** Requests that were not sent, because no endpoint was ready or too many were open. */
  readonly skipped: number;
  readonly open: number;
}

interface Slice extends KubeObject {
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean };
        readonly targetRef?: { readonly name?: string };
      }[]
    | null;
  readonly ports?: readonly { readonly port?: number }[] | null;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const SLICES: Resource = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', plural: 'endpointslices' };
const TICK_MS = 10;
const TIMEOUT_MS = 30_000;
const MAX_BYTES = 10_000;

export class Load {
  readonly #options: LoadOptions;
  readonly #slices: Reflector<Slice>;
  readonly #answers: Record<string, Record<number, number>> = {};
  readonly #sending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #endpoints: readonly Endpoint[] = [];
  #failed = 0;
  #skipped = 0;
  #sent = 0;
  #changes = 0;

  private constructor(options: LoadOptions) {
    this.#options = options;
    const { api, namespace, service, perSecond } = options;
    const labelSelector = `kubernetes.io/service-name=${service}`;
    this.#slices = new Reflector({ api, clock: realClock, path: pathOf(SLICES, { namespace }), labelSelector });
    this.#slices.on(() => void this.#follow());
    this.#slices.start();
    const begun = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const until = Math.floor(((performance.now() - begun) * perSecond) / 1000);
      // After a pause of this process, at most the requests of one second come at once.
      due = Math.max(due, until - Math.ceil(perSecond));
      for (; due < until; due++) this.#send();
    }, TICK_MS);
  }

  /** Returns when it knows the endpoints. */
  static async start(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    await load.#slices.whenSynced();
    return load;
  }

  get counted(): Counted {
    return {
      answers: structuredClone(this.#answers),
      failed: this.#failed,
      skipped: this.#skipped,
      open: this.#sending.size,
    };
  }

  /** Sends no more requests, and waits for the answers to those that are open. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#slices.stop();
    await Promise.all(this.#sending);
  }

  async #follow(): Promise<void> {
    const change = ++this.#changes;
    const slices = [...this.#slices.store.entries()].map(([, slice]) => slice);
    const found = slices.flatMap(({ endpoints, ports }) =>
      (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .map(({ addresses, targetRef }) => ({
          host: addresses[0]!,
          port: ports?.[0]?.port ?? 80,
          pod: targetRef?.name,
        })),
    );
    const places = await Promise.all(found.map((endpoint) => this.#placeOf(endpoint)));
    if (change === this.#changes) this.#endpoints = places.filter((place) => place !== undefined);
  }

  /** The embedded cluster on a machine with one loopback address: an annotation of the Pod says where it serves. */
  async #placeOf({ host, port, pod }: Endpoint & { readonly pod: string | undefined }): Promise<Endpoint | undefined> {
    if (host !== '127.0.0.1' || pod === undefined) return { host, port };
    const { api, namespace } = this.#options;
    const found = await findObject(api, PODS, { namespace, name: pod }).catch(() => undefined);
    const listens = found?.metadata.annotations?.['sandbox.tranche.dev/listens']?.split(',') ?? [];
    const own = listens.find((each) => each.startsWith(`${port}=127.0.0.1:`))?.split(':')[1];
    return own === undefined ? undefined : { host, port: Number(own) };
  }

  #send(): void {
    const endpoint = this.#endpoints[this.#sent++ % this.#endpoints.length];
    if (!endpoint || this.#sending.size >= (this.#options.atMost ?? 100)) {
      this.#skipped++;
      return;
    }
    const sending: Promise<void> = ask(endpoint)
      .then(({ code, version }) => {
        const codes = (this.#answers[version] ??= {});
        codes[code] = (codes[code] ?? 0) + 1;
      })
      .catch(() => void this.#failed++)
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }
}

/** On a connection of its own, so that no request meets the end of a connection that was idle. */
function ask({ host, port }: Endpoint): Promise<{ readonly code: number; readonly version: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = httpRequest({ host, port, path: '/', agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        if ((text += more).length > MAX_BYTES) request.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          const { version } = JSON.parse(text) as { readonly version?: unknown };
          resolve({ code: response.statusCode ?? 0, version: typeof version === 'string' ? version : '' });
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    request.on('error', reject);
    request.end();
  });
}
