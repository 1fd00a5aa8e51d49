// Simulates an attack on a server on loopback: sends large bodies over many connections for a limited time. Argument: a file with a FloodPlan.
// Prints a FloodResult.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

export interface FloodPlan {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  readonly connections: number;
  readonly seconds: number;
  /** `valid`: a review that is evaluated. `junk`: a meaningless body that never ends. */
  readonly kind: 'valid' | 'junk';
  readonly bytes: number;
}

export interface FloodResult {
  readonly bytesSent: number;
  /** Numbers of answers by status, `refused` for refused reviews, and of closed connections. */
  readonly answers: Readonly<Record<string, number>>;
}

const plan = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as FloodPlan;
const endAt = performance.now() + plan.seconds * 1000;
const answers: Record<string, number> = {};
const count = (what: string): void => void (answers[what] = (answers[what] ?? 0) + 1);
let bytesSent = 0;

const body = Buffer.from(plan.kind === 'valid' ? review(plan.bytes) : 'x'.repeat(plan.bytes));
const head = Buffer.from(
  `POST /mutate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${
    plan.kind === 'valid' ? body.length : body.length + 1
  }\r\n\r\n`,
);

/** A review of a Deployment without a Rollout. */
function review(bytes: number): string {
  const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const object = (value: string): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'flood', namespace: 'default' },
    spec: { template: { spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value }] }] } } },
  });
  const [old, next] = ['a', 'b'].map((letter) => object(letter.repeat(bytes / 2)));
  const request = { uid: 'flood', kind, name: 'flood', namespace: 'default', operation: 'UPDATE', object: next };
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: { ...request, oldObject: old },
  });
}

async function attack(): Promise<void> {
  while (performance.now() < endAt) {
    await new Promise<void>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: plan.port, ca: plan.ca });
      const timer = setTimeout(() => socket.destroy(), Math.max(1, endAt - performance.now()));
      const send = (): void => {
        socket.write(head);
        socket.write(body, () => (bytesSent += body.length));
      };
      socket.on('secureConnect', send);
      socket.on('data', (answer) => {
        const text = answer.toString('latin1');
        const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
        if (status !== undefined) count(text.includes('"allowed":false') ? 'refused' : status);
        if (plan.kind === 'valid' && performance.now() < endAt) send();
      });
      socket.on('error', () => count('cut off'));
      socket.on('close', () => {
        clearTimeout(timer);
        // If connections are closed at once, limits the rate to that of a real attacker.
        setTimeout(resolve, 10);
      });
    });
  }
}

await Promise.all(Array.from({ length: plan.connections }, attack));
process.stdout.write(JSON.stringify({ bytesSent, answers } satisfies FloodResult));
process.exit(0);
