// A bare express server for comparison: it answers `allowed: true` to all reviews, over TLS, with as many bytes as a header of the request says.
// Argument: a file with key and certificate.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';

const { key, cert } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as { key: string; cert: string };

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.post('/mutate', express.json({ limit: '7mb' }), (request, response) => {
  const { uid } = (request.body as { request: { uid: string } }).request;
  const answer = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response: { uid, allowed: true } };
  // `,"padding":""` and the answer without it take the rest.
  const bytes = Number(request.headers['x-answer-bytes']) - JSON.stringify(answer).length - 13;
  response.json(bytes > 0 ? { ...answer, padding: 'x'.repeat(bytes) } : answer);
});
const server = createServer({ key, cert, minVersion: 'TLSv1.2', keepAliveTimeout: 120_000 }, app);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready ${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
