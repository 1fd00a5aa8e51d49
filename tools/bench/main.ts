// `make bench`: runs the benches, stores their results, and writes docs/reports/performance.md. ONLY=NAME runs one bench, and ONLY=page only
// writes the page. QUICK=1 makes a short run and writes to .cache/bench. SECONDS=N sets the duration of the soak. With BIN=PROGRAM, the benches of the
// operator and of traffic run on a real control plane. That of the operator compares with the checkout in SRC, and with Argo Rollouts and OpenKruise Rollouts
// in ARGO and KRUISE; PARTS chooses parts of it.
import { fileURLToPath } from 'node:url';
import { endAll, endAllOnSignals } from '../../test/support/processes.ts';
import { admissionBench } from './admission/bench.ts';
import { analysisBench } from './analysis/bench.ts';
import type { Bench, Report } from './bench.ts';
import { operatorBench } from './operator/bench.ts';
import { readMachine } from './machine.ts';
import { planeBench } from './plane/bench.ts';
import { ChoiceError } from './plane/choice.ts';
import { soakBench } from './soak/bench.ts';
import { trafficBench, trafficPlaneBench } from './traffic/bench.ts';
import { writePage, writeReport } from './write.ts';

const { BIN: bin = '', SRC: src, ARGO: argo, KRUISE: kruise, PARTS: parts = '' } = process.env;

const folderOf = (quick: boolean): string =>
  fileURLToPath(new URL(quick ? '../../.cache/bench' : '../../docs/reports', import.meta.url));

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function runOne(bench: Bench<unknown>, quick: boolean, seconds: number | undefined): Promise<Report> {
  const machine = readMachine();
  const began = performance.now();
  const startedAt = new Date().toISOString();
  const progress = (line: string): void => {
    print(`${bench.name} ${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}`);
  };
  const data = await bench.run({ quick, seconds, progress });
  return { bench: bench.name, startedAt, seconds: (performance.now() - began) / 1000, quick, machine, data };
}

/** Returns the exit code. */
async function main(): Promise<number> {
  const { ONLY: only = '', QUICK: quickText = '', SECONDS: secondsText = '' } = process.env;
  const plane = planeBench({ bin, src, argo, kruise, parts });
  const trafficPlane = trafficPlaneBench(bin);
  /** In the order of the page. */
  const benches: readonly Bench<unknown>[] = [
    ...[admissionBench, plane, operatorBench, trafficPlane, trafficBench, analysisBench, soakBench],
  ];
  /** With BIN, they take the place of others. */
  const onPlane = new Map<Bench<unknown>, Bench<unknown>>([
    [plane, operatorBench],
    [trafficPlane, trafficBench],
  ]);
  const names = benches.filter((bench) => !onPlane.has(bench)).map(({ name }) => name);
  if (only !== '' && only !== 'page' && !names.includes(only)) {
    print(`bench: ONLY: Unsupported value: ${JSON.stringify(only)}: write one of ${[...names, 'page'].join(', ')}`);
    return 2;
  }
  if (!/^\d*$/.test(secondsText)) {
    print(`bench: SECONDS: Invalid value: ${JSON.stringify(secondsText)}: must be a whole number`);
    return 2;
  }
  const quick = quickText !== '' && quickText !== '0';
  const seconds = secondsText === '' ? undefined : Number(secondsText);
  const folder = folderOf(quick);
  const failures: string[] = [];
  const isChosen = (bench: Bench<unknown>): boolean => {
    const other = onPlane.get(bench);
    if (other !== undefined) return bin !== '' && (only === '' || only === other.name);
    return only === '' || (only === bench.name && !(bin !== '' && [...onPlane.values()].includes(bench)));
  };
  for (const bench of benches.filter(isChosen)) {
    try {
      const report = await runOne(bench, quick, seconds);
      await writeReport(folder, report);
      const failure = bench.failure?.(report.data);
      if (failure !== undefined) failures.push(`${bench.name}: ${failure}`);
    } catch (error) {
      // Continues with the other benches.
      failures.push(`${bench.name}: cannot measure: ${(error as Error).stack ?? String(error)}`);
    }
    await endAll();
  }
  await writePage(folder, benches, (bench) => only === 'page' || isChosen(bench));
  print(`written: ${folder}/performance.md`);
  for (const failure of failures) print(`FAILED ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

endAllOnSignals();
process.exit(
  await main().catch((error: unknown) => {
    if (!(error instanceof ChoiceError)) throw error;
    print(`bench: ${error.message}`);
    return 2;
  }),
);
