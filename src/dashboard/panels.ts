// The panels of a release that explain it: checks, traffic, templates, versions, policies and history.
import { html, nothing, type TemplateResult } from 'lit-html';
import type {
  CheckPanel,
  Diff,
  HistoryItem,
  Policies,
  ReleaseDetail,
  Traffic,
  VersionView,
} from '../view/dashboard/types.ts';
import { dot, number, plot, sign } from './marks.ts';
import { figures } from './overview.ts';
import { clock, duration, since, told, until } from './time.ts';

type Part = TemplateResult | typeof nothing;

export const checks = (all: readonly CheckPanel[]): Part =>
  all.length === 0
    ? nothing
    : html`<section class="panel">
        <h3>Checks</h3>
        <ul class="checks">
          ${all.map(check)}
        </ul>
      </section>`;

function check({
  name,
  tone,
  word,
  says,
  limit,
  ifWorse,
  n,
  evidence,
  alarm,
  acceptedBy,
  ...one
}: CheckPanel): TemplateResult {
  return html`<li class="check">
    <div>
      <p class="verdict tone-${tone}">${sign(tone)} <b>${name}</b> <span>${word}</span></p>
      ${says === undefined ? nothing : html`<p>${told(says)}</p>`}
      <p class="muted">${[limit, `if it is Worse, ${ifWorse}`].filter((text) => text !== undefined).join('; ')}</p>
      ${acceptedBy === undefined ? nothing : html`<p>Accepted by <b>${acceptedBy.join(', ')}</b></p>`}
    </div>
    <div class="evidence">
      ${one.plot ? plot(one.plot, tone) : nothing}
      ${
        evidence === undefined
          ? nothing
          : html`<small
              >evidence <b>${number(evidence)}</b>${alarm === undefined ? nothing : html` of ${number(alarm)}`}${
                n === undefined ? nothing : html`, ${n} requests`
              }</small
            >`
      }
    </div>
  </li>`;
}

export const traffic = (shown: Traffic | undefined): Part =>
  shown === undefined
    ? nothing
    : html`<section class="panel">
        <h3>Traffic</h3>
        <ul class="shares">
          ${shown.shares.map(
            ({ version, percent }) =>
              html`<li>
                ${dot({ version, state: 'available' })} <span>${version} version</span>
                <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                  <rect class="track" width="100" height="8" />
                  <rect class=${version} width=${percent} height="8" />
                </svg>
                <b>${percent} %</b>
              </li>`,
          )}
        </ul>
        <p class="muted">${shown.says}</p>
      </section>`;

const MARKS = { add: '+', remove: '−', context: ' ', gap: '⋯' } as const;
const SPOKEN = { add: 'added: ', remove: 'removed: ', context: '', gap: '' } as const;

export function diff(shown: Diff | undefined): Part {
  if (!shown) return nothing;
  if (shown.lines.length === 0)
    return html`<section class="panel">
      <h3>Changes</h3>
      <p class="muted">The Pod templates are equal.</p>
    </section>`;
  return html`<section class="panel">
    <details open>
      <summary>
        <h3>Changes</h3>
        <span class="muted"
          >${shown.from} → ${shown.to} · <span class="add">+${shown.added}</span>
          <span class="remove">−${shown.removed}</span></span
        >
      </summary>
      <div class="diff" tabindex="0" role="region" aria-label="Changes of the Pod template">
        ${shown.lines.map(
          ({ kind, text }) =>
            html`<div class=${kind}>
              <span aria-hidden="true">${MARKS[kind]}</span><span class="hidden-text">${SPOKEN[kind]}</span
              ><code>${text}</code>
            </div>`,
        )}
      </div>
      ${shown.cut ? html`<p class="muted">More lines are left out.</p>` : nothing}
    </details>
  </section>`;
}

export const versions = (all: readonly VersionView[]): Part =>
  all.length === 0
    ? nothing
    : html`<section class="panel">
        <h3>Versions</h3>
        <ul class="versions">
          ${all.map(
            ({ version, keeper, revision, images, pods, available }) =>
              html`<li>
                ${dot({ version, state: 'available' })}
                <div>
                  <p>
                    <b>${version}</b>${revision === undefined ? nothing : html` · revision ${revision}`}
                    <span class="muted">${available} of ${pods} available</span>
                  </p>
                  ${images.map((image) => html`<p class="image">${breakable(image)}</p>`)}
                  <p class="muted">${keeper}</p>
                </div>
              </li>`,
          )}
        </ul>
      </section>`;

/** May be broken after `/` and before `:`, so that the tag stays in one piece. */
const breakable = (image: string): Part[] =>
  image.split(/(?<=\/)|(?=:)/).map((part, i) => (i === 0 ? html`${part}` : html`<wbr />${part}`));

export function policies({ known, list }: Policies): Part {
  if (known && list.length === 0) return nothing;
  return html`<section class="panel">
    <h3>Policies</h3>
    ${known ? nothing : html`<p class="muted">You may not read ReleasePolicies, so their effect is not shown.</p>`}
    <ul class="policies">
      ${list.map(
        ({ name, enforcement, holds, says, until: end }) =>
          html`<li class=${holds ? 'holds' : ''}>
            <p>
              ${sign(holds ? 'moving' : 'idle')} <b>${name}</b> <span class="muted">${enforcement}</span>
              ${holds ? html`<span class="tag">holds this release</span>` : nothing}
              ${end === undefined ? nothing : html`<span class="muted">for ${until(end)} more</span>`}
            </p>
            ${says.map((text) => html`<p class="muted">${told(text)}</p>`)}
          </li>`,
      )}
    </ul>
  </section>`;
}

export function history({ history: all, figures: own }: ReleaseDetail): Part {
  return html`<section class="panel">
    <h3>History</h3>
    ${figures(own)}
    ${
      all.length === 0
        ? html`<p class="muted">No release has started yet.</p>`
        : html`<ol class="history">
            ${all.map(item)}
          </ol>`
    }
  </section>`;
}

function item(one: HistoryItem): TemplateResult {
  const title = [
    ...(one.revision === undefined ? [] : [`revision ${one.revision}`]),
    ...(one.version === undefined ? [] : [one.version]),
  ].join(' · ');
  return html`<li>
    ${sign(one.tone)}
    <div>
      <p>
        <b>${one.outcome}</b> <span class="muted">${title}</span>
        <span class="when muted"
          >${one.endedAt === undefined ? since(one.startedAt) : html`${since(one.endedAt)} ago`}</span
        >
      </p>
      <p class="muted">
        ${[
          ...(one.author === undefined ? [] : [`by ${one.author}`]),
          ...(one.startedAt === undefined ? [] : [clock(one.startedAt)]),
          ...(one.seconds === undefined ? [] : [`took ${duration(one.seconds * 1000)}`]),
        ].join(' · ')}
      </p>
      ${one.bypassed === undefined ? nothing : html`<p>Bypassed: ${one.bypassed}</p>`}
      ${
        one.approvals.length === 0
          ? nothing
          : html`<p class="muted">
              approved: ${one.approvals.map(({ what, user }) => `${what} by ${user}`).join(', ')}
            </p>`
      }
      ${
        one.checks.length === 0
          ? nothing
          : html`<p class="verdicts">
              ${one.checks.map(({ name, verdict, tone }) => html`<span class="tone-${tone}">${name}: ${verdict}</span>`)}
            </p>`
      }
      ${one.brokenGlass.map(({ user, reason }) => html`<p>Policies overridden by <b>${user}</b>: ${reason}</p>`)}
    </div>
  </li>`;
}
