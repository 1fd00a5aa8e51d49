// Sends reviews like an API server (TLS, HTTP/1.1, persistent connections), in a separate process. At a fixed rate, each request has a
// scheduled time, and its latency counts from that time. So a slow server cannot hide its latency by delaying requests. Argument: a file
// with a LoadPlan. Prints a LoadResult.
import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { summarize, type Summary } from '../stats.ts';
import { sample } from '../watch.ts';

export interface LoadPlan {
  readonly port: number;
  /** Port of the server. */
  readonly pid: number;
  /** PEM. */
  readonly ca: string;
  /** Bodies to send in turn, and the text that each answer must contain. */
  readonly bodies: readonly { readonly text: string; readonly answer: string; readonly answerBytes: number }[];
  /** Requests per second. null = each connection sends the next request as soon as it gets an answer. */
  readonly rate: number | null;
  readonly connections: number;
  readonly warmSeconds: number;
  /** Seconds of its own turns, if it alternates with another load. */
  readonly seconds: number;
  readonly turns?: Turns;
}

/** Two loads alternate between two servers, for a quarter of a second each. */
export interface Turns {
  readonly mine: 0 | 1;
  /** Of Date.now(). */
  readonly beginAtMs: number;
}

export interface LoadResult {
  /** Answers per second of its own turns, after the warm-up. */
  readonly perSecond: number;
  readonly latencyMs: Summary;
  /** Delay until a request is handed to a connection or its queue: the part of the latency that the load causes. */
  readonly latenessMs: Summary;
  /** Cores used by this process and by the server. */
  readonly cores: number;
  readonly serverCores: number;
  readonly serverRssBytes: number;
  /** Number of wrong answers and of broken connections. */
  readonly wrong: number;
  /** Number of requests without an answer at the end. */
  readonly waiting: number;
}

interface Request {
  readonly index: number;
  readonly intendedMs: number;
}

const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as LoadPlan;
const requests = plan.bodies.map(({ text, answer, answerBytes }) => ({
  bytes: Buffer.from(
    [
      'POST /mutate?timeout=5s HTTP/1.1',
      `host: 127.0.0.1:${plan.port}`,
      'user-agent: kube-apiserver-admission',
      `content-length: ${Buffer.byteLength(text)}`,
      'accept: application/json, */*',
      'content-type: application/json',
      `x-answer-bytes: ${answerBytes}`,
      '',
      text,
    ].join('\r\n'),
  ),
  answer,
}));

const TURN_MS = 250;
/** Time for requests in flight at the end of a turn. */
const REST_MS = 30;

const latencies: number[] = [];
const lateness: number[] = [];
const idle: Connection[] = [];
const queue: Request[] = [];
let wrong = 0;
let next = 0;
let measuring = false;
let ending = false;
/** True during its own turn. */
let asking = true;
let allIdle = (): void => {};

class Connection {
  private readonly socket: TLSSocket;
  private current: Request | undefined;
  private received: Buffer = Buffer.alloc(0);
  private length = -1;
  readonly ready: Promise<void>;

  constructor() {
    const { port, ca } = plan;
    this.socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['http/1.1'] });
    this.socket.setNoDelay(true);
    this.ready = new Promise((resolve, reject) => this.socket.once('secureConnect', resolve).once('error', reject));
    this.socket.on('data', (data) => this.receive(data));
    this.socket.on('close', () => {
      if (!ending) wrong++;
    });
  }

  send(request: Request): void {
    this.current = request;
    this.socket.write(requests[request.index % requests.length]!.bytes);
  }

  end(): void {
    this.socket.destroy();
  }

  private receive(data: Buffer): void {
    this.received = this.received.length === 0 ? data : Buffer.concat([this.received, data]);
    if (this.length < 0) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.received.toString('latin1', 0, end);
      this.length = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (!head.startsWith('HTTP/1.1 200 ')) wrong++;
    }
    if (this.received.length >= this.length) this.answered();
  }

  private answered(): void {
    const now = performance.now();
    const { index, intendedMs } = this.current!;
    if (!this.received.includes(requests[index % requests.length]!.answer)) wrong++;
    if (measuring) latencies.push(now - intendedMs);
    this.received = Buffer.alloc(0);
    this.length = -1;
    this.current = undefined;
    const again = plan.rate === null && asking ? { index: next++, intendedMs: now } : queue.shift();
    if (again) this.send(again);
    else idle.push(this);
    if (idle.length === connections.length) allIdle();
  }
}

