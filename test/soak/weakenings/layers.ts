import { weakening, type Weakening } from '../weakening.ts';

const tree = 'runner/image/unpack/tree.c';
const outside = 'Layers that write outside';

const extract = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/extract.test.ts',
  name,
});

/** What a layer may do to the host while it is unpacked. */
export const layerWeakenings: readonly Weakening[] = [
  weakening(
    'names-beneath-the-layer',
    outside,
    'names are looked up by the kernel’s plain rules',
    {
      file: 'runner/image/unpack/beneath.c',
      from: '.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | mounts,',
      to: '.resolve = mounts & 0,',
    },
    extract('a relative symlink as a parent resolves in the root'),
    /expected|ENOENT/,
  ),
  weakening(
    'dot-dot',
    outside,
    'a name may climb above the root',
    { file: 'runner/image/unpack/path.c', from: 'return false;\n\t\t\twhile', to: '*depth = 1;\n\t\t\twhile' },
    extract('.. at the start'),
    /expected/,
  ),
  weakening(
    'files-are-made-new',
    outside,
    'a file is written through a link in its place',
    {
      file: tree,
      from: 'const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;',
      to: 'const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;',
    },
    extract('a file replaces a symlink instead of following it'),
    /expected/,
  ),
  weakening(
    'parents-looked-up-anew',
    outside,
    'a directory is kept in mind when it has been replaced by a link',
    {
      file: tree,
      from: 'tree->parent_current = false;\n\ttree->replaced = true;',
      to: 'tree->replaced = true;',
    },
    extract('a parent swapped for a symlink between two files is looked up anew'),
    /expected/,
  ),
  weakening(
    'hard-links-beneath-the-layer',
    outside,
    'the target of a hard link is looked up by the kernel’s plain rules',
    {
      file: tree,
      from: 'int from = beneath_open(tree->root, target_parent, O_PATH | O_DIRECTORY);',
      to: `int from = openat(tree->root, target_parent[0] == '\\0' ? "." : target_parent, O_PATH | O_DIRECTORY);`,
    },
    extract('a hard link through a symlink to a directory above'),
    /expected/,
  ),
  weakening(
    'whiteouts-in-their-directory',
    outside,
    'a whiteout may name the directory above',
    {
      file: 'runner/image/unpack/whiteout.c',
      from: `if (hidden[0] == '\\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		fail("escape", entry->name, "a whiteout of no file in its directory");
	tree->whiteouts++;`,
      to: 'tree->whiteouts++;',
    },
    extract('whiteout of ..'),
    /expected/,
  ),
  weakening(
    'words-to-overlayfs',
    outside,
    'a layer may set the attributes that overlayfs obeys',
    {
      file: 'runner/image/unpack/metadata.c',
      from: 'return strncmp(name, "user.", 5) == 0 ||',
      to: 'return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 ||',
    },
    extract('attributes are left out'),
    /expected/,
  ),
  weakening(
    'cap-of-size',
    outside,
    'files may be of any size',
    {
      file: tree,
      from: 'if (left > tree->limits->content_bytes - tree->content_bytes)',
      to: 'if (left == UINT64_MAX)',
    },
    extract('many files that are too large together'),
    /expected/,
  ),
  weakening(
    'cap-of-entries',
    outside,
    'there may be any number of entries',
    { file: tree, from: 'if (++tree->entries > tree->limits->entries)', to: 'if (++tree->entries == 0)' },
    extract('caps entries'),
    /expected/,
  ),
  weakening(
    'cap-of-depth',
    outside,
    'a path may be of any depth',
    { file: tree, from: 'if (depth > tree->limits->depth)', to: 'if (depth == UINT64_MAX)' },
    extract('caps depth'),
    /expected/,
  ),
  weakening(
    'cap-of-ratio',
    outside,
    'a stream may inflate without end',
    {
      file: 'runner/image/unpack/input.c',
      from: 'if (input->gzip && input->tar_bytes > RATIO_FREE_BYTES &&',
      to: 'if (input->gzip && input->tar_bytes == UINT64_MAX &&',
    },
    extract('a gzip bomb, by its ratio'),
    /expected/,
  ),
  weakening(
    'cap-of-headers',
    outside,
    'an extended header may be of any size',
    { file: 'runner/image/unpack/pax.c', from: 'if (size >= PAX_BYTES)', to: 'if (size == UINT64_MAX)' },
    extract('an extended header that would fill memory'),
    /expected/,
  ),
];
