import { weakening, type Weakening } from '../weakening.ts';

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
  weakening(
    'body-limit',
    'CVE-2024-41110',
    'a body of the API has no limit',
    { file: 'runner/docker-api/api-request.ts', from: '8 * 1024 * 1024;', to: '8 * 1024 * 1024 * 1024;' },
    runner('a body over its limit is refused whole'),
    /POST containers\/create/,
  ),
  weakening(
    'private-data-root',
    'CVE-2021-41089',
    'a data root that is open to others stays so',
    {
      file: 'runner/data-root.ts',
      from: "names.includes('runner.db')) return await chmod(path, 0o700);",
      to: "names.includes('runner.db')) return await chmod(path, 0o755);",
    },
    runner('nothing beneath the data root is in the reach of another user'),
    /expected 493 to be 448/,
  ),
  weakening(
    'mode-of-the-socket',
    'CVE-2020-15257',
    'everybody may open the API’s socket',
    { file: 'runner/docker-api/unix-socket.ts', from: 'process.umask(0o117);', to: 'process.umask(0);' },
    runner('the API socket is for its owner and group'),
    /expected/,
  ),
  weakening(
    'redirects-of-the-client',
    'Redirects',
    'the client follows a redirect',
    { file: 'cli/http.ts', from: "redirect: 'error', //", to: "redirect: 'follow', //" },
    runner('a redirect does not carry a token elsewhere'),
    /expected/,
  ),
  weakening(
    'redirects-of-the-runner',
    'Redirects',
    'a runner that joins follows a redirect',
    { file: 'runner/agent/join.ts', from: "redirect: 'error', //", to: "redirect: 'follow', //" },
    runner('a redirect does not carry a token elsewhere'),
    /expected/,
  ),
  weakening(
    'digest-of-a-blob',
    'Layers and configs',
    'the digest of a blob is not compared',
    {
      file: blob,
      from: 'if (layer.expected !== undefined && layer.expected.digest !== found) {',
      to: 'if (layer.expected === undefined && found !== found) {',
    },
    store('a layer that is another blob with the right content'),
    /expected/,
  ),
  weakening(
    'diff-id',
    'Layers and configs',
    'the digest of a layer’s content is not compared',
    { file: blob, from: 'if (unpacked.diffId !== layer.diffId) {', to: 'if (unpacked.diffId === "") {' },
    store('a docker-archive whose layer is not what its config says'),
    /expected/,
  ),
];