/** Schedules requests until the end of the turn. */
function giveOut(rate: number): void {
  const beganMs = performance.now();
  let given = 0;
  const tick = (): void => {
    if (!asking) return;
    const now = performance.now();
    for (; beganMs + (given / rate) * 1000 <= now; given++) {
      const intendedMs = beganMs + (given / rate) * 1000;
      if (measuring) lateness.push(now - intendedMs);
      const request = { index: next++, intendedMs };
      // Uses all connections in turn, because idle connections are closed after some seconds.
      const connection = idle.shift();
      if (connection) connection.send(request);
      else queue.push(request);
    }
    // Timers can be late by a millisecond or more, so a timer covers only most of a long wait.
    if (beganMs + (given / rate) * 1000 - performance.now() > 2) setTimeout(tick, 1);
    else setImmediate(tick);
  };
  tick();
}

const connections = Array.from({ length: plan.connections }, () => new Connection());
await Promise.all(connections.map(({ ready }) => ready));

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const usage = () => ({ ms: performance.now(), cpu: process.cpuUsage(), server: sample(plan.pid) });
const ask = (): void => {
  if (plan.rate !== null) giveOut(plan.rate);
  else for (const connection of idle.splice(0)) connection.send({ index: next++, intendedMs: performance.now() });
};

/** Resolves with the measured seconds, and the resource usage before them. */
async function takeTurns({ mine, beginAtMs }: Turns): Promise<{ seconds: number; began: ReturnType<typeof usage> }> {
  const warm = Math.ceil((plan.warmSeconds * 1000) / TURN_MS / 2);
  const all = warm + Math.ceil((plan.seconds * 1000) / TURN_MS);
  let began = usage();
  let ms = 0;
  for (let turn = 0; turn < all; turn++) {
    await sleep((beginAtMs + (2 * turn + mine) * TURN_MS - Date.now()) / 1000);
    if (turn === warm) began = usage();
    const start = performance.now();
    measuring = turn >= warm;
    asking = true;
    ask();
    await sleep((TURN_MS - REST_MS) / 1000);
    asking = false;
    if (idle.length < connections.length) await new Promise<void>((resolve) => (allIdle = resolve));
    if (measuring) ms += performance.now() - start;
  }
  return { seconds: ms / 1000, began };
}

async function goOn(): Promise<{ seconds: number; began: ReturnType<typeof usage> }> {
  ask();
  await sleep(plan.warmSeconds);
  measuring = true;
  const began = usage();
  await sleep(plan.seconds);
  return { seconds: (performance.now() - began.ms) / 1000, began };
}

idle.push(...connections);
const { seconds, began } = plan.turns ? await takeTurns(plan.turns) : await goOn();
measuring = false;
asking = false;
const ended = usage();
ending = true;
const cpuSeconds = (ended.cpu.user + ended.cpu.system - began.cpu.user - began.cpu.system) / 1e6;
const result: LoadResult = {
  perSecond: latencies.length / seconds,
  latencyMs: summarize(latencies),
  latenessMs: summarize(lateness),
  cores: cpuSeconds / seconds,
  serverCores: (ended.server.cpuSeconds - began.server.cpuSeconds) / seconds,
  serverRssBytes: ended.server.rssBytes,
  wrong,
  waiting: queue.length,
};
for (const connection of connections) connection.end();
process.stdout.write(`${JSON.stringify(result)}\n`);
