package credstore

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// statFS names the file system of a directory by the number that statfs(2) gives; the numbers are those of
// linux/magic.h, and where that has none those of linux/gfs2_ondisk.h, fs/ntfs3 and fs/vboxsf of Linux, and src/stat.c of
// GNU coreutils.
func statFS(dir string) (name string, where locality, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", unknownFS, err
	}
	name, where = fileSystem(uint32(st.Type))
	return name, where, nil
}

func fileSystem(magic uint32) (string, locality) {
	switch magic {
	case unix.EXT4_SUPER_MAGIC: // ext2 and ext3 have the same
		return "ext4", localFS
	case unix.XFS_SUPER_MAGIC:
		return "XFS", localFS
	case unix.BTRFS_SUPER_MAGIC:
		return "Btrfs", localFS
	case unix.F2FS_SUPER_MAGIC:
		return "F2FS", localFS
	case 0x2fc12fc1:
		return "ZFS", localFS
	case unix.BCACHEFS_SUPER_MAGIC:
		return "bcachefs", localFS
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs", localFS
	case unix.TMPFS_MAGIC:
		return "tmpfs", localFS
	case unix.RAMFS_MAGIC:
		return "ramfs", localFS
	case unix.ECRYPTFS_SUPER_MAGIC:
		return "eCryptfs", localFS
	case unix.NILFS_SUPER_MAGIC:
		return "NILFS", localFS
	case unix.REISERFS_SUPER_MAGIC:
		return "ReiserFS", localFS
	case 0x3153464a:
		return "JFS", localFS
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, 0x5346544e, 0x7366746e: // also NTFS
		return "FAT, exFAT or NTFS", localFS
	case unix.NFS_SUPER_MAGIC:
		return "NFS", remoteFS
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "SMB (CIFS)", remoteFS
	case unix.V9FS_MAGIC: // also the drives of Windows in WSL 2 (drvfs)
		return "9P", remoteFS
	case unix.AFS_FS_MAGIC, unix.AFS_SUPER_MAGIC:
		return "AFS", remoteFS
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph", remoteFS
	case unix.CODA_SUPER_MAGIC:
		return "Coda", remoteFS
	case unix.NCP_SUPER_MAGIC:
		return "NCP", remoteFS
	case unix.OCFS2_SUPER_MAGIC:
		return "OCFS2", remoteFS
	case 0x01161970:
		return "GFS2", remoteFS
	case 0x0bd00bd0:
		return "Lustre", remoteFS
	case 0x47504653:
		return "GPFS", remoteFS
	case 0x786f4256:
		return "a VirtualBox shared folder", remoteFS
	case 0xbacbacbc:
		return "a VMware shared folder", remoteFS
	case unix.FUSE_SUPER_MAGIC: // sshfs, rclone and s3fs, and also NTFS-3G
		return "FUSE", unknownFS
	}
	return fmt.Sprintf("a file system of unknown type %#x", magic), unknownFS
}
