// Writes the report and the plots of a run, and the page with all stored reports. Reports of other benches are not changed, and neither are parts of the
// page that belong to them or were written by hand.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { Bench, Report } from './bench.ts';
import { plotSvg } from './plot.ts';
import { pageText, type Faster, type Part } from './text.ts';

/** A directory like docs/reports/: performance.md, and performance/ with the other files. */
export async function writeReport(folder: string, report: Report): Promise<void> {
  await write(path.join(folder, 'performance', `${report.bench}.json`), JSON.stringify(report));
}

/** `isNew`: the bench ran now. The page keeps what it says about the others. */
export async function writePage(
  folder: string,
  benches: readonly Bench<unknown>[],
  isNew: (bench: Bench<unknown>) => boolean,
): Promise<void> {
  const page = path.join(folder, 'performance.md');
  const before = readText(page) ?? '';
  const reports = benches.map((bench) => {
    const report = read<Report>(folder, bench.name);
    return { bench, report, sections: report && bench.describe(report.data) };
  });
  const parts = reports.map(({ bench, report, sections }): Part => {
    const isShown = isNew(bench) || !before.includes(`\n## ${bench.title}\n`);
    return { name: bench.name, title: bench.title, report, sections: isShown ? sections : undefined };
  });
  const plots = reports.flatMap(({ sections = [] }) => sections.flatMap((section) => section.plots ?? []));
  const results = path.join(folder, 'performance');
  mkdirSync(results, { recursive: true });
  for (const file of readdirSync(results)) if (file.endsWith('.svg')) rmSync(path.join(results, file));
  for (const plot of plots) writeFileSync(path.join(results, `${plot.file}.svg`), plotSvg(plot));
  await write(page, pageText(parts, read<Faster[]>(folder, 'faster') ?? [], before));
}

function read<T>(folder: string, name: string): T | undefined {
  const text = readText(path.join(folder, 'performance', `${name}.json`));
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Formatted by prettier, so that lint passes. */
async function write(file: string, text: string): Promise<void> {
  mkdirSync(path.dirname(file), { recursive: true });
  const options = await resolveConfig(file);
  writeFileSync(file, await format(text, { ...options, filepath: file }));
}
