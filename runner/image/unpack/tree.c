#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "beneath.h"
#include "metadata.h"
#include "path.h"
#include "report.h"
#include "whiteout.h"

void tree_use(struct tree *tree, int root, const struct limits *limits)
{
	memset(tree, 0, sizeof *tree);
	tree->root = root;
	tree->parent = -1;
	tree->limits = limits;
}

void tree_open(struct tree *tree, const char *directory, const struct limits *limits)
{
	int root = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (root < 0)
		fail_errno("open of the target directory", directory);
	tree_use(tree, root, limits);
}

static void forget_parent(struct tree *tree)
{
	if (tree->parent >= 0)
		close(tree->parent);
	tree->parent = -1;
	tree->parent_current = false;
}

/* After a removal the kept directory's path may lead elsewhere or nowhere: it was removed, or a symlink on its way. */
static void remove_existing(struct tree *tree, int parent, const char *base, const struct entry *entry)
{
	/* The caller goes on with `parent`, which may be the kept directory: it is marked, and closed by the next entry. */
	beneath_remove(parent, base, entry->name);
	tree->parent_current = false;
	tree->replaced = true;
}

/* Makes the directories of `path` that are missing, as Docker does for layers that do not list them. */
static void make_parents(struct tree *tree, const char *path, const struct entry *entry)
{
	char prefix[PATH_MAX], above[PATH_MAX];

	for (size_t end = strcspn(path, "/");; end += 1 + strcspn(path + end + 1, "/")) {
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		int found = beneath_open(tree->root, prefix, O_PATH | O_DIRECTORY);
		if (found < 0) {
			const char *base;
			path_split(prefix, above, &base);
			int parent = beneath_open(tree->root, above, O_PATH | O_DIRECTORY);
			if (parent < 0 || mkdirat(parent, base, 0755) < 0)
				fail("bad-entry", entry->name, "its directory %s is a dangling symlink or no directory", prefix);
			close(parent);
		} else {
			close(found);
		}
		if (path[end] == '\0')
			return;
	}
}

static int open_parent(struct tree *tree, const char *path, const struct entry *entry)
{
	if (tree->parent_current && strcmp(path, tree->parent_path) == 0)
		return tree->parent;
	forget_parent(tree);
	tree->parent = beneath_open(tree->root, path, O_RDONLY | O_DIRECTORY);
	if (tree->parent < 0 && errno == ENOENT) {
		make_parents(tree, path, entry);
		tree->parent = beneath_open(tree->root, path, O_RDONLY | O_DIRECTORY);
	}
	if (tree->parent < 0 && (errno == ENOTDIR || errno == ELOOP))
		fail("bad-entry", entry->name, "its directory %s is no directory", path);
	if (tree->parent < 0)
		fail_errno("open of its directory", entry->name);
	strcpy(tree->parent_path, path);
	tree->parent_current = true;
	return tree->parent;
}

static void write_content(struct tree *tree, struct input *input, const struct entry *entry, int fd)
{
	uint64_t left = entry->size;

	/* Before the first byte: a stated size over the limit need not be written to be refused. */
	if (left > tree->limits->content_bytes - tree->content_bytes)
		fail("too-large", entry->name, "the layer's files hold more than %llu bytes",
		     (unsigned long long)tree->limits->content_bytes);
	tree->content_bytes += left;
	while (left > 0) {
		const uint8_t *bytes;
		size_t have = input_peek(input, &bytes);
		if (have == 0)
			fail("corrupt", entry->name, "the tar ends inside an entry");
		if (have > left)
			have = (size_t)left;
		ssize_t written = write(fd, bytes, have);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			fail_errno("write", entry->name);
		input_advance(input, (size_t)written);
		left -= (uint64_t)written;
	}
}

