// One release: what it waits for, what comes next, its batches of Pods, and its actions.
import { html, nothing, type TemplateResult } from 'lit-html';
import type { ActionView, ApprovalView, Batch, PodDot, ReleaseDetail, Waits } from '../view/dashboard/types.ts';
import { countsText, dot, dots, sign } from './marks.ts';
import { checks, diff, history, policies, traffic, versions } from './panels.ts';
import type { State } from './state.ts';
import { clock, since, told, until } from './time.ts';

export interface DetailHandlers {
  act(action: ActionView): void;
}

export function detail(state: State, handlers: DetailHandlers): TemplateResult {
  const { open = '', detail: shown } = state;
  const [namespace = '', name = ''] = open.split('/');
  if (state.isGone)
    return html`<div class="empty">
      <h2>${name} does not exist</h2>
      <p>There is no Rollout “${name}” in namespace “${namespace}” any more.</p>
      <p><a href="#/">All releases</a></p>
    </div>`;
  if (!shown || shown.row.key !== open) return html`<p class="boot">Reading ${name}…</p>`;
  const { row, release, waits, next } = shown;
  return html`
    <header class="head">
      <p class="path"><a href="#/">All releases</a> <span aria-hidden="true">/</span> ${row.namespace}</p>
      <h2 tabindex="-1" id="title">${row.name}<small>${row.kind} ${row.workload}</small></h2>
      <p class="state tone-${row.tone}">${sign(row.tone)} <b>${row.word}</b> ${aged(row.since)}</p>
      <p class="says">${told(row.says)}</p>
      ${
        release
          ? html`<p class="facts">
              ${fact('Release', release.id)} ${fact('by', release.author)}
              ${release.startedAt === undefined ? nothing : html`<span>started <b>${clock(release.startedAt)}</b></span>`}
              ${release.expected === undefined ? nothing : html`<span>usually takes <b>${release.expected}</b></span>`}
            </p>`
          : nothing
      }
      ${state.connection?.readOnly === true ? commands(shown.actions) : actions(shown.actions, handlers)}
    </header>
    ${
      shown.gaps.length === 0 ? nothing : html`<p class="gaps">${sign('idle')} Not shown: ${shown.gaps.join('; ')}.</p>`
    }
    <div class="columns">
      <div class="main">
        ${
          next || (waits && tellsMore(waits, row.says))
            ? html`<section class="panel now">
                ${waits && tellsMore(waits, row.says) ? waiting(waits, row.says) : nothing}
                ${
                  next
                    ? html`<div>
                        <h3>Next${next.step === undefined ? '' : `: step ${next.step}`}</h3>
                        <p>${told(next.says)}</p>
                      </div>`
                    : nothing
                }
              </section>`
            : nothing
        }
        ${batches(shown)} ${checks(shown.checks)} ${traffic(shown.traffic)} ${diff(shown.diff)}
      </div>
      <div class="side">${versions(shown.versions)} ${policies(shown.policies)} ${history(shown)}</div>
    </div>
  `;
}

const aged = (at: string | undefined) =>
  at === undefined ? nothing : html`<span class="muted">for ${since(at)}</span>`;

const fact = (title: string, value: string | undefined) =>
  value === undefined ? nothing : html`<span>${title} <b>${value}</b></span>`;

const WAITS: Readonly<Record<Waits['for'], string>> = {
  approval: 'Waits for approval',
  time: 'Waits for a timed pause',
  pods: 'Waits for Pods',
  checks: 'Waits for checks',
  policy: 'Waits for a policy',
  person: 'Waits for a person',
  operator: 'Waits for the operator',
  nobody: 'Stopped',
};

/** The sentence at the top is not repeated. */
const tellsMore = ({ says, until: end, approval }: Waits, said: string): boolean =>
  says !== said || end !== undefined || approval !== undefined;

