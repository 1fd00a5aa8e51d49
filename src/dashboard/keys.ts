// The keyboard: one letter for what is done often. Keys with modifiers are left to the browser.

export interface KeyHandlers {
  move(by: 1 | -1): void;
  approve(): void;
  filter(): void;
  help(): void;
  back(): void;
}

/** While a dialog is open, its own keys are the only ones. */
export function onKey(event: KeyboardEvent, hasDialog: boolean, handlers: KeyHandlers): void {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || hasDialog) return;
  const target = event.target as HTMLElement;
  const isTyping = target.matches('input, textarea, select');
  const run = ACTIONS[event.key];
  if (!run || (isTyping && event.key !== 'Escape')) return;
  event.preventDefault();
  if (isTyping) target.blur();
  run(handlers);
}

const ACTIONS: Readonly<Record<string, (handlers: KeyHandlers) => void>> = {
  j: ({ move }) => move(1),
  k: ({ move }) => move(-1),
  a: ({ approve }) => approve(),
  '/': ({ filter }) => filter(),
  '?': ({ help }) => help(),
  Escape: ({ back }) => back(),
};
