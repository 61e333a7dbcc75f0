export const BTRFS_MAGIC = 0x91_23_68_3e;

/** Docker's names of file systems by their magic number (statfs(2)). */
const names: ReadonlyMap<number, string> = new Map([
  [0xef53, 'extfs'],
  [BTRFS_MAGIC, 'btrfs'],
  [0x58_46_53_42, 'xfs'],
  [0x01_02_19_94, 'tmpfs'],
  [0x79_4c_76_30, 'overlayfs'],
  [0x2f_c1_2f_c1, 'zfs'],
  [0xf2_f5_20_10, 'f2fs'],
  [0x69_69, 'nfs'],
  [0x65_73_55_46, 'fuse'],
]);

export function fileSystemName(magic: number): string {
  return names.get(magic) ?? '<unknown>';
}