static void add_file(struct tree *tree, struct input *input, const struct entry *entry, const char *path, int parent,
		     const char *base)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct timespec times[2];

	int fd = openat(parent, base, flags, 0600);
	if (fd < 0 && errno == EEXIST) {
		remove_existing(tree, parent, base, entry);
		fd = openat(parent, base, flags, 0600);
	}
	if (fd < 0)
		fail_errno("create", entry->name);
	input_divert(input, path, entry->size);
	write_content(tree, input, entry, fd);
	input_divert(input, NULL, 0);
	metadata_set(tree, fd, entry);
	metadata_times(entry, times);
	if (futimens(fd, times) < 0)
		fail_errno("utimensat", entry->name);
	if (close(fd) < 0)
		fail_errno("close", entry->name);
}

static void add_directory(struct tree *tree, const struct entry *entry, const char *path, int parent, const char *base)
{
	struct stat found;
	bool after_whiteout = false;

	if (base[0] != '\0' && mkdirat(parent, base, 0700) < 0) {
		if (errno != EEXIST || fstatat(parent, base, &found, AT_SYMLINK_NOFOLLOW) < 0)
			fail_errno("mkdir", entry->name);
		if (!S_ISDIR(found.st_mode)) {
			/* The layer deleted what lay below and put this in its place: nothing from below may show in it. */
			after_whiteout = whiteout_is(&found);
			remove_existing(tree, parent, base, entry);
			if (mkdirat(parent, base, 0700) < 0)
				fail_errno("mkdir", entry->name);
		}
	}
	int fd = base[0] == '\0' ? dup(tree->root) : openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("open of a directory", entry->name);
	metadata_set(tree, fd, entry);
	if (after_whiteout)
		whiteout_make_opaque(fd, entry->name);
	close(fd);
	directory_times_add(&tree->times, path, entry->mtime, entry->mtime_nanoseconds);
}

static void add_symlink(struct tree *tree, const struct entry *entry, int parent, const char *base)
{
	if (entry->link[0] == '\0')
		fail("bad-entry", entry->name, "a symlink to nothing");
	/* Its text is kept as it is: it will be resolved inside a container, never by us outside the root. */
	if (symlinkat(entry->link, parent, base) < 0) {
		if (errno != EEXIST)
			fail_errno("symlink", entry->name);
		remove_existing(tree, parent, base, entry);
		if (symlinkat(entry->link, parent, base) < 0)
			fail_errno("symlink", entry->name);
	}
	metadata_set_named(parent, base, entry);
}

static void add_node(struct tree *tree, const struct entry *entry, int parent, const char *base)
{
	mode_t kind = entry->type == '3' ? S_IFCHR : entry->type == '4' ? S_IFBLK : S_IFIFO;
	dev_t device = makedev(entry->device_major, entry->device_minor);

	if (mknodat(parent, base, kind | 0600, device) < 0) {
		if (errno != EEXIST)
			fail_errno("mknod", entry->name);
		remove_existing(tree, parent, base, entry);
		if (mknodat(parent, base, kind | 0600, device) < 0)
			fail_errno("mknod", entry->name);
	}
	metadata_set_named(parent, base, entry);
}

static void join_prefix(const struct tree *tree, char path[PATH_MAX], const struct entry *entry)
{
	size_t prefix = strlen(tree->prefix), own = strlen(path);

	if (prefix == 0)
		return;
	if (prefix + 1 + own >= PATH_MAX)
		fail("name-too-long", entry->name, "a path of more than %d bytes", PATH_MAX - 1);
	memmove(path + prefix + 1, path, own + 1);
	memcpy(path, tree->prefix, prefix);
	path[prefix] = own == 0 ? '\0' : '/';
}

