// Plays faults, each on a separate cluster, and collects their results.
import { Chance } from './chance.ts';
import { Client } from './client.ts';
import type { Fault, Run } from './fault.ts';
import { Stage } from './stage.ts';

/** The result of a fault: one row of the report. */
export interface Outcome {
  readonly fault: string;
  readonly title: string;
  /** Number of injected faults. */
  strikes: number;
  /** Recovery times in seconds. */
  readonly recovered: number[];
  /** Releases that did not continue or did not end correctly. */
  readonly failures: string[];
  /** Violations of I1–I6 and T1–T12, as text. */
  readonly violations: string[];
  /** Number of judged changes. */
  judged: number;
  /** Number of accepted and refused changes of the client. */
  client: { done: number; refused: number };
  seconds: number;
  readonly seed: number;
}

export interface Plan {
  readonly faults: readonly Fault[];
  readonly seed: number;
  /** Number of runs per fault. Absent = all runs once. */
  readonly runs?: number;
  /** Number of faults to play in parallel, each on a separate cluster. */
  readonly lanes: number;
  readonly say: (line: string) => void;
}

/** Most of the time is spent waiting for a lease or a network, so faults can run in parallel. */
export const LANES = 3;

/** Resolves with one outcome per fault, in order. Never rejects. */
export async function play({ faults, seed, runs, say, lanes }: Plan): Promise<Outcome[]> {
  const outcomes = faults.map((fault): Outcome => {
    const { name, title } = fault;
    const common = {
      recovered: [],
      failures: [],
      violations: [],
      judged: 0,
      client: { done: 0, refused: 0 },
      seconds: 0,
    };
    return { fault: name, title, strikes: 0, ...common, seed };
  });
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < faults.length; i = next++) {
      const own = faults[i]!.runs;
      const chosen = runs === undefined ? own : repeat(own, runs);
      await playFault(faults[i]!, chosen, outcomes[i]!, say);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

const repeat = (runs: readonly Run[], count: number): Run[] =>
  Array.from({ length: count }, (_, i) => runs[i % runs.length]!);

async function playFault(fault: Fault, runs: readonly Run[], outcome: Outcome, say: Plan['say']): Promise<void> {
  const began = Date.now();
  let place: Place | undefined;
  try {
    for (const [i, run] of runs.entries()) {
      const at = Date.now();
      place ??= await Place.open(fault, outcome.seed + i, outcome, (line) => say(`${fault.name}: ${line}`));
      try {
        await run.play(place.stage, (seconds) => {
          outcome.strikes += 1;
          outcome.recovered.push(seconds);
          if (outcome.strikes % 5 === 0) say(`${fault.name}: ${run.what}: ${outcome.strikes} so far`);
        });
        say(`${fault.name}: ${run.what}: ${((Date.now() - at) / 1000).toFixed(1)} s`);
      } catch (error) {
        outcome.strikes += 1;
        outcome.failures.push(`${run.what} (seed ${outcome.seed}): ${(error as Error).message}`);
        say(`${fault.name}: ${run.what}: FAILED: ${(error as Error).stack}\n${place.lastWords()}`);
        // Does not use this cluster for another run.
        await place.close(false);
        place = undefined;
      }
    }
    await place?.close(true);
  } catch (error) {
    outcome.failures.push(`seed ${outcome.seed}: ${(error as Error).message}`);
    say(`${fault.name}: FAILED: ${(error as Error).stack}\n${place?.lastWords() ?? ''}`);
    await place?.close(false).catch(() => undefined);
  }
  outcome.seconds = (Date.now() - began) / 1000;
}

/** A stage with a client. */
class Place {
  readonly stage: Stage;
  private readonly client: Client | undefined;
  private readonly outcome: Outcome;
  private readonly say: Plan['say'];
  private closed = false;

  static async open(fault: Fault, seed: number, outcome: Outcome, say: Plan['say']): Promise<Place> {
    const stage = await Stage.start({ ...fault.stage, seed });
    try {
      const client = fault.client === false ? undefined : await Client.start(stage, new Chance(seed ^ 0x5eed));
      return new Place(stage, client, outcome, say);
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  private constructor(stage: Stage, client: Client | undefined, outcome: Outcome, say: Plan['say']) {
    this.say = say;
    this.stage = stage;
    this.client = client;
    this.outcome = outcome;
  }

  lastWords(): string {
    return this.stage.replicas
      .map(({ service }) => `${service.pid}: ${service.output().split('\n').slice(-12).join('\n')}`)
      .join('\n');
  }

  async close(well: boolean): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { stage, client, outcome, say } = this;
    try {
      if (well) await client?.finish();
      else client?.stop();
      if (well) await stage.observer.caughtUp();
    } finally {
      if (client) {
        outcome.client.done += client.done;
        outcome.client.refused += client.refused;
      }
      await stage.close();
      const { judge, violations } = stage.observer;
      outcome.violations.push(...violations);
      for (const violation of violations) say(`VIOLATION (seed ${outcome.seed}): ${violation}`);
      outcome.judged += judge.seen;
    }
  }
}
