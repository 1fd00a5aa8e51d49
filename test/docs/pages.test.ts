// Every command that a page shows is run, in the order of the page, and what it prints is what the page shows. How pages are
// written for this is in CONTRIBUTING.md, "A page of the documentation"; what is not run is in listed.ts, each with the reason.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { freePort, startCluster, startSandbox, type Cluster } from '../e2e/harness/cluster.ts';
import { Client } from '../e2e/harness/client.ts';
import { temporaryFolder, type Service } from '../support/processes.ts';
import { makePrograms } from '../support/programs.ts';
import { isAsShown } from './expect.ts';
import { EMPTY_CLUSTER, PAGES_BESIDE_DOCS, PLACEHOLDERS, UNRUN } from './listed.ts';
import { checkYaml } from './manifests.ts';
import { commandsOf, fileNameOf, readPage, root, type Block, type Command, type Page } from './page.ts';
import { isComplete, PageShell } from './shell.ts';

const pages = [
  ...PAGES_BESIDE_DOCS,
  ...['docs', 'docs/reports'].flatMap((folder) =>
    readdirSync(`${root}${folder}`)
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
].map(readPage);

/** Blocks that are neither run nor checked: for reading. */
const READING = new Set(['text', 'mermaid', 'diff', 'promql', 'ts', 'go']);
const isShell = ({ language }: Block): boolean => language === 'sh' || language === 'console';
const commandsIn = (block: Block): Command[] =>
  isShell(block) && !fileNameOf(block) ? commandsOf(block, isComplete) : [];
const unrun = (page: Page, { text }: Command) =>
  UNRUN.find((entry) => (entry.page ?? page.file) === page.file && entry.command.test(text));

const all = pages.map((page) => ({
  page,
  blocks: page.blocks.map((block) => ({ block, commands: commandsIn(block) })),
}));

describe('what the pages show', () => {
  it('is in blocks that say what they are', () => {
    const known = new Set([...READING, 'sh', 'console', 'yaml', 'json']);
    const unknown = all.flatMap(({ page, blocks }) =>
      blocks
        .filter(({ block }) => !known.has(block.language) || (block.language === 'text' && /^\$ /m.test(block.text)))
        .map(({ block }) => `${page.file}:${block.line}: a block of "${block.language}"`),
    );
    assert.deepEqual(unknown, [], 'one of sh, console, yaml, json; or text, with no command in it');
  });

  it('is run but for what is listed, and nothing is listed that no page shows', () => {
    const idle = UNRUN.filter(
      (entry) =>
        !all.some(({ page, blocks }) => blocks.some(({ commands }) => commands.some((c) => unrun(page, c) === entry))),
    );
    assert.deepEqual(idle, []);
  });
});

describe('the commands of', function () {
  let cluster: Cluster;
  let programs: string;
  let kept: Set<string>;

  before(async () => {
    const options = {
      readyMs: 100,
      // The pages show routes.
      chartValues: ['traffic.gatewayAPI.enabled=true'],
      programFlags: ['--gateway-api=true'],
    };
    [cluster, programs] = await Promise.all([startCluster(options), makePrograms({ released: true })]);
    kept = await clusterWide(cluster.client);
  });
  after(async () => {
    for (const service of [...(cluster?.services ?? [])].reverse()) await service.stop();
  });

  for (const { page, blocks } of all) {
    const things = blocks.filter(({ block }) => !READING.has(block.language));
    if (things.length === 0) continue;
    describe(page.file, () => {
      const services: Service[] = [];
      let client: Client;
      let shell: PageShell;
      let namespace: string;
      let broken = false;
      let port: number;

      before(async () => {
        client = cluster.client;
        namespace = `docs-${page.file.replace(/^docs\/(?:reports\/)?|\.md$/g, '').toLowerCase()}`;
        if (EMPTY_CLUSTER.includes(page.file)) {
          const home = temporaryFolder('docs-empty');
          client = new Client(`${home}/kubeconfig`, home);
          services.push(await startSandbox(client.kubeconfig, 100));
          services.push(await client.startProxy());
        }
        await client.kubectl(['create', 'namespace', namespace]);
        port = await freePort();
        shell = await PageShell.open(client, namespace, programs);
      });
      after(async () => {
        for (const service of services.reverse()) await service.stop();
        if (!EMPTY_CLUSTER.includes(page.file)) await tidy(cluster.client, kept);
      });

      for (const { block, commands } of things)
        it(`${block.section || 'top'}, line ${block.line}`, async function () {
          // What follows builds on what went before.
          if (broken) this.skip();
          broken = true;
          const name = fileNameOf(block);
          if (name) shell.write(name, block.text);
          if (block.language === 'json') JSON.parse(block.text);
          if (block.language === 'yaml') {
            const applied = name !== undefined && all.some((one) => one.page === page && mentions(one.blocks, name));
            await checkYaml(block, { client, namespace, shell }, applied);
          }
          for (const command of commands)
            if (!unrun(page, command)) await play(command, block, shell, namespace, services, page, port);
          broken = false;
        });
    });
  }
});

const mentions = (blocks: readonly { commands: readonly Command[] }[], name: string): boolean =>
  blocks.some(({ commands }) => commands.some(({ text }) => text.includes(name)));

/** These may be asked again until they show what the page shows. */
const LOOKING = /^kubectl (get|describe|logs|events|rollout history|tranche (status|list|ls|history|doctor))\b/;
const LOOK_SECONDS = 20;

async function play(
  command: Command,
  block: Block,
  shell: PageShell,
  namespace: string,
  services: Service[],
  page: Page,
  port: number,
): Promise<void> {
  const { text, output } = command;
  const where = `${page.file}:${command.line}: ${text}`;
  const placed = text
    .replace(/\b[A-Z]{3,}\b/g, (word) => PLACEHOLDERS[word] ?? word)
    .replace(/(?<=WEBHOOK_URL=https:\/\/127\.0\.0\.1:)9443\b/, String(port))
    // No fixed port for its metrics.
    .replace(/^make run\b(?!.*\bARGS=).*/, '$& ARGS="--metrics-port 0"');
  // Our messages name a namespace in the commands that they propose, but for `default`.
  const readerOf = (printed: string): string =>
    printed.replaceAll(` -n ${namespace}`, '').replaceAll(namespace, 'default');
  if (block.info.includes('background')) {
    const ready = (printed: string): boolean => output === undefined || isAsShown(`${output}\n...`, readerOf(printed));
    services.push(await shell.background(placed, ready));
    return;
  }
  const expected = /#.*\bexit code (\d+)/.exec(text)?.[1];
  const fails = expected === undefined && /^(Error|error|The request is invalid)\b/m.test(output ?? '');
  const deadline = Date.now() + LOOK_SECONDS * 1000;
  for (;;) {
    const { code, stdout } = await shell.run(placed);
    const codeFits = fails ? code !== 0 : code === Number(expected ?? 0);
    const shown = output === undefined || isAsShown(output, readerOf(stdout));
    if (codeFits && shown) return;
    if (LOOKING.test(text) && !/ (-w|--watch)\b/.test(text) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    assert.ok(codeFits, `${where}\nended with exit code ${code}:\n${stdout}`);
    assert.fail(`${where}\nprinted:\n${stdout}\nand the page shows:\n${output}`);
  }
}

/** What a page may leave behind outside its namespace. */
const CLUSTER_WIDE = 'namespaces,releasepolicies,clusterroles,clusterrolebindings,customresourcedefinitions';

const clusterWide = async (client: Client): Promise<Set<string>> =>
  new Set((await client.kubectl(['get', CLUSTER_WIDE, '-o', 'name'])).split('\n').filter(Boolean));

async function tidy(client: Client, kept: ReadonlySet<string>): Promise<void> {
  const left = [...(await clusterWide(client))].filter((name) => !kept.has(name));
  const policies = left.filter((name) => name.startsWith('releasepolicy'));
  // First, for a policy may refuse what follows.
  if (policies.length > 0) await client.kubectl(['delete', ...policies]);
  const others = left.filter((name) => !policies.includes(name));
  if (others.length > 0) await client.kubectl(['delete', ...others, '--wait=false']);
}
