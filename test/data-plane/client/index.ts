// A client that sends requests at an even rate through a gateway, in several manners, and keeps what became of each of them.
import { Agent, request as httpRequest } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import type { Answer, Manner } from './counts.ts';
import { callGrpc, type GrpcAnswer } from './grpc.ts';

export interface ClientOptions {
  readonly url: URL;
  /** For all manners together, 500 at most. */
  readonly perSecond: number;
  /** In turn. Default: kept and new connections. */
  readonly manners?: readonly Manner[];
  /** The name of the host in the requests. Default: that of the URL. */
  readonly host?: string;
  /** Headers of each tenth request. */
  readonly mark?: Readonly<Record<string, string>>;
  /** Name of a header, in small letters. Answers over HTTP/1.1 say with which value the Pod got it. */
  readonly echo?: string;
}

interface PodAnswer extends GrpcAnswer {
  readonly headers?: Readonly<Record<string, string>>;
}

const MOST_PER_SECOND = 500;
const AT_MOST_OPEN = 500;
/** Kept, so that a client that was forgotten ends by itself. */
const MOST_ANSWERS = 500_000;
const TICK_MS = 20;
/** Much work may go on on the machine. */
const TIMEOUT_MS = 30_000;
const MARK_EVERY = 10;
/** One in so many gRPC requests goes on a new connection. */
const NEW_SESSION_EVERY = 20;
const MAX_BYTES = 10_000;
export const GRPC_SERVICE = 'tranche.test.Echo';

export class CountingClient {
  readonly #options: ClientOptions;
  readonly #manners: readonly Manner[];
  readonly #begun = performance.now();
  readonly #answers: Answer[] = [];
  readonly #open = new Set<Promise<void>>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timer: NodeJS.Timeout;
  #session: ClientHttp2Session | undefined;
  #sent = 0;
  #skipped = 0;

  constructor(options: ClientOptions) {
    const { perSecond, manners = ['kept', 'new'] } = options;
    if (!(perSecond > 0 && perSecond <= MOST_PER_SECOND))
      throw new Error(`${perSecond} requests a second: from 1 to ${MOST_PER_SECOND} are allowed`);
    this.#options = options;
    this.#manners = manners;
    let due = 0;
    this.#timer = setInterval(() => {
      const until = Math.floor((this.nowMs * perSecond) / 1000);
      // After a pause of this process, at most the requests of a tenth of a second come at once.
      due = Math.max(due, until - Math.ceil(perSecond / 10));
      for (; due < until; due++) this.#send();
    }, TICK_MS);
  }

  /** Milliseconds since the start. */
  get nowMs(): number {
    return performance.now() - this.#begun;
  }

  /** In the order in which they came. */
  get answers(): readonly Answer[] {
    return this.#answers;
  }

  /** Requests that were not sent, because too many were open. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Sends no more requests, and waits for the answers to those that are open. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #send(): void {
    if (this.#open.size >= AT_MOST_OPEN || this.#answers.length >= MOST_ANSWERS) {
      this.#skipped++;
      return;
    }
    const number = this.#sent++;
    const manner = this.#manners[number % this.#manners.length]!;
    const marked = this.#options.mark !== undefined && Math.floor(number / this.#manners.length) % MARK_EVERY === 0;
    const sentMs = this.nowMs;
    const headers = { ...(marked ? this.#options.mark : {}) };
    const asked: Promise<PodAnswer> =
      manner === 'grpc' ? this.#askGrpc(headers, number) : this.#ask(headers, manner === 'kept');
    const sending: Promise<void> = asked
      .then(
        ({ pod, version, headers = {} }): Answer => {
          const echoed = headers[this.#options.echo ?? ''];
          return { sentMs, manner, marked, version, pod, ...(echoed === undefined ? {} : { echoed }) };
        },
        (error: unknown): Answer => ({ sentMs, manner, marked, version: '', pod: '', problem: reasonOf(error) }),
      )
      .then((answer) => {
        this.#answers.push(answer);
        this.#open.delete(sending);
      });
    this.#open.add(sending);
  }

  #ask(headers: Readonly<Record<string, string>>, kept: boolean): Promise<PodAnswer> {
    const { url: base, host, echo } = this.#options;
    const url = echo === undefined ? base : new URL('/headers', base);
    return new Promise((resolve, reject) => {
      const options = {
        agent: kept ? this.#agent : false,
        headers: { ...(host === undefined ? {} : { host }), ...headers },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      };
      const request = httpRequest(url, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          if ((text += more).length > MAX_BYTES) request.destroy(new Error('the answer is too long'));
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(new Error(String(response.statusCode)));
          try {
            resolve(JSON.parse(text) as PodAnswer);
          } catch {
            reject(new Error('not an answer of a Pod'));
          }
        });
      });
      request.on('error', reject);
      request.end();
    });
  }

  async #askGrpc(headers: Readonly<Record<string, string>>, number: number): Promise<GrpcAnswer> {
    const { host } = this.#options;
    const call = {
      path: `/${GRPC_SERVICE}/Say`,
      headers: { ...(host === undefined ? {} : { ':authority': host }), ...headers },
      timeoutMs: TIMEOUT_MS,
    };
    if (Math.floor(number / this.#manners.length) % NEW_SESSION_EVERY !== 0) return callGrpc(this.#keptSession(), call);
    const session = this.#newSession();
    return callGrpc(session, call).finally(() => session.close());
  }

  #keptSession(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed)
      this.#session = this.#newSession();
    return this.#session;
  }

  #newSession(): ClientHttp2Session {
    const session = connect(this.#options.url);
    // The requests on it say the same.
    session.on('error', () => undefined);
    session.on('goaway', () => session.close());
    return session;
  }
}

const reasonOf = (error: unknown): string => {
  const { code, name, message } = error as NodeJS.ErrnoException;
  return name === 'TimeoutError' || name === 'AbortError' ? 'timeout' : (code ?? message);
};