const waiting = (waits: Waits, said: string): TemplateResult =>
  html`<div>
    <h3>${WAITS[waits.for]}${waits.since === undefined ? nothing : html` for ${since(waits.since)}`}</h3>
    ${waits.says === said ? nothing : html`<p>${told(waits.says)}</p>`}
    ${waits.until === undefined ? nothing : html`<p>Continues in <b>${until(waits.until)}</b>, at ${clock(waits.until)}.</p>`}
    ${waits.approval ? approval(waits.approval) : nothing}
  </div>`;

function approval({ given, required, who }: ApprovalView): TemplateResult {
  return html`${
      required === undefined
        ? nothing
        : html`<p class="seats">
            ${Array.from({ length: required }, (_, i) => html`<i class=${i < given.length ? 'seat taken' : 'seat'}></i>`)}
            <span
              >${given.length} of ${required}${given.length > 0 ? html`: <b>${given.join(', ')}</b>` : nothing}</span
            >
          </p>`
    }
    <p class="muted">Required: ${who}</p>`;
}

function actions(all: readonly ActionView[], { act }: DetailHandlers): TemplateResult {
  const possible = all.filter((one) => one.possible);
  const others = all.filter((one) => !one.possible);
  const denied = deniedBy(possible);
  const reasons = [...denied.keys()];
  const idOf = ({ verdict }: ActionView): string | undefined =>
    verdict?.allowed === false ? `denied-${reasons.indexOf(verdict.why)}` : undefined;
  return html`<div class="actions">
      ${possible.map((action, i) => button(action, i === 0 && action.name === 'approve', idOf(action), act))}
      ${
        others.length === 0
          ? nothing
          : html`<details class="others">
              <summary>${possible.length === 0 ? 'No action is possible now' : 'Not possible now'}</summary>
              <dl>
                ${others.map(
                  ({ label, why }) =>
                    html`<div>
                      <dt>${label}</dt>
                      <dd>${told(why)}</dd>
                    </div>`,
                )}
              </dl>
            </details>`
      }
    </div>
    ${
      reasons.length === 0
        ? nothing
        : html`<ul class="denied">
            ${reasons.map((why, i) => html`<li id="denied-${i}"><b>${denied.get(why)!.join(', ')}</b>: ${told(why)}</li>`)}
          </ul>`
    }`;
}

/** The labels of the actions that the API server refuses, by its reason: several actions often have the same one. */
function deniedBy(all: readonly ActionView[]): ReadonlyMap<string, readonly string[]> {
  const labels = new Map<string, string[]>();
  for (const { label, verdict } of all)
    if (verdict?.allowed === false) labels.set(verdict.why, [...(labels.get(verdict.why) ?? []), label]);
  return labels;
}

/** Their dialogs ask whether they are possible, because each question costs the webhooks one of their own. */
const LATER: ReadonlySet<string> = new Set(['jump', 'finish']);

/** It can be reached with the keyboard when it is not allowed, too, so that the reason can be read. */
function button(
  action: ActionView,
  isFirst: boolean,
  denied: string | undefined,
  act: (action: ActionView) => void,
): TemplateResult {
  const { name, label, danger, verdict, says } = action;
  const isLater = verdict === undefined && LATER.has(name);
  const isAllowed = isLater || verdict?.allowed === true;
  return html`<button
    type="button"
    class="act ${isFirst ? 'first' : ''} ${danger ? 'danger' : ''}"
    data-action=${name}
    aria-disabled=${isAllowed ? nothing : 'true'}
    aria-describedby=${denied ?? nothing}
    title=${verdict === undefined && !isLater ? 'Asking the API server whether you may…' : (says ?? nothing)}
    @click=${() => isAllowed && act(action)}
  >
    ${label}${verdict === undefined && !isLater ? html`<span class="asking" aria-hidden="true"></span>` : nothing}
  </button>`;
}

/** Read-only: what to type in a terminal. */
const commands = (all: readonly ActionView[]): TemplateResult =>
  html`<details class="others commands">
    <summary>Commands for a terminal (this dashboard is read-only)</summary>
    <dl>
      ${all
        .filter(({ possible }) => possible)
        .map(
          ({ label, command }) =>
            html`<div>
              <dt>${label}</dt>
              <dd><code>${command}</code></dd>
            </div>`,
        )}
    </dl>
  </details>`;

