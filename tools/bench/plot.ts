// Draws plots as SVG. They have a background for light and dark pages. The same data give the same bytes.
import { init, use } from 'echarts/core';
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';
import type { Axis, Plot } from './bench.ts';

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const WIDTH = 760;
const HEIGHT = 400;
const INK = '#1f2328';
const FAINT = '#d8dee4';
const PAPER = '#ffffff';
/** Colours that colour-blind people can distinguish (Okabe and Ito), and marks. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const MARKS = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'pin', 'arrow'];

export function plotSvg({ title, x, y, series }: Plot): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    backgroundColor: PAPER,
    color: COLOURS,
    textStyle: { fontFamily: 'system-ui, Helvetica, Arial, sans-serif', color: INK },
    title: { text: title, left: 16, top: 12, textStyle: { fontSize: 16, color: INK } },
    legend: {
      top: 40,
      left: 16,
      itemGap: 28,
      textStyle: { fontSize: 13, color: INK },
      data: series.map(({ name }) => name),
    },
    grid: { left: 80, right: 32, top: 84, bottom: 64 },
    xAxis: axis(x, 36),
    yAxis: axis(y, 60),
    series: series.map(({ name, points, dashed = false }, i) => ({
      name,
      type: 'line',
      data: points.map((point) => [...point]),
      showSymbol: !dashed && points.length <= 40,
      symbol: MARKS[i % MARKS.length],
      symbolSize: 7,
      lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${still(svg)}\n`;
}

/** Removes elements for mouse events, which images do not support. The library also numbers them over the life of the process. */
const still = (svg: string): string =>
  svg
    .replace(/<style\b.*?<\/style>\n?/s, '')
    .replaceAll(/ (class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(/\bzr\d+-/g, 'zr-');

const axis = ({ name, log = false, min, max }: Axis, nameGap: number): object => ({
  type: log ? 'log' : 'value',
  name,
  nameLocation: 'middle',
  nameGap,
  ...(min !== undefined && { min }),
  ...(max !== undefined && { max }),
  nameTextStyle: { fontSize: 13, color: INK },
  axisLabel: { fontSize: 12, color: INK },
  axisLine: { show: true, lineStyle: { color: INK } },
  splitLine: { lineStyle: { color: FAINT } },
});
