// The attacks during which real edits are measured.
import type { FloodPlan } from './flood.ts';

/** `junk` would take 1.38 GB of memory if the server kept it. Each `valid` review takes 100 ms to evaluate. */
export const FLOODS: readonly Pick<FloodPlan, 'kind' | 'connections' | 'bytes'>[] = [
  { kind: 'junk', connections: 200, bytes: 6_900_000 },
  { kind: 'valid', connections: 40, bytes: 6_600_000 },
];
export const FLOOD_RATE = 20;