function batches({ batches: all, surplus }: ReleaseDetail): TemplateResult | typeof nothing {
  if (all.length === 0) return nothing;
  return html`<section class="panel">
    <h3>Pods</h3>
    <ol class="batches">
      ${all.map(batch)}
      ${
        surplus && surplus.pods.length > 0
          ? html`<li class="batch surplus">
              <span class="label"><b>extra</b><small>of old versions, during a surge</small></span
              >${dots(surplus)}
            </li>`
          : nothing
      }
    </ol>
    ${legend(all)}
  </section>`;
}

function batch(one: Batch): TemplateResult {
  const troubles = troublesOf(one.dots.pods);
  // The user may not read them: the page says so at its top.
  const isHidden = one.size > 0 && one.dots.pods.length === 0;
  return html`<li class="batch ${one.progress}" aria-current=${one.progress === 'current' ? 'step' : nothing}>
    <span class="label">
      <b>${one.label}</b>
      <small
        >${one.step === undefined ? '' : `step ${one.step} · `}${one.size} ${one.size === 1 ? 'Pod' : 'Pods'}</small
      >
    </span>
    <span class="cells">
      ${isHidden ? nothing : dots(one.dots)}
      ${one.then === undefined ? nothing : html`<small class="then">${one.then}</small>`}
      ${
        troubles.length === 0
          ? nothing
          : html`<ul class="troubles">
              ${troubles.map(({ pod, why, more }) => html`<li>${dot(pod)} <b>${why}</b> ${pod.name}${more}</li>`)}
            </ul>`
      }
    </span>
    <span class="tally">${isHidden ? 'not shown' : countsText(one.dots)}</span>
  </li>`;
}

/** The reasons of Pods that fail, each with a Pod and how many others have it. */
function troublesOf(pods: readonly PodDot[]): { pod: PodDot; why: string; more: string }[] {
  const byReason = new Map<string, PodDot[]>();
  for (const pod of pods)
    if (pod.state === 'failing') {
      const why = pod.why ?? 'failing';
      byReason.set(why, [...(byReason.get(why) ?? []), pod]);
    }
  return [...byReason].map(([why, [pod, ...others]]) => ({
    pod: pod!,
    why,
    more:
      (pod!.node === undefined ? '' : ` on ${pod!.node}`) +
      (pod!.restarts === undefined ? '' : `, ${pod!.restarts} restarts`) +
      (others.length === 0 ? '' : `, and ${others.length} more`),
  }));
}

const LEGEND = [
  ['new', 'available', 'new'],
  ['stable', 'available', 'stable'],
  ['abandoned', 'available', 'abandoned'],
] as const;
const STATES = [
  ['available', 'available'],
  ['ready', 'Ready'],
  ['starting', 'starting'],
  ['failing', 'failing'],
  ['leaving', 'terminating'],
  ['missing', 'not created'],
] as const;

/** Only for what is there. */
function legend(all: readonly Batch[]): TemplateResult {
  const pods = all.flatMap((one) => one.dots.pods);
  const hasVersion = new Set(pods.map(({ version }) => version));
  const hasState = new Set(pods.map(({ state }) => state));
  return html`<p class="legend" aria-hidden="true">
    ${LEGEND.filter(([version]) => hasVersion.has(version)).map(
      ([version, , word]) => html`<span>${dot({ version, state: 'available' })} ${word}</span>`,
    )}
    <span class="gap"></span>
    ${
      hasState.size === 1 && hasState.has('available')
        ? html`<span>all available</span>`
        : STATES.filter(([state]) => hasState.has(state)).map(
            ([state, word]) => html`<span>${dot({ version: 'new', state })} ${word}</span>`,
          )
    }
  </p>`;
}

/** For the live region: what a person would say about the change. */
export const spoken = ({ row }: ReleaseDetail): string => `${row.name}: ${row.word}. ${told(row.says)}`;
