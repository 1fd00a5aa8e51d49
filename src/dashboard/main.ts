// The page: takes the token from the address, follows the stream, and draws what the state says.
import { html, nothing, render } from 'lit-html';
import { detail, spoken } from './detail.ts';
import { dialog, newDraft, type Draft } from './dialog.ts';
import { bar, locked, notice, staleBanner, staleness } from './frame.ts';
import { onKey } from './keys.ts';
import { check, send } from './request.ts';
import { overview } from './overview.ts';
import { fittingRows, state, take } from './state.ts';
import { Stream } from './stream.ts';
import { setServerClock, updateAges } from './time.ts';
import type { ActionView } from '../view/dashboard/types.ts';

const STORED = 'tranche-token';
/** A good result goes away by itself. It is also in the release. */
const NOTICE_MS = 12_000;
/** After this time, a dialog asks again if the API server could not say whether an action is possible. */
const ASK_AGAIN_MS = 3_000;
const app = document.getElementById('app')!;
const live = document.getElementById('status')!;
let draft: Draft = newDraft({} as ActionView);
let isDue = false;
let said = '';

/** The token leaves the address at once: not in a picture of the window, not in a copied address. This tab keeps it until it is closed. */
function takeToken(): string {
  const fragment = location.hash.slice(1);
  if (/^[\w-]{40,}$/.test(fragment)) {
    sessionStorage.setItem(STORED, fragment);
    history.replaceState(null, '', '/#/');
  }
  return sessionStorage.getItem(STORED) ?? '';
}

const token = takeToken();
const stream = new Stream(token, {
  line(line) {
    if ('beat' in line) setServerClock(line.beat);
    else {
      take(line.event);
      draw();
    }
  },
  state(now) {
    state.stream = now;
    if (now === 'lost') state.lostAt ??= Date.now();
    else state.lostAt = undefined;
    draw();
  },
});

/** At most once per frame. A tab in the background draws, too: its title says how many releases wait. */
function draw(): void {
  if (isDue) return;
  isDue = true;
  const now = (): void => {
    isDue = false;
    drawNow();
  };
  if (document.hidden) setTimeout(now, 200);
  else requestAnimationFrame(now);
}

