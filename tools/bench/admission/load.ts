// Sends reviews as an API server does (TLS, HTTP/1.1, connections that stay open), from a process of its own. At a fixed rate each request
// has a time at which it should go out, and its latency counts from there, however late it really goes: a server that is stuck cannot
// hold back the requests that would show it. Argument: a file with a LoadPlan; prints a LoadResult.
import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { summarize, type Summary } from '../stats.ts';
import { sample } from '../watch.ts';

export interface LoadPlan {
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
  /** PEM. */
  readonly ca: string;
  /** Sent one after the other, again and again; what must be in each answer. */
  readonly bodies: readonly { readonly text: string; readonly answer: string }[];
  /** Requests per second; null: each connection asks again as soon as it is answered. */
  readonly rate: number | null;
  readonly connections: number;
  readonly warmSeconds: number;
  /** Of its own turns, where it takes turns. */
  readonly seconds: number;
  readonly turns?: Turns;
}

/** Two processes of this kind load two servers, one after the other and again, each for a quarter of a second. */
export interface Turns {
  readonly mine: 0 | 1;
  /** Of Date.now(). */
  readonly beginAtMs: number;
}

export interface LoadResult {
  /** Answered per second, after the warm-up; of its own turns. */
  readonly perSecond: number;
  readonly latencyMs: Summary;
  /** How late requests were given to a connection or its queue: what of the latency is our own. */
  readonly latenessMs: Summary;
  /** Cores that this process used, and the server. */
  readonly cores: number;
  readonly serverCores: number;
  readonly serverRssBytes: number;
  /** Answers that were not 200, or not what must be in them; and connections that broke. */
  readonly wrong: number;
  /** Still without an answer at the end. */
  readonly waiting: number;
}

interface Request {
  readonly index: number;
  readonly intendedMs: number;
}

const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as LoadPlan;
const requests = plan.bodies.map(({ text, answer }) => ({
  bytes: Buffer.from(
    [
      'POST /mutate?timeout=5s HTTP/1.1',
      `host: 127.0.0.1:${plan.port}`,
      'user-agent: kube-apiserver-admission',
      `content-length: ${Buffer.byteLength(text)}`,
      'accept: application/json, */*',
      'content-type: application/json',
      '',
      text,
    ].join('\r\n'),
  ),
  answer,
}));

const TURN_MS = 250;
/** For what is on its way when a turn ends. */
const REST_MS = 30;

const latencies: number[] = [];
const lateness: number[] = [];
const idle: Connection[] = [];
const queue: Request[] = [];
let wrong = 0;
let next = 0;
let measuring = false;
let ending = false;
/** It is our turn. */
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

/** Gives out requests at their times, from now until it is not our turn any more. */
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
      // In turn: a connection on which nothing was asked for some seconds is closed.
      const connection = idle.shift();
      if (connection) connection.send(request);
      else queue.push(request);
    }
    // A timer comes a millisecond late or more; so it only covers most of a long wait.
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

/** Resolves with the seconds of the turns that were measured, and what was used before them. */
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
