// The list of releases: those that wait for a person first.
import { html, nothing, type TemplateResult } from 'lit-html';
import { guard } from 'lit-html/directives/guard.js';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Figures, RankName, ReleaseRow } from '../view/dashboard/types.ts';
import { staleness } from './frame.ts';
import { sign, strip } from './marks.ts';
import { fittingRows, type State } from './state.ts';
import { since, told, until } from './time.ts';

const TITLES: readonly (readonly [RankName, string])[] = [
  ['person', 'Waits for a person'],
  ['failing', 'Cannot continue'],
  ['motion', 'In progress'],
  ['rest', 'No release'],
];

export const linkTo = (key: string): string => `#/${key.split('/').map(encodeURIComponent).join('/')}`;

export function overview(state: State, onFilter: (text: string) => void): TemplateResult {
  const { summary } = state;
  // The banner says why there is nothing.
  if (!summary) return html`<p class="boot">${staleness(state) ? 'No Rollout is known yet.' : 'Reading Rollouts…'}</p>`;
  const rows = fittingRows(state).slice(0, state.most);
  return html`
    <div class="tools">
      <label class="filter"
        ><span class="hidden-text">Filter</span
        ><input
          id="filter"
          type="search"
          placeholder="Filter by name, namespace, image, author"
          autocomplete="off"
          spellcheck="false"
          .value=${state.filter}
          @input=${(event: InputEvent) => onFilter((event.target as HTMLInputElement).value)}
        /><kbd aria-hidden="true">/</kbd></label
      >
      ${figures(summary.figures)}
    </div>
    ${summary.empty === undefined ? nothing : empty(summary.empty)}
    ${
      rows.length === 0 && summary.empty === undefined
        ? html`<p class="none">No release matches “${state.filter}”.</p>`
        : nothing
    }
    ${TITLES.map(([rank, title]) =>
      group(
        title,
        rank,
        rows.filter((row) => row.rank === rank),
        state,
      ),
    )}
    ${summary.leftOut > 0 ? html`<p class="none">${summary.leftOut} more are not shown: choose a namespace with -n.</p>` : nothing}
  `;
}

function empty(text: string): TemplateResult {
  const [words = '', command] = text.split(/: (?=kubectl )/);
  return html`<div class="empty">
    <h2>Nothing to show yet</h2>
    <p>${words}${command === undefined ? nothing : ':'}</p>
    ${command === undefined ? nothing : html`<pre tabindex="0">${command}</pre>`}
  </div>`;
}

const group = (title: string, rank: RankName, rows: readonly ReleaseRow[], state: State) =>
  rows.length === 0
    ? nothing
    : html`<section class="group" aria-labelledby="rank-${rank}">
        <h2 id="rank-${rank}">
          ${title} <span class="count">${state.filter === '' ? state.summary?.counts[rank] : rows.length}</span>
        </h2>
        <ul class="rows">
          ${repeat(
            rows,
            ({ key }) => key,
            (one) => html`<li>${guard([one, state.open === one.key], () => row(one, state.open === one.key))}</li>`,
          )}
        </ul>
      </section>`;

function row(one: ReleaseRow, isOpen: boolean): TemplateResult {
  const { key, name, namespace, kind, workload, tone, word, says, step, pods, images, moreImages, author } = one;
  const of = kind === 'Deployment' && workload === name ? namespace : `${namespace} · ${kind} ${workload}`;
  const more = moreImages === undefined ? '' : ` +${moreImages}`;
  return html`<a class="row tone-${tone}" href=${linkTo(key)} data-key=${key} aria-current=${isOpen ? 'true' : nothing}>
    ${sign(tone)}
    <span class="who"><b>${name}</b><small>${of}</small></span>
    <span class="what"><span class="word">${word}</span><small>${told(says)}</small></span>
    <span class="plan">
      ${step && step.of > 0 ? html`${strip(one.strip)}<small>step ${step.current} of ${step.of}</small>` : nothing}
    </span>
    <span class="pods">${podsText(pods)}</span>
    <span class="from"><span>${images.map(shortImage).join(', ')}${more}</span><small>${author}</small></span>
    <span class="age">${one.until === undefined ? since(one.since) : html`<small>in</small> ${until(one.until)}`}</span>
  </a>`;
}

function podsText({ updated, available, wanted }: ReleaseRow['pods']): TemplateResult | typeof nothing {
  if (wanted === undefined) return nothing;
  const isLow = available !== undefined && available < wanted;
  return html`${updated === undefined ? nothing : html`<span class="line"><b>${updated}</b> of ${wanted} new</span>`}<small
      class=${isLow ? 'low' : ''}
      >${available ?? '?'} of ${wanted} available</small
    >`;
}

/** Without registry and folders, which rarely differ. */
const shortImage = (image: string): string => image.slice(image.lastIndexOf('/') + 1);

const FIGURES = [
  ['leadTime', 'Lead time'],
  ['frequency', 'Releases'],
  ['failureRate', 'Rolled back'],
  ['timeToRestore', 'Time to restore'],
] as const;

/** DORA's four. */
export function figures(all: Figures): TemplateResult {
  const known = FIGURES.flatMap(([name, title]) => {
    const figure = all[name];
    return figure ? [{ title, ...figure }] : [];
  });
  if (known.length === 0) return html`<p class="figures none">${all.missing}</p>`;
  return html`<dl class="figures">
    ${known.map(
      ({ title, text, says }) =>
        html`<div title=${says}>
          <dt>${title}</dt>
          <dd>${text}</dd>
        </div>`,
    )}
  </dl>`;
}
