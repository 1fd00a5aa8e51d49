// The attacks under which real edits are measured.
import type { FloodPlan } from './flood.ts';

/** As in the attacks that were tried: 1.38 GB if all of it were kept; reviews that each take 100 ms to judge. */
export const FLOODS: readonly Pick<FloodPlan, 'kind' | 'connections' | 'bytes'>[] = [
  { kind: 'junk', connections: 200, bytes: 6_900_000 },
  { kind: 'valid', connections: 40, bytes: 6_600_000 },
];
export const FLOOD_RATE = 20;
