// Small drawings: the icon of a tone, the strip of steps, the Pods of a batch, and the plot of a check. Each differs by shape and not by colour alone.
import { html, nothing, svg, type TemplateResult } from 'lit-html';
import type { Dots, Plot, PodDot, PodState, PodVersion, StripStep, Tone } from '../view/dashboard/types.ts';

type Drawing = TemplateResult<2>;

/** 16 × 16. A hand-sized sign for each tone. */
const SIGNS: Readonly<Record<Tone, Drawing>> = {
  waits: svg`<path d="M8 1.2 14.8 8 8 14.8 1.2 8Z" class="fill" /><path d="M6.4 5.6v4.8M9.6 5.6v4.8" class="cut" />`,
  bad: svg`<path d="M8 1.4 15.2 14.2H.8Z" class="fill" /><path d="M8 6v3.6M8 11.6v.6" class="cut" />`,
  moving: svg`<circle cx="8" cy="8" r="6.2" class="line" /><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4Z" class="fill" />`,
  done: svg`<circle cx="8" cy="8" r="7" class="fill" /><path d="M4.8 8.2 7.1 10.5 11.3 5.9" class="cut" />`,
  idle: svg`<circle cx="8" cy="8" r="5.6" class="line" />`,
};

/** Decorative: the words are next to it. */
export const sign = (tone: Tone): TemplateResult =>
  html`<svg class="sign tone-${tone}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    ${SIGNS[tone]}
  </svg>`;

/** The plan as a line: one part per step, as long as its share of the Pods. */
export function strip(steps: readonly StripStep[]): TemplateResult | typeof nothing {
  if (steps.length === 0) return nothing;
  let from = 0;
  const parts = steps.map(({ percent, progress }) => {
    const part = { x: from, width: Math.max(2, percent - from), progress };
    from = Math.max(from, percent);
    return part;
  });
  return html`<svg class="strip" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    ${parts.map(
      ({ x, width, progress }) =>
        svg`<rect class=${progress} x=${Math.min(x, 98)} y="0" width=${Math.max(1, width - 1)} height="8" />`,
    )}
    ${from < 100 ? svg`<rect class="ahead rest" x=${from} y="0" width=${100 - from} height="8" />` : nothing}
  </svg>`;
}

const STATE_WORDS: Readonly<Record<PodState, string>> = {
  available: 'available',
  ready: 'Ready, not available yet',
  starting: 'starting',
  failing: 'failing',
  leaving: 'terminating',
  missing: 'not created yet',
};
const VERSION_WORDS: Readonly<Record<PodVersion, string>> = { new: 'new', stable: 'stable', abandoned: 'abandoned' };
export const POD_STATES = Object.keys(STATE_WORDS) as readonly PodState[];

/** `4 available, 1 failing`. */
export const countsText = ({ counts }: Dots): string =>
  POD_STATES.filter((state) => counts[state] > 0)
    .map((state) => `${counts[state]} ${STATE_WORDS[state]}`)
    .join(', ') || 'no Pods';

const dotTitle = ({ name = 'a Pod', version, state, why, node, restarts }: PodDot): string =>
  [
    `${name}: ${VERSION_WORDS[version]} version, ${STATE_WORDS[state]}`,
    ...(why === undefined ? [] : [why]),
    ...(restarts === undefined ? [] : [`${restarts} restarts`]),
    ...(node === undefined ? [] : [`on ${node}`]),
  ].join(' · ');

export const dot = (pod: Pick<PodDot, 'version' | 'state'>, title?: string): TemplateResult =>
  html`<i class="dot ${pod.version} ${pod.state}" title=${title ?? nothing}></i>`;

/** The Pods of a batch. A screen reader gets their numbers. */
export const dots = (all: Dots): TemplateResult =>
  html`<span class="dots" role="img" aria-label=${countsText(all)}
    >${all.pods.map((pod) => dot(pod, dotTitle(pod)))}${
      all.leftOut > 0 ? html`<span class="more">+${all.leftOut}</span>` : nothing
    }</span
  >`;

const WIDTH = 220;
const HEIGHT = 44;
const EDGE = 3;

/** A line of the values over time, with the limit as a dashed line. */
export function plot({ what, points, limit }: Plot, tone: Tone): TemplateResult | typeof nothing {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || first === last) return nothing;
  const scale = (value: number): number => (what === 'evidence' ? Math.log10(Math.max(1, value)) : value);
  const top = Math.max(...points.map(({ value }) => scale(value)), limit === undefined ? 0 : scale(limit), 1e-9) * 1.08;
  const [from, to] = [Date.parse(first.at), Date.parse(last.at)];
  const x = (at: string): number => EDGE + ((Date.parse(at) - from) / Math.max(1, to - from)) * (WIDTH - 2 * EDGE);
  const y = (value: number): number => HEIGHT - EDGE - (scale(value) / top) * (HEIGHT - 2 * EDGE);
  const line = points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const label =
    `${what === 'evidence' ? 'evidence' : 'share of bad requests'}: ${number(last.value)} now` +
    (limit === undefined ? '' : `, Worse at ${number(limit)}`);
  return html`<svg class="plot tone-${tone}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label}>
    ${
      limit === undefined
        ? nothing
        : svg`<line class="limit" x1="0" x2=${WIDTH} y1=${y(limit).toFixed(1)} y2=${y(limit).toFixed(1)} />`
    }
    <polyline class="area" points="${EDGE},${HEIGHT - EDGE} ${line} ${WIDTH - EDGE},${HEIGHT - EDGE}" />
    <polyline class="line" points=${line} />
    <circle class="end" cx=${x(last.at).toFixed(1)} cy=${y(last.value).toFixed(1)} r="2.6" />
  </svg>`;
}

/** `0.07`, `2.5`, `480`, `12000`. */
export const number = (value: number): string =>
  value >= 100 ? `${Math.round(value)}` : `${Number(value.toPrecision(2))}`;
