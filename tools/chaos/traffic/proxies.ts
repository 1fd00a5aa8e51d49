// Proxies of a gateway, as watchers of the API: each has its own copies of the route, the Services and their endpoints, and each copy lags on its own.

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

/** The kinds of which a proxy has copies. */
export type Copied = 'HTTPRoute' | 'Service' | 'EndpointSlice';

export interface ProxiesOptions {
  readonly count: number;
  /** How late a copy is, at most, in milliseconds. Less than the grace period. */
  readonly lagMs: number;
  readonly random: () => number;
}

/** What one proxy knows. */
export class Proxy {
  readonly index: number;
  route: any;
  readonly services = new Map<string, any>();
  readonly slices = new Map<string, any>();

  constructor(index: number) {
    this.index = index;
  }

  take(kind: Copied, name: string, object: any): void {
    if (kind === 'HTTPRoute') this.route = object;
    else {
      const copies = kind === 'Service' ? this.services : this.slices;
      if (object === undefined) copies.delete(name);
      else copies.set(name, object);
    }
  }
}

interface Arrival {
  readonly at: number;
  readonly proxy: Proxy;
  readonly kind: Copied;
  readonly name: string;
  /** Undefined if it is deleted. */
  readonly object: any;
}

export class Proxies {
  readonly all: readonly Proxy[];
  private readonly options: ProxiesOptions;
  /** Sorted by time. */
  private readonly arrivals: Arrival[] = [];
  /** When the next copy may arrive, by proxy and kind: copies of a kind arrive in order. */
  private readonly last = new Map<string, number>();

  constructor(options: ProxiesOptions) {
    this.options = options;
    this.all = Array.from({ length: options.count }, (_, index) => new Proxy(index));
  }

  /** Every proxy knows the object at once: it was there before. */
  know(kind: Copied, name: string, object: any): void {
    for (const proxy of this.all) proxy.take(kind, name, object);
  }

  send(kind: Copied, name: string, object: any, now: number): void {
    for (const proxy of this.all) {
      const key = `${proxy.index} ${kind}`;
      const at = Math.max(now + this.options.random() * this.options.lagMs, (this.last.get(key) ?? 0) + 0.001);
      this.last.set(key, at);
      let place = this.arrivals.length;
      while (place > 0 && this.arrivals[place - 1]!.at > at) place -= 1;
      this.arrivals.splice(place, 0, { at, proxy, kind, name, object });
    }
  }

  /** Lets the copies arrive that are due, in order. */
  deliver(until: number, arrived: (proxy: Proxy, at: number) => void): void {
    while (this.arrivals[0] !== undefined && this.arrivals[0].at <= until) {
      const { at, proxy, kind, name, object } = this.arrivals.shift()!;
      proxy.take(kind, name, object);
      arrived(proxy, at);
    }
  }
}
