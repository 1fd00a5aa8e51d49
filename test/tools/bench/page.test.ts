// The page and its plots, out of numbers.
import assert from 'node:assert/strict';
import type { Plot, Report } from '../../../tools/bench/bench.ts';
import { plotSvg } from '../../../tools/bench/plot.ts';
import { pageText, shown, tableText } from '../../../tools/bench/text.ts';

const report: Report = {
  bench: 'admission',
  startedAt: '2026-03-01T10:20:30.000Z',
  seconds: 120,
  quick: false,
  machine: {
    cpu: 'A CPU',
    cores: 2,
    memoryMiB: 8192,
    os: 'An OS',
    node: '24.0.0',
    openssl: '3.5',
    packages: { express: '5.0.0' },
    commit: 'abc',
    loadAverage: 0.1,
  },
  data: {},
};

describe('the page of figures', () => {
  it('shows three digits that count', () => {
    const numbers = [0, 0.012345, 1.2345, 12.345, 123.45, 1234.5, 1234567, NaN];
    assert.deepEqual(numbers.map(shown), ['0', '0.0123', '1.23', '12.3', '123', '1,235', '1,234,567', '–']);
  });

  it('puts numbers to the right, and lets nothing break a table', () => {
    const text = tableText({ head: ['what', 'ms', 'words'], rows: [['a|b', 1, 'x']] });
    assert.equal(text, ['| what | ms | words |', '| --- | --: | --- |', '| a\\|b | 1 | x |'].join('\n'));
  });

  it('names the machine, says which goals are met, and what is not measured', () => {
    const goals = [{ what: 'throughput', goal: '60 %', measured: '50 %', met: false }];
    const sections = [{ heading: 'Next to express', text: ['Words.'], goals, plots: [plot] }];
    const page = pageText(
      [
        { name: 'admission', title: 'Admission', report, sections },
        { name: 'soak', title: 'Soak', report: undefined, sections: [] },
      ],
      [],
    );
    assert.match(page, /2026-03-01 10:20 UTC in 2 minutes, at commit abc, on A CPU \(2 cores, 8 GiB\)/);
    assert.match(page, /\| throughput \| 60 % \| 50 % \| \*\*no\*\* \|/);
    assert.match(page, /!\[Latency\]\(performance\/latency\.svg\)/);
    assert.match(page, /## Soak\n\nNot measured yet\./);
    assert.doesNotMatch(page, /short run/);
  });

  it('keeps what was written by hand in the place of a report', () => {
    const before = '# Figures\n\n## Soak\n\nBy hand.\n\n### More\n\n| a |\n\n## Improvements\n\nOld.\n';
    const part = { name: 'soak', title: 'Soak', report: undefined, sections: [] };
    assert.match(pageText([part], [], before), /## Soak\n\nBy hand\.\n\n### More\n\n\| a \|\s*$/);
    assert.match(pageText([{ ...part, report, sections: undefined }], [], before), /By hand/, 'of an older report');
    assert.doesNotMatch(pageText([{ ...part, report }], [], before), /By hand/);
  });

  it('says that a short run is one', () => {
    const quick = { name: 'admission', title: 'Admission', report: { ...report, quick: true }, sections: [] };
    assert.match(pageText([quick], []), /these numbers only show that the bench works/);
  });
});

const plot: Plot = {
  file: 'latency',
  title: 'Latency',
  x: { name: 'requests per second' },
  y: { name: 'p99 (ms)', log: true },
  series: [
    {
      name: 'tranche',
      points: [
        [100, 1],
        [200, 10],
      ],
    },
    {
      name: 'goal',
      dashed: true,
      points: [
        [100, 2],
        [200, 2],
      ],
    },
  ],
};

describe('a plot', () => {
  it('is the same SVG whenever the numbers are, with its axes named and on its own background', () => {
    const svg = plotSvg(plot);
    plotSvg({ ...plot, title: 'another in between' });
    assert.ok(plotSvg(plot) === svg);
    for (const words of ['Latency', 'requests per second', 'p99 (ms)', 'tranche', 'goal', '#ffffff']) {
      assert.ok(svg.includes(words), words);
    }
  });
});
