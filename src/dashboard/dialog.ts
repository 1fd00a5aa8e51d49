// The dialogs: an action with what will happen and the same command for a terminal, and the help for the keyboard.
import { html, nothing, type TemplateResult } from 'lit-html';
import type { ActionChoice, ActionVerdict, ActionView } from '../view/dashboard/types.ts';
import { sign } from './marks.ts';
import type { State } from './state.ts';
import { told } from './time.ts';

/** What the user has entered so far. */
export interface Draft {
  chosen: number | undefined;
  typed: string;
  message: string;
  yes: boolean;
  isBusy: boolean;
  /** What the API server says in a dry run of what is chosen. Undefined: not known yet. */
  verdict: ActionVerdict | undefined;
  /** The answer, if it was refused. */
  refusal: string | undefined;
}

export const newDraft = ({ choices, verdict }: ActionView): Draft => ({
  chosen: choices?.[0]?.value,
  verdict: choices ? undefined : verdict,
  ...{ typed: '', message: '', yes: false, isBusy: false, refusal: undefined },
});

export interface DialogHandlers {
  /** Something was entered. */
  change(): void;
  /** Something else was chosen. */
  choose(): void;
  send(): void;
  close(): void;
  /** Shows the action as it is now. */
  refresh(action: ActionView): void;
}

export function dialog(state: State, draft: Draft, handlers: DialogHandlers): TemplateResult {
  const { dialog: shown } = state;
  return html`<dialog
    aria-labelledby="dialog-title"
    @close=${() => handlers.close()}
    @click=${(event: MouseEvent) => event.target === event.currentTarget && handlers.close()}
  >
    ${shown?.kind === 'help' ? help() : shown ? action(state, shown.key, shown.action, draft, handlers) : nothing}
  </dialog>`;
}

function action(state: State, key: string, shown: ActionView, draft: Draft, handlers: DialogHandlers): TemplateResult {
  const [, name = ''] = key.split('/');
  const current =
    state.detail?.row.key === key ? state.detail.actions.find((one) => one.name === shown.name) : undefined;
  const isStale = current !== undefined && current.version !== shown.version && !draft.isBusy;
  const choice = shown.choices?.find(({ value }) => value === draft.chosen);
  const warnings = draft.verdict?.allowed === true ? draft.verdict.warnings : [];
  // Asked again when the form is sent, which may be before the next frame.
  const isReady = (): boolean =>
    !isStale &&
    !draft.isBusy &&
    shown.possible &&
    draft.verdict?.allowed === true &&
    (shown.confirm !== 'type' || draft.typed === name) &&
    (shown.overrules === undefined || draft.yes);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (isReady()) handlers.send();
  };
  return html`<form data-name=${shown.name} @submit=${submit}>
    <h2 id="dialog-title">${shown.label}<small>${key}</small></h2>
    ${shown.choices ? choices(shown.choices, draft, handlers) : nothing}
    <h3>${shown.possible ? 'What will happen' : 'Not possible now'}</h3>
    <p>${told(choice?.says ?? shown.says ?? shown.why)}</p>
    ${warnings.map((text) => html`<p class="warning">${sign('waits')} <span>${text}</span></p>`)}
    ${
      shown.overrules === undefined
        ? nothing
        : html`<p class="warning">${sign('bad')} <span>This overrules: ${shown.overrules}</span></p>
            <label class="check-box"
              ><input
                type="checkbox"
                .checked=${draft.yes}
                @change=${(event: Event) => {
                  draft.yes = (event.target as HTMLInputElement).checked;
                  handlers.change();
                }}
              />
              I have seen this, and continue nevertheless</label
            >`
    }
    ${shown.name === 'approve' ? field('Reason (stored as an event of the Rollout)', draft, 'message', handlers, 500) : nothing}
    ${
      shown.confirm === 'type'
        ? html`${field(html`Type the name of the Rollout, <b>${name}</b>`, draft, 'typed', handlers, 253)}`
        : nothing
    }
    <h3>The same in a terminal</h3>
    <pre tabindex="0">${choice?.command ?? shown.command}</pre>
    ${shown.possible ? verdict(draft) : nothing}
    ${
      isStale
        ? html`<p class="warning" role="alert">
            ${sign('waits')} <span>The release has changed since you opened this dialog.</span>
            <button type="button" @click=${() => handlers.refresh(current)}>Show it as it is now</button>
          </p>`
        : nothing
    }
    ${
      draft.refusal === undefined
        ? nothing
        : html`<p class="warning" role="alert">${sign('bad')} <span>${told(draft.refusal)}</span></p>`
    }
    <p class="buttons">
      <button type="button" @click=${() => handlers.close()}>Cancel</button>
      <button
        type="submit"
        class="act ${shown.danger ? 'danger' : 'first'}"
        aria-disabled=${isReady() ? nothing : 'true'}
      >
        ${draft.isBusy ? 'Sending…' : choice ? `${VERBS[shown.name] ?? ''}${choice.label}` : shown.label}
      </button>
    </p>
  </form>`;
}

/** What a dry run of what is chosen has said. */
const verdict = ({ verdict: said }: Draft): TemplateResult | typeof nothing =>
  said === undefined
    ? html`<p class="muted">Asking the API server whether you may…<span class="asking" aria-hidden="true"></span></p>`
    : said.allowed
      ? nothing
      : html`<p class="warning" role="alert">
          ${sign(said.unknown ? 'waits' : 'bad')} <span>${told(said.why)}</span>
        </p>`;

const choices = (all: readonly ActionChoice[], draft: Draft, { choose }: DialogHandlers): TemplateResult =>
  html`<fieldset>
    <legend class="hidden-text">Which one</legend>
    ${all.map(
      ({ value, label }) =>
        html`<label class="choice"
          ><input
            type="radio"
            name="choice"
            .checked=${value === draft.chosen}
            @change=${() => {
              draft.chosen = value;
              choose();
            }}
          />
          ${label}</label
        >`,
    )}
  </fieldset>`;

const field = (
  label: string | TemplateResult,
  draft: Draft,
  name: 'typed' | 'message',
  { change }: DialogHandlers,
  length: number,
): TemplateResult =>
  html`<label class="field"
    ><span>${label}</span
    ><input
      type="text"
      autocomplete="off"
      spellcheck="false"
      maxlength=${length}
      data-field=${name}
      .value=${draft[name]}
      @input=${(event: InputEvent) => {
        draft[name] = (event.target as HTMLInputElement).value;
        change();
      }}
  /></label>`;

/** Before the label of a choice. */
const VERBS: Partial<Record<ActionView['name'], string>> = { jump: 'Jump to ', undo: 'Restore ' };

const KEYS = [
  ['j, k', 'next, previous release'],
  ['Enter', 'open the release'],
  ['a', 'approve the opened release'],
  ['/', 'filter'],
  ['Escape', 'close; from a release, back to the list'],
  ['?', 'this help'],
] as const;

const help = (): TemplateResult =>
  html`<form method="dialog">
    <h2 id="dialog-title">Keyboard</h2>
    <dl class="keys">
      ${KEYS.map(
        ([keys, what]) =>
          html`<div>
            <dt>${keys.split(', ').map((key) => html`<kbd>${key}</kbd> `)}</dt>
            <dd>${what}</dd>
          </div>`,
      )}
    </dl>
    <p class="buttons"><button class="act">Close</button></p>
  </form>`;
