// Writes the report and the plots of a run, and the page with all stored reports. Reports of other benches are not changed.
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

export async function writePage(folder: string, benches: readonly Bench<unknown>[]): Promise<void> {
  const parts = benches.map((bench): Part => {
    const report = read<Report>(folder, bench.name);
    return { name: bench.name, title: bench.title, report, sections: report ? bench.describe(report.data) : [] };
  });
  const plots = parts.flatMap(({ sections }) => sections.flatMap((section) => section.plots ?? []));
  const results = path.join(folder, 'performance');
  mkdirSync(results, { recursive: true });
  for (const file of readdirSync(results)) if (file.endsWith('.svg')) rmSync(path.join(results, file));
  for (const plot of plots) writeFileSync(path.join(results, `${plot.file}.svg`), plotSvg(plot));
  await write(path.join(folder, 'performance.md'), pageText(parts, read<Faster[]>(folder, 'faster') ?? []));
}

function read<T>(folder: string, name: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path.join(folder, 'performance', `${name}.json`), 'utf8')) as T;
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
