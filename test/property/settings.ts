// How many histories, and which: from the environment, so that `make soak` and a failure's seed use the same tests.
import { availableParallelism } from 'node:os';

const number = (name: string, otherwise: number): number => {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name}=${text}: write a whole number`);
  return value;
};

export const settings = {
  /** TRANCHE_HISTORIES: how many; 0 with a time = as many as fit. */
  histories: number('TRANCHE_HISTORIES', 120),
  /** TRANCHE_SOAK_SECONDS: for so long instead; 0 = by number. */
  soakSeconds: number('TRANCHE_SOAK_SECONDS', 0),
  /** TRANCHE_SEED: the first one. */
  firstSeed: number('TRANCHE_SEED', 1),
  workers: Math.max(1, Math.min(4, availableParallelism())),
} as const;
