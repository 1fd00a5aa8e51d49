// Lint rules that need no types, and the arrows between the rooms (docs/architecture.md): an import that points the wrong way does not pass.
// The rules that need types are in .oxlintrc.json.
import tseslint from 'typescript-eslint';

/** The only rooms that may import a package; every other room is refused it. */
const packageOwners = {
  ajv: ['schema'],
  '@kubernetes/client-node': ['kube'],
  express: ['admission'],
  'node-forge': ['tls'],
  winston: ['telemetry'],
  'prom-client': ['telemetry'],
  '@opentelemetry/[^/]+': ['telemetry'],
  croner: ['schedule'],
  '@prometheus-io/lezer-promql': ['schema'],
  'lit-html': ['dashboard'],
};

/** What each room may import of ours. The entries, `src/main.ts` and `src/plugin.ts`, start an `app` or the `cli`; nothing else imports them. */
const arrows = {
  api: [],
  engine: ['api'],
  schema: ['api', 'engine'],
  schedule: ['api', 'engine'],
  kube: ['api', 'engine'],
  tls: ['api', 'engine', 'kube'],
  telemetry: ['api', 'engine'],
  operator: ['api', 'engine', 'kube', 'tls', 'telemetry', 'metric-sources'],
  admission: ['api', 'engine', 'schema', 'kube', 'tls', 'telemetry'],
  'metric-sources': ['api', 'engine', 'schema', 'kube'],
  view: ['api', 'engine'],
  // The page, which runs in a browser: of view it may only use types, because nothing else of ours is there.
  dashboard: ['view'],
  cli: ['api', 'engine', 'schema', 'schedule', 'kube', 'view', 'metric-sources', 'dashboard'],
  app: ['api', 'engine', 'schedule', 'kube', 'tls', 'telemetry', 'operator', 'admission', 'metric-sources'],
};

const rooms = Object.keys(arrows);

/** Folders within a room, at most. Leaving the room takes one `../` more than a file lies deep in it. */
const DEPTHS = [0, 1, 2, 3];

const wall = (room, extra = []) => DEPTHS.map((depth) => wallAt(room, depth, extra));

const wallAt = (room, depth, extra) => ({
  files: [`src/${room}/${'*/'.repeat(depth)}*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            // Whatever is not named is refused: other rooms, src/main.ts, and what lies outside src.
            regex: `^(\\.\\./){${depth + 1}}(?!(${arrows[room].join('|') || '-'})/)`,
            message: `src/${room} may import only ${['itself', ...arrows[room]].join(', ')} (docs/architecture.md, "Rooms").`,
          },
          ...Object.entries(packageOwners)
            .filter(([, owners]) => !owners.includes(room))
            .map(([name, owners]) => ({
              regex: `^${name}(/|$)`,
              message: `Only ${owners.map((owner) => `src/${owner}`).join(' and ')} may import ${name}.`,
            })),
          { regex: '^@tranche/', message: 'The embedded cluster is for tests and tools: it is not in the image.' },
          ...extra,
        ],
      },
    ],
  },
});

/** No file of a folder of the sandbox imports what lies so many levels above that folder or higher. */
const sandboxWall = (folder, levels, message) =>
  DEPTHS.map((depth) => ({
    files: [`sandbox/${folder}/${'*/'.repeat(depth)}*.ts`],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: `^(\\.\\./){${depth + levels}}`, message }] }],
    },
  }));

/** Paths of the API are made in one place, where names are looked at. */
const PATHS = [
  'TemplateElement[value.raw=/(^|[^.\\w])\\/?(apis?|namespaces)\\//]',
  "BinaryExpression[operator='+'] > Literal[value=/^\\/?(apis?|namespaces)\\//]",
  "ObjectExpression:not(:has(> Property[key.name=/^(op|config)$/])) > Property[key.name='path'][value.type=/^(TemplateLiteral|BinaryExpression)$/]",
  'TemplateElement[value.raw=/metadata\\.(name|namespace)=/]',
].map((selector) => ({ selector, message: 'Paths of the API are made by src/kube/path.ts.' }));

const ENVIRONMENT = {
  selector: "MemberExpression[object.name='process'][property.name=/^(env|exit|argv|on|once)$/]",
  message: 'Only config.ts reads the environment and only main.ts and plugin.ts exit or handle signals.',
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'sandbox/src/schema/generated/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  ...rooms.filter((room) => room !== 'engine' && room !== 'api').flatMap((room) => wall(room)),
  ...['api', 'engine'].flatMap((room) =>
    wall(room, [{ regex: '^[^.]', message: `src/${room} is pure: no node:*, no packages. Pass what it needs in.` }]),
  ),
  {
    files: ['src/engine/**/*.ts', 'src/api/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'process',
          'crypto',
          'fetch',
          'performance',
          'Buffer',
        ].map((name) => ({
          name,
          message: 'The engine is pure: time, randomness and I/O are passed in.',
        })),
      ],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'The engine is pure.' }],
    },
  },
  {
    files: ['src/**/*.ts'],
    // A credential plugin has the environment of whoever runs it.
    ignores: ['src/main.ts', 'src/plugin*.ts', 'src/app/config.ts', 'src/kube/exec-plugin.ts', 'src/cli/**'],
    rules: {
      'no-restricted-syntax': ['error', ENVIRONMENT, ...PATHS],
    },
  },
  {
    files: ['src/main.ts', 'src/plugin*.ts', 'src/app/config.ts', 'src/cli/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...PATHS] },
  },
  // The engine makes JSON pointers, which `path` is called in a patch too.
  { files: ['src/kube/path.ts', 'src/engine/**/*.ts'], rules: { 'no-restricted-syntax': ['error', ENVIRONMENT] } },
  ...sandboxWall('src', 1, 'The embedded cluster shares no code with the program that is tried on it.'),
  ...sandboxWall(
    'test',
    2,
    "The embedded cluster's tests use the embedded cluster only; a test that needs more is in test/.",
  ),
  {
    files: ['test/**/*.ts', 'tools/**/*.ts', 'certs/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(\\.\\./)+sandbox/',
              message: 'Import the embedded cluster by its name: @tranche/sandbox (sandbox/package.json, "exports").',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/dashboard/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(node:|\\.\\./)',
              allowTypeImports: true,
              message: 'The browser has only the modules of this folder, and lit-html.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/cli/*/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^\\.\\./\\.\\./dashboard/', allowTypeImports: true, message: 'The page runs in a browser.' },
          ],
        },
      ],
    },
  },
  { files: ['sandbox/src/main.ts', 'src/cli/**', 'test/support/**', 'tools/**'], rules: { 'no-console': 'off' } },
);