static void add_hard_link(struct tree *tree, const struct entry *entry, const char *path, int parent, const char *base)
{
	char target[PATH_MAX], target_parent[PATH_MAX];
	const char *target_base;
	uint64_t depth;

	if (!path_clean(entry->link, target, &depth))
		fail("escape", entry->name, "a hard link to %s, above the layer's root", entry->link);
	join_prefix(tree, target, entry);
	if (target[0] == '\0' || strcmp(target, path) == 0)
		fail("bad-entry", entry->name, "a hard link to itself or to the root");
	path_split(target, target_parent, &target_base);
	int from = beneath_open(tree->root, target_parent, O_PATH | O_DIRECTORY);
	if (from < 0)
		fail("bad-entry", entry->name, "a hard link to %s, which is not in the layer", entry->link);
	int result = linkat(from, target_base, parent, base, 0);
	if (result < 0 && errno == EEXIST) {
		remove_existing(tree, parent, base, entry);
		result = linkat(from, target_base, parent, base, 0);
	}
	if (result < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EPERM))
		fail("bad-entry", entry->name, "a hard link to %s, which is no file of the layer", entry->link);
	if (result < 0)
		fail_errno("link", entry->name);
	close(from);
}

/* Before anything is replaced, in Docker's words. */
static void check_kinds(const struct tree *tree, const struct entry *entry, const char *path, int parent,
			const char *base)
{
	struct stat found;

	if (base[0] == '\0' || fstatat(parent, base, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(found.st_mode) && entry->type != '5')
		fail("overwrite", entry->name, "cannot overwrite directory \"/%s\" with non-directory \"/%s\"", path,
		     tree->prefix);
	if (!S_ISDIR(found.st_mode) && entry->type == '5')
		fail("overwrite", entry->name, "cannot overwrite non-directory \"/%s\" with directory \"/%s\"", path,
		     tree->prefix);
}

static void add_by_type(struct tree *tree, struct input *input, const struct entry *entry, const char *path, int parent,
			const char *base)
{
	if (base[0] == '\0' && entry->type != '5')
		fail("bad-entry", entry->name, "the layer's root is not a directory");
	switch (entry->type) {
	case '0':
		add_file(tree, input, entry, path, parent, base);
		break;
	case '1':
		add_hard_link(tree, entry, path, parent, base);
		break;
	case '2':
		add_symlink(tree, entry, parent, base);
		break;
	case '3':
	case '4':
	case '6':
		add_node(tree, entry, parent, base);
		break;
	case '5':
		add_directory(tree, entry, path, parent, base);
		break;
	default:
		fail("unsupported", entry->name, "an entry of type 0x%02x", (unsigned char)entry->type);
	}
}

void tree_add(struct tree *tree, struct input *input, const struct entry *entry)
{
	char path[PATH_MAX], parent_path[PATH_MAX];
	const char *base;
	uint64_t depth;

	if (++tree->entries > tree->limits->entries)
		fail("too-large", entry->name, "the layer has more than %llu entries",
		     (unsigned long long)tree->limits->entries);
	if (!path_clean(entry->name, path, &depth))
		fail("escape", entry->name, "its name leads above the layer's root");
	if (depth > tree->limits->depth)
		fail("too-large", entry->name, "its path has more than %llu components",
		     (unsigned long long)tree->limits->depth);
	if (tree->keep_top && path[0] == '\0' && entry->type == '5')
		return; /* the directory that it is unpacked into stays as it is */
	join_prefix(tree, path, entry);
	path_split(path, parent_path, &base);
	/* A whiteout may hide the longest name; its own is then longer, but never made. */
	bool whiteout = !tree->literal && whiteout_name(base);
	if (strlen(base) > NAME_MAX + (whiteout ? WHITEOUT_PREFIX_BYTES : 0))
		fail("name-too-long", entry->name, "a file name of more than %d bytes", NAME_MAX);
	int parent = open_parent(tree, parent_path, entry);
	if (tree->keep_kinds)
		check_kinds(tree, entry, path, parent, base);
	if (whiteout && tree->applies) {
		tree->parent_current = false; /* its path may lead elsewhere once something is gone; closed by the next entry */
		whiteout_apply(entry, parent, base);
		input_skip(input, entry->size);
	} else if (whiteout) {
		whiteout_add(tree, entry, parent_path, parent, base);
		input_skip(input, entry->size);
	} else {
		add_by_type(tree, input, entry, path, parent, base);
	}
	input_skip(input, header_padding(entry->size));
}

void tree_finish(struct tree *tree)
{
	forget_parent(tree);
	directory_times_apply(&tree->times, tree->root);
}
