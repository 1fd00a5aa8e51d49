// A bare express server for comparison: it answers `allowed: true` to all reviews, over TLS. Argument: a file with key and certificate.
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
  response.json({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response: { uid, allowed: true } });
});
const server = createServer({ key, cert, minVersion: 'TLSv1.2', keepAliveTimeout: 120_000 }, app);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready ${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
