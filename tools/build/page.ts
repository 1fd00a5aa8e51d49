// Copies the files of the dashboard's page that tsc does not compile into a build: node tools/build/page.ts FOLDER
import { copyFileSync, globSync, mkdirSync } from 'node:fs';
import path from 'node:path';

const source = path.join(import.meta.dirname, '../../src/dashboard');

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node tools/build/page.ts FOLDER');
mkdirSync(path.join(folder, 'dashboard'), { recursive: true });
for (const name of globSync('*.{html,css,svg}', { cwd: source }))
  copyFileSync(path.join(source, name), path.join(folder, 'dashboard', name));
