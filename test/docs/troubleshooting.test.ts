// docs/troubleshooting.md has an entry for every message that a user can meet, and none for what nobody says.
import assert from 'node:assert/strict';
import { EVENTS } from '../../src/api/reasons.ts';
import { anything, messages, type Message } from './messages.ts';
import { readPage } from './page.ts';

const PAGE = 'docs/troubleshooting.md';

/** The words of others: the API server's, kubectl's and helm's. */
const NOT_OURS = 'Errors of the API server and of kubectl';

interface Entry {
  readonly text: string;
  readonly section: string;
}

/** An entry begins with the messages that it is about, each in backquotes. */
function entriesOf(page: string): Entry[] {
  const entries: Entry[] = [];
  let section = '';
  let item = '';
  const close = (): void => {
    const [, spans = ''] = /^- ((?:`[^`]+`[,:]\s+)+)/.exec(item) ?? [];
    for (const [, text] of spans.matchAll(/`([^`]+)`/g)) entries.push({ text: text!, section });
    item = '';
  };
  for (const { text } of readPage(page).prose) {
    if (/^\s+\S/.test(text) && item !== '') item += ` ${text.trim()}`;
    else {
      close();
      section = /^## (.*)/.exec(text)?.[1] ?? section;
      if (text.startsWith('- ')) item = text;
    }
  }
  close();
  return entries;
}

const entries = entriesOf(PAGE);
const partsOf = (text: string): string[] =>
  text
    .split('…')
    .map((part) => part.trim())
    .filter((part) => /\w/.test(part));
const lengthOf = (text: string): number => partsOf(text).join('').length;

/** The words of the entry are in the message, in their order. */
function fits(entry: string, message: string): boolean {
  let at = 0;
  for (const part of partsOf(entry)) {
    const found = message.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

/** Enough of its words to find the one by the other. */
const covers = (entry: string, message: string): boolean =>
  fits(entry, message) && lengthOf(entry) >= Math.min(24, lengthOf(message) / 2);

const isInWords = ({ text }: Message): boolean => /[a-z]{2,}.* .*[a-z]{2,}/.test(text);
const remedies =
  /^(use|write|add|remove|wait|name|set|change|put|ask|try|keep|leave|give|end|shorten|see|approve|make)\b/;

const saidIn = (files: RegExp, how: (message: Message) => boolean): string[] =>
  messages.filter((message) => files.test(message.file) && isInWords(message) && how(message)).map(({ text }) => text);
const given =
  (...names: string[]) =>
  ({ within }: Message): boolean =>
    names.includes(within[0]!);

/** Types of conditions, and what they can be. */
const CONDITIONS = new Set('Progressing Succeeded Stalled Bypassed PolicyBlocked Terminating True False'.split(' '));

/** What is in words and no message of its own. */
const NOT_SAID = new Set([
  // Parts of sentences, said with others.
  'the rest of the Pods',
  'a member of …',
  'approval by the author',
  'spec.strategy.canary.steps[…].replicas',
  '… and … more',
  'no Rollout names it',
  'Rollout … is …',
]);

const groups: Readonly<Record<string, readonly string[]>> = {
  'reason of an event': Object.keys(EVENTS),
  'reason of a condition': messages
    .filter(({ within }) =>
      ['StalledReason', 'ProgressingReason', 'BlockedReason', 'setCondition'].includes(within.at(-1)!),
    )
    .map(({ text }) => text)
    .filter((text) => /^[A-Z]\w+$/.test(text) && !CONDITIONS.has(text)),
  refusal: saidIn(
    /^src\/(engine\/(validate|policy)\/.*|engine\/(admit\/messages|release\/reach|workload\/annotation-size)|schema\/rollout|admission\/(access|policy)|schedule\/calendar)\.ts$/,
    (message) => !/^tranche: /.test(message.text) && !remedies.test(message.text) && isRefusal(message),
  ),
  warning: saidIn(/^src\/(engine|admission)\//, ({ text }) => text.startsWith('tranche: ')).map((text) =>
    text.replace(/^tranche: /, ''),
  ),
  'word of a status': saidIn(/^src\/engine\/(messages|workload\/deployment\/view)\.ts$/, () => true),
  'error of the plugin': saidIn(/^src\/cli\//, given('CliError', 'usageError')),
  'refusal of a takeover': saidIn(/^src\/engine\/release\/takeover\.ts$/, given('refuse', 'why')).filter(
    (text) => !/^(kubectl|change|write|… --finish)[ ,]/.test(text),
  ),
  'finding of the doctor': saidIn(/^src\/cli\/doctor\//, given('problem', 'note')).filter(
    (text) => !/^(kubectl|helm) /.test(text),
  ),
  'complaint of readyz': saidIn(/^src\/(app\/caches|tls\/inject|tls\/bundle)\.ts$/, ({ within }) =>
    within.some((name) => ['notSynced', 'inDoubt', 'flawOf', 'flawOfChain', 'mistakes', 'checks'].includes(name)),
  ),
  'reason not to start': saidIn(
    /^src\/(app\/config|app\/preflight|kube\/connection|app\/drain)\.ts$/,
    given('ConfigError', 'StartError', 'ConnectionError', 'DrainError'),
  ),
  'line of the log': saidIn(/^src\/(?!cli)/, given('.warn', '.error')),
};

function isRefusal({ within, file }: Message): boolean {
  const [inner = ''] = within;
  if (file.startsWith('src/schema/')) return inner === 'say' || inner === 'reason';
  return ['reason', 'notYet', 'what', 'find'].includes(inner) || (inner === 'reason' && within.length > 0);
}

describe(PAGE, () => {
  for (const [what, texts] of Object.entries(groups)) {
    const all = [...new Set(texts)].filter((text) => !NOT_SAID.has(text));
    it(`has an entry for every ${what}`, () => {
      assert.ok(all.length > 2, 'some are found in the source');
      const missing = all.filter((text) => !entries.some((entry) => covers(entry.text, text)));
      assert.deepEqual(missing, [], `${PAGE} says nothing about these: add them, or take them to an entry that fits`);
    });
  }

  it('has no entry for what nobody says', () => {
    const idle = entries.filter(
      ({ text, section }) => section !== NOT_OURS && !anything.some((message) => fits(text, message)),
    );
    assert.deepEqual(idle, [], `nobody says these any more: change the entries in ${PAGE}`);
  });

  it('is read right: an entry that is gone is missed', () => {
    assert.ok(entries.length > 150);
    assert.equal(covers('is less than step …: steps must', "is less than step …'s …: steps must not go back"), true);
    assert.equal(covers('is less', "is less than step …'s …: steps must not go back"), false);
    assert.equal(fits('steps … is less', 'is less than the steps'), false);
  });
});
