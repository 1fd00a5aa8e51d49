// Loaded into a replica (node --import): shifts its clock by the milliseconds in the file CHAOS_CLOCK, which is read again on SIGUSR2.
import { readFileSync } from 'node:fs';

const file = process.env.CHAOS_CLOCK!;
const read = (): number => Number(readFileSync(file, 'utf8'));
const Real = Date;
let wrongMs = read();
process.on('SIGUSR2', () => (wrongMs = read()));

const now = (): number => Real.now() + wrongMs;

globalThis.Date = new Proxy(Real, {
  construct: (target, args: unknown[]): object => Reflect.construct(target, args.length > 0 ? args : [now()]) as object,
  get: (target, name): unknown => (name === 'now' ? now : Reflect.get(target, name)),
});