function drawNow(): void {
  const focused = (document.activeElement as HTMLElement | null)?.dataset['key'];
  render(
    html`${bar(state, () => show({ kind: 'help' }))} ${staleBanner(state)}
      <main class=${state.open === undefined ? 'list-only' : 'with-detail'}>
        ${
          state.stream === 'locked'
            ? locked()
            : html`<div class="list">${overview(state, setFilter)}</div>
                ${
                  state.open === undefined
                    ? nothing
                    : html`<article class="detail" aria-labelledby="title">${detail(state, { act })}</article>`
                }`
        }
      </main>
      ${notice(state, () => {
        state.notice = undefined;
        draw();
      })}
      ${dialog(state, draft, { change: draw, choose: () => void ask(), send: () => void perform(), close: closeDialog, refresh: act })}`,
    app,
  );
  // A row that moves loses the focus.
  if (focused !== undefined && document.activeElement === document.body) rowOf(focused)?.focus({ preventScroll: true });
  const element = app.querySelector('dialog')!;
  if (state.dialog && !element.open) {
    element.showModal();
    // What has to be typed first; otherwise Cancel, so that Enter does nothing by mistake.
    (
      element.querySelector<HTMLElement>('[data-field=typed]') ?? element.querySelector<HTMLElement>('.buttons button')
    )?.focus();
  } else if (!state.dialog && element.open) element.close();
  updateAges(app);
  if (state.most < state.rows.length) {
    state.most = Infinity;
    requestAnimationFrame(() => setTimeout(draw));
  }
  announce();
  const waiting = state.summary?.counts.person ?? 0;
  document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${state.open === undefined ? '' : `${state.open} · `}Tranche`;
}

/** Tells a screen reader when the page is no longer live, the result of an action, and what has changed for the release that is open. */
function announce(): void {
  const stale = staleness(state);
  const text = stale ? `Not live: ${stale.why}` : (state.notice?.text ?? (state.detail ? spoken(state.detail) : ''));
  if (text === said) return;
  said = text;
  live.textContent = text;
}

function setFilter(text: string): void {
  state.filter = text;
  draw();
}

function route(): void {
  // Names of Kubernetes need no escapes, so an address with other ones is none of this page.
  const open = /^#\/([a-z0-9.-]+\/[a-z0-9.-]+)$/.exec(location.hash)?.[1];
  if (open === state.open) return;
  const before = state.open;
  Object.assign(state, { open, detail: undefined, isGone: false, dialog: undefined });
  stream.open(open);
  drawNow();
  if (open !== undefined) scrollTo({ top: 0 });
  // Back in the list, the release that was open is where the keyboard continues.
  else if (before !== undefined) rowOf(before)?.focus();
}

const rowOf = (key: string): HTMLElement | null => app.querySelector(`a.row[data-key="${CSS.escape(key)}"]`);

function move(by: 1 | -1): void {
  const keys = fittingRows(state).map(({ key }) => key);
  const focused = (document.activeElement as HTMLElement | null)?.dataset['key'] ?? state.open;
  const at = focused === undefined ? -1 : keys.indexOf(focused);
  const next = keys[at < 0 ? (by > 0 ? 0 : keys.length - 1) : Math.min(keys.length - 1, Math.max(0, at + by))];
  if (next !== undefined) rowOf(next)?.focus();
}

function show(shown: typeof state.dialog): void {
  state.dialog = shown;
  draw();
}

function act(action: ActionView): void {
  if (state.open === undefined) return;
  draft = newDraft(action);
  show({ kind: 'action', key: state.open, action });
  if (draft.verdict === undefined && action.possible) void ask();
}

/** Asks about what is chosen in the dialog, until the API server can say. Another choice, or another dialog, makes the answer worthless. */
async function ask(): Promise<void> {
  const [shown, asked] = [state.dialog, draft];
  if (shown?.kind !== 'action') return;
  const { chosen } = asked;
  const isWanted = (): boolean => state.dialog === shown && asked.chosen === chosen;
  asked.verdict = undefined;
  draw();
  while (isWanted()) {
    const verdict = await check(token, shown.key, shown.action, asked);
    if (!isWanted()) return;
    asked.verdict = verdict;
    draw();
    if (verdict.allowed || verdict.unknown !== true) return;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

function closeDialog(): void {
  if (draft.isBusy) return;
  state.dialog = undefined;
  draw();
}

async function perform(): Promise<void> {
  const [shown, own] = [state.dialog, draft];
  if (shown?.kind !== 'action') return;
  Object.assign(own, { isBusy: true, refusal: undefined });
  draw();
  const { done, says, warnings } = await send(token, shown.key, shown.action, own);
  own.isBusy = false;
  const isOpen = state.dialog === shown;
  if (isOpen && !done) own.refusal = says;
  else {
    // The user may have gone to another release meanwhile, and opened another dialog.
    if (isOpen) state.dialog = undefined;
    const about = isOpen ? '' : `${shown.key}, ${shown.action.label}: `;
    const notice = { good: done, text: about + [says, ...warnings].join('; ') };
    state.notice = notice;
    if (done)
      setTimeout(() => {
        if (state.notice === notice) state.notice = undefined;
        draw();
      }, NOTICE_MS);
  }
  draw();
}

addEventListener('hashchange', route);
addEventListener('keydown', (event) =>
  onKey(event, state.dialog !== undefined, {
    move,
    approve() {
      const action = state.detail?.actions.find(({ name }) => name === 'approve');
      if (action?.possible && action.verdict?.allowed === true && state.connection?.readOnly !== true) act(action);
      else if (action) state.notice = { good: false, text: whyNot(action) };
      draw();
    },
    filter: () => document.getElementById('filter')?.focus(),
    help: () => show({ kind: 'help' }),
    back() {
      if (state.notice) state.notice = undefined;
      else if (state.open !== undefined) location.hash = '#/';
      else if (state.filter !== '') state.filter = '';
      draw();
    },
  }),
);
setInterval(() => updateAges(app), 1000);

const whyNot = ({ possible, why, verdict }: ActionView): string =>
  (possible
    ? verdict?.allowed === false
      ? verdict.why
      : 'the API server has not said yet whether you may approve'
    : why) ?? 'there is nothing to approve';

app.replaceChildren();
if (token === '') state.stream = 'locked';
route();
drawNow();
if (token !== '') void stream.run();
