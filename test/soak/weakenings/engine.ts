import type { Weakening } from '../weakening.ts';

const runner = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/runner-host.test.ts',
  name,
});
const store = (name: string): Weakening['test'] => ({
  project: 'unit',
  file: 'runner/image/local-store.test.ts',
  name,
});
const blob = 'runner/image/layer-blob.ts';

/** The engine's doors: its socket, its data root, what it is sent, what it asks of others. */
export const engineWeakenings: readonly Weakening[] = [
  {
    name: 'body-limit',
    rule: 'CVE-2024-41110',
    without: 'a body of the API has no limit',
    changes: [{ file: 'runner/docker-api/api-request.ts', from: '8 * 1024 * 1024;', to: '8 * 1024 * 1024 * 1024;' }],
    test: runner('a body over its limit is refused whole'),
    sees: /POST containers\/create/,
  },
  {
    name: 'private-data-root',
    rule: 'CVE-2021-41089',
    without: 'a data root that is open to others stays so',
    changes: [
      {
        file: 'runner/data-root.ts',
        from: "names.includes('runner.db')) return await chmod(path, 0o700);",
        to: "names.includes('runner.db')) return await chmod(path, 0o755);",
      },
    ],
    test: runner('nothing beneath the data root is in the reach of another user'),
    sees: /expected 493 to be 448/,
  },
  {
    name: 'mode-of-the-socket',
    rule: 'CVE-2020-15257',
    without: 'everybody may open the API’s socket',
    changes: [{ file: 'runner/docker-api/unix-socket.ts', from: 'process.umask(0o117);', to: 'process.umask(0);' }],
    test: runner('the API socket is for its owner and group'),
    sees: /\[ 511/,
  },
  {
    name: 'redirects-of-the-client',
    rule: 'Redirects',
    without: 'the client follows a redirect',
    changes: [{ file: 'cli/http.ts', from: "redirect: 'error', //", to: "redirect: 'follow', //" }],
    test: runner('a redirect does not carry a token elsewhere'),
    sees: /IncomingMessage/,
  },
  {
    name: 'redirects-of-the-runner',
    rule: 'Redirects',
    without: 'a runner that joins follows a redirect',
    changes: [{ file: 'runner/agent/join.ts', from: "redirect: 'error', //", to: "redirect: 'follow', //" }],
    test: runner('a redirect does not carry a token elsewhere'),
    sees: /IncomingMessage/,
  },
  {
    name: 'digest-of-a-blob',
    rule: 'Layers and configs',
    without: 'the digest of a blob is not compared',
    changes: [
      {
        file: blob,
        from: 'if (layer.expected !== undefined && layer.expected.digest !== found) {',
        to: 'if (layer.expected === undefined && found !== found) {',
      },
    ],
    test: store('a layer that is another blob with the right content'),
    sees: /expected \[ \{ id: 'sha256:/,
  },
  {
    name: 'diff-id',
    rule: 'Layers and configs',
    without: 'the digest of a layer’s content is not compared',
    changes: [{ file: blob, from: 'if (unpacked.diffId !== layer.diffId) {', to: 'if (unpacked.diffId === "") {' }],
    test: store('a docker-archive whose layer is not what its config says'),
    sees: /expected \[ \{ id: 'sha256:/,
  },
  {
    name: 'compile-cache',
    rule: 'Code of the daemons',
    without: 'who has no cache of their own keeps what Node has compiled among the temporary files',
    changes: [{ file: 'bin/berth', from: 'cache=${cache:+$cache/berth}', to: 'cache=${cache:-/tmp}/berth' }],
    test: {
      project: 'system',
      file: 'test/security/compile-cache.test.ts',
      name: 'who may not write the program keeps it in a directory of their own, or nowhere',
    },
    sees: /expected '\/tmp\/berth' to be ''/,
  },
];
