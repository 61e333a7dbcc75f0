import type { Weakening } from '../weakening.ts';

const tree = 'runner/image/unpack/tree.c';
const outside = 'Layers that write outside';

const extract = (name: string): Weakening['test'] => ({
  project: 'system',
  file: 'test/security/extract.test.ts',
  name,
});

const plainRules = {
  file: 'runner/image/unpack/beneath.c',
  from: '.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | mounts,',
  to: '.resolve = mounts & 0,',
};

/** What a layer may do to the host while it is unpacked. */
export const layerWeakenings: readonly Weakening[] = [
  {
    name: 'names-beneath-the-layer',
    rule: outside,
    without: 'names are looked up by the kernel’s plain rules',
    changes: [plainRules],
    test: extract('a relative symlink as a parent resolves in the root'),
    sees: /'berth-evil'/,
  },
  {
    name: 'absolute-names',
    rule: outside,
    without: 'an absolute name stays absolute, and is looked up by the kernel’s plain rules (both together)',
    changes: [
      plainRules,
      {
        file: 'runner/image/unpack/path.c',
        from: 'size_t used = 0;\n\n\t*depth = 0;',
        to: "size_t used = 0;\n\n\t*depth = 0;\n\tif (name[0] == '/')\n\t\tpath[used++] = '/';",
      },
    ],
    test: extract('an absolute name is beneath the root'),
    sees: /expected true to be false/,
  },
  {
    name: 'dot-dot',
    rule: outside,
    without: 'a name may climb above the root',
    changes: [
      { file: 'runner/image/unpack/path.c', from: 'return false;\n\t\t\twhile', to: '*depth = 1;\n\t\t\twhile' },
    ],
    test: extract('.. at the start'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'files-are-made-new',
    rule: outside,
    without: 'a file is written through a link in its place',
    changes: [
      {
        file: tree,
        from: 'const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;',
        to: 'const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;',
      },
    ],
    test: extract('a file replaces a symlink instead of following it'),
    sees: /expected false to be true/,
  },
  {
    name: 'parents-looked-up-anew',
    rule: outside,
    without: 'a directory is kept in mind when it has been replaced by a link',
    changes: [
      {
        file: tree,
        from: 'tree->parent_current = false;\n\ttree->replaced = true;',
        to: 'tree->replaced = true;',
      },
    ],
    test: extract('a link that is replaced by way of itself does not lead on'),
    sees: /expected \[ '2', 'l' \]/,
  },
  {
    name: 'hard-links-beneath-the-layer',
    rule: outside,
    without: 'the target of a hard link is looked up by the kernel’s plain rules',
    changes: [
      {
        file: tree,
        from: 'int from = beneath_open(tree->root, target_parent, O_PATH | O_DIRECTORY);',
        to: `int from = openat(tree->root, target_parent[0] == '\\0' ? "." : target_parent, O_PATH | O_DIRECTORY);`,
      },
    ],
    test: extract('a hard link through a symlink to a directory above'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'whiteouts-in-their-directory',
    rule: outside,
    without: 'a whiteout may name the directory above',
    changes: [
      {
        file: 'runner/image/unpack/whiteout.c',
        from: `if (hidden[0] == '\\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		fail("escape", entry->name, "a whiteout of no file in its directory");
	tree->whiteouts++;`,
        to: 'tree->whiteouts++;',
      },
    ],
    test: extract('whiteout of ..'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'words-to-overlayfs',
    rule: outside,
    without: 'a layer may set the attributes that overlayfs obeys',
    changes: [
      {
        file: 'runner/image/unpack/metadata.c',
        from: 'return strncmp(name, "user.", 5) == 0 ||',
        to: 'return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 ||',
      },
    ],
    test: extract('attributes are left out'),
    sees: /skippedXattrs: 2/,
  },
  {
    name: 'cap-of-size',
    rule: outside,
    without: 'files may be of any size',
    changes: [
      {
        file: tree,
        from: 'if (left > tree->limits->content_bytes - tree->content_bytes)',
        to: 'if (left == UINT64_MAX)',
      },
    ],
    test: extract('many files that are too large together'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'cap-of-entries',
    rule: outside,
    without: 'there may be any number of entries',
    changes: [{ file: tree, from: 'if (++tree->entries > tree->limits->entries)', to: 'if (++tree->entries == 0)' }],
    test: extract('entries'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'cap-of-depth',
    rule: outside,
    without: 'a path may be of any depth',
    changes: [{ file: tree, from: 'if (depth > tree->limits->depth)', to: 'if (depth == UINT64_MAX)' }],
    test: extract('depth'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'cap-of-ratio',
    rule: outside,
    without: 'a stream may inflate without end',
    changes: [
      {
        file: 'runner/image/unpack/input.c',
        from: 'if (input->gzip && input->tar_bytes > RATIO_FREE_BYTES &&',
        to: 'if (input->gzip && input->tar_bytes == UINT64_MAX &&',
      },
    ],
    test: extract('a gzip bomb, by its ratio'),
    sees: /expected \{ ok: true/,
  },
  {
    name: 'cap-of-headers',
    rule: outside,
    without: 'an extended header may be of any size',
    changes: [{ file: 'runner/image/unpack/pax.c', from: 'if (size >= PAX_BYTES)', to: 'if (size == UINT64_MAX)' }],
    test: extract('an extended header that would fill memory'),
    sees: /code: 'corrupt'/,
  },
];
